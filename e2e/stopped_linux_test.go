package e2e

import (
	"encoding/json"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func init() {
	if os.Getenv(beCaddy) != "" {
		signal.Ignore(syscall.SIGXFSZ) // a file that must not grow is an error then, as on a disk that fails
	}
}

// TestLedgerStopped has what is written to the ledger fail: operators hear of it at once, and nothing is sent or bought any more, also when the disk is
// well again, until the process starts anew. That goes on with all that was told, once.
func TestLedgerStopped(t *testing.T) {
	t.Parallel()
	seller := newSeller(t, "acme", answerPlain)
	c := newCaddy(t, market(registryOf(t, []string{"m"}, seller), ""))
	file := c.listen("")
	c.start()
	infer := func() (int, string) {
		res, body := c.post("/v1/chat/completions", chatBody)
		return res.StatusCode, string(body)
	}
	if status, body := infer(); status != http.StatusOK {
		t.Fatalf("status %d: %s", status, body)
	}
	var usual unix.Rlimit
	limit := func(is, was *unix.Rlimit) {
		t.Helper()
		if err := unix.Prlimit(c.cmd.Process.Pid, unix.RLIMIT_FSIZE, is, was); err != nil {
			t.Fatal(err)
		}
	}
	limit(nil, &usual)
	limit(&unix.Rlimit{Cur: 8 << 10, Max: usual.Max}, nil) // less than where the journal's records are
	eventually(t, "the ledger stops", func() bool {
		status, _ := infer()
		return status == http.StatusServiceUnavailable && c.log.has("ledger.commit.failed")
	})
	limit(&usual, nil)
	asked, paid := len(seller.inferences()), len(seller.paid)
	for range 3 {
		if status, body := infer(); status != http.StatusServiceUnavailable {
			t.Errorf("status %d: %s", status, body)
		}
	}
	if len(seller.inferences()) != asked || len(seller.paid) != paid {
		t.Error("the seller is asked")
	}
	var event struct {
		Name string
		Data struct{ Ledger, Reason string }
	}
	eventually(t, "the event", func() bool {
		told, _ := os.ReadFile(file)
		for line := range strings.Lines(string(told)) {
			if json.Unmarshal([]byte(line), &event) == nil && event.Name == "ledger_stopped" {
				return true
			}
		}
		return false
	})
	if event.Data.Ledger != c.ledgerDir() || !strings.Contains(event.Data.Reason, "restart the process") {
		t.Errorf("the event says %+v", event.Data)
	}
	var status struct {
		Ledger struct {
			OK    bool
			Error string
		}
	}
	if _, body := c.look("/tokenbuddy/status"); json.Unmarshal(body, &status) != nil || status.Ledger.OK || !strings.Contains(status.Ledger.Error, "commit failed") {
		t.Errorf("the status says %+v", status)
	}
	c.doctor(true, []string{"--address", c.admin}, "commit failed")
	c.stop()

	c.start()
	if status, body := infer(); status != http.StatusOK {
		t.Errorf("status %d: %s", status, body)
	}
	c.verify()
	ids := map[string]bool{}
	for _, e := range c.entries("inference") {
		if ids[e.RequestID] {
			t.Errorf("request %s is booked twice", e.RequestID)
		}
		ids[e.RequestID] = true
	}
	if len(ids) < 2 || len(seller.paid) != paid {
		t.Errorf("%d requests are booked, and %d tokens were bought after %d", len(ids), len(seller.paid), paid)
	}
	c.stop()
}
