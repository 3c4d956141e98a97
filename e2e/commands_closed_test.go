package e2e

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

// doctor asks the doctor, who must find something wrong or not, and say these words.
func (c *caddy) doctor(wrong bool, args []string, words ...string) {
	c.t.Helper()
	ask := c.good
	if wrong {
		ask = func(args ...string) string { return c.bad("something is wrong", args...) }
	}
	out := ask(append([]string{"doctor"}, args...)...)
	for _, w := range words {
		if !strings.Contains(out, w) {
			c.t.Errorf("the doctor %v says nothing of %q:\n%s", args, w, out)
		}
	}
}

// TestConnectOfClosedLedger has the model that was used most be what clients are set to, where no gateway can be asked.
func TestConnectOfClosedLedger(t *testing.T) {
	mostlyStarts(t)
	t.Parallel()
	s := startBooks(t)
	s.stop()
	var said struct{ URL, Model string }
	args := []string{"connect", "codex", "--ledger", s.ledgerDir()}
	if out := s.good(append(args, "--json")...); json.Unmarshal([]byte(out), &said) != nil || said.URL != "https://gateway.example.com" || said.Model != "small" {
		t.Errorf("it says %s", out)
	}
	if out := s.good(args...); !strings.Contains(out, "put its address in the place of https://gateway.example.com") {
		t.Errorf("nothing says that the address is an example:\n%s", out)
	}
	if out := s.good(append(args, "--url", "https://models.example.com", "--model", "other")...); !strings.Contains(out, "https://models.example.com/v1") ||
		!strings.Contains(out, `model = "other"`) || strings.Contains(out, "in the place of") {
		t.Errorf("what was said is not taken:\n%s", out)
	}
	s.bad("--write wants --url", append(args, "--write")...)
	s.bad("none of the others", append(args, "--address", s.admin)...)
	s.bad("no ledger", "connect", "--ledger", "nowhere")
}

// TestSellersOfClosedLedger lists what the books know of sellers, which is what the statement has.
func TestSellersOfClosedLedger(t *testing.T) {
	t.Parallel()
	s := startBooks(t)
	accounts := s.balances()
	s.stop()
	var rows []struct {
		SellerID                                                string `json:"sellerId"`
		Tokens                                                  int
		Requests                                                int64
		LeftMicros, PendingMicros, WastedMicros, DisputedMicros int64
	}
	out := s.good("sellers", "--json", "--ledger", s.ledgerDir())
	if err := json.Unmarshal([]byte(out), &rows); err != nil || len(rows) != 4 {
		t.Fatalf("%v:\n%s", err, out)
	}
	requests := map[string]int64{"acme": 1, "bolt": 2, "cuts": 1, "fails": 1}
	tokens := map[string]int{"acme": 1, "bolt": 2, "cuts": 1, "fails": 1} // bolt has refused one for want of credit
	for _, r := range rows {
		if id := r.SellerID; r.LeftMicros != accounts["credit:"+id] || r.WastedMicros != accounts["waste:"+id] || r.DisputedMicros != accounts["disputed:"+id] ||
			r.PendingMicros != 0 || r.Requests != requests[id] || r.Tokens != tokens[id] {
			t.Errorf("%+v, with the accounts %v", r, accounts)
		}
	}
	table := s.good("sellers", "--ledger", s.ledgerDir())
	if lines := strings.Split(strings.TrimSpace(table), "\n"); len(lines) != 8 || !strings.HasPrefix(lines[2], "acme ") || !strings.Contains(lines[2], " 4.000000 ") || !strings.HasPrefix(lines[7], "total ") {
		t.Errorf("the table is\n%s", table)
	}
	s.bad("unknown flag", "sellers", "forgive", "acme", "--ledger", s.ledgerDir())
	s.bad("belongs to --ledger", "sellers", "--key", "{env.HOME}")
}

// TestDoctorOfClosedLedger looks at the directory of a gateway that has died while it had paid for a token that it did not get.
func TestDoctorOfClosedLedger(t *testing.T) {
	mostlyStarts(t)
	t.Parallel()
	var holdsBack atomic.Bool
	s := newStage(t)
	acme := s.seller("acme", answerPlain, priced("m"))
	acme.buying = func(r *http.Request) {
		if r.URL.Path == "/purchase/complete" && holdsBack.Load() {
			panic(http.ErrAbortHandler)
		}
	}
	s.seller("other", answerPlain, priced("m"))
	s.open("\t\tdefault_seller acme\n\t\taffinity off\n")
	at, closed := []string{"--address", s.admin}, []string{"--ledger", s.ledgerDir()}
	holdsBack.Store(true)
	s.infer("first", "m", "")
	s.entryOf("first")
	s.doctor(true, closed, "leave out --ledger")
	s.kill()
	s.doctor(true, closed, "of 5.00 dollars at seller acme", "is completing: the money may have left", "Start the gateway")
	if out := s.good("sellers", "--ledger", s.ledgerDir()); !strings.Contains(out, " 5.000000 ") {
		t.Errorf("the sellers are\n%s", out)
	}
	holdsBack.Store(false)
	s.start()
	eventually(t, "the token", func() bool { return s.books().Credit.of("acme").Tokens == 1 })
	s.doctor(false, append(at, "--verify"), "Nothing is wrong.")
	s.stop()
	s.doctor(false, append(closed, "--verify"), "Nothing is wrong.")
	s.doctor(true, []string{"--ledger", "nowhere"}, "no ledger")
	s.doctor(true, append(closed, "--key", "{env.HOME}"), "key is wrong")

	anchors, err := filepath.Glob(filepath.Join(s.dir, "data", "caddy", "*.anchor"))
	if err != nil || len(anchors) != 1 {
		t.Fatalf("the anchors are %v, %v", anchors, err)
	}
	if err := os.Remove(anchors[0]); err != nil {
		t.Fatal(err)
	}
	s.doctor(false, closed, "note   There is no anchor file", "Nothing is wrong.")
	s.start()
	s.doctor(false, at, "no anchor file of it", "Nothing is wrong.")
	s.stop()
	s.start()
	if out := s.good("doctor", "--address", s.admin); strings.Contains(out, "anchor") {
		t.Errorf("with its anchor file again, the doctor says\n%s", out)
	}
	s.stop()

	key := filepath.Join(s.dir, "data", "caddy", "tokenbuddy.key")
	if err := os.Rename(key, key+".away"); err != nil {
		t.Fatal(err)
	}
	s.doctor(false, closed, "The key is not here")
	if err := os.Rename(key+".away", key); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(s.ledgerDir(), "MANIFEST")); err != nil {
		t.Fatal(err)
	}
	s.doctor(true, closed, "no ledger")
}

// TestVerifyOfDamagedLedger has a ledger that is not even opened be one that does not hold, to a program as well.
func TestVerifyOfDamagedLedger(t *testing.T) {
	t.Parallel()
	s := startBooks(t)
	s.stop()
	tables, err := filepath.Glob(filepath.Join(s.ledgerDir(), "*.sst"))
	if err != nil || len(tables) == 0 {
		t.Fatalf("the tables are %v, %v", tables, err)
	}
	table, err := os.ReadFile(tables[0])
	if err != nil {
		t.Fatal(err)
	}
	table[len(table)/2] ^= 1
	if err := os.WriteFile(tables[0], table, 0o600); err != nil {
		t.Fatal(err)
	}
	s.bad("the ledger is damaged", "verify", "--ledger", s.ledgerDir())
	var report struct {
		OK      *bool
		Problem string
	}
	out := s.bad("the ledger does not hold", "verify", "--ledger", s.ledgerDir(), "--json")
	if json.Unmarshal([]byte(out), &report) != nil || report.OK == nil || *report.OK || !strings.Contains(report.Problem, "the ledger is damaged") {
		t.Errorf("it says %q", out)
	}
}

// TestDoctorOfRestoredLedger tells of credit that may be gone.
func TestDoctorOfRestoredLedger(t *testing.T) {
	mostlyStarts(t)
	t.Parallel()
	c := newCaddy(t, "")
	c.configure(market(registryOf(t, []string{"m"}, newSeller(t, "acme", answerPlain)), ""))
	c.start()
	c.post("/v1/chat/completions", chatBody)
	file := filepath.Join(c.dir, "books.backup")
	c.good("backup", "-o", file, "--address", c.admin)
	c.stop()
	if err := os.Rename(c.ledgerDir(), c.ledgerDir()+".lost"); err != nil {
		t.Fatal(err)
	}
	c.good("restore", file, "--ledger", c.ledgerDir())
	c.doctor(false, []string{"--ledger", c.ledgerDir()}, "at seller acme, 4.99", "dollars come from a backup", "Nothing is wrong.")
	c.start()
	c.doctor(false, []string{"--address", c.admin}, "dollars come from a backup")
}

// TestDoctorOfKilledGateway tells of a request whose cost is still to be booked.
func TestDoctorOfKilledGateway(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.seller("acme", func(w http.ResponseWriter, r *http.Request, _ []byte) {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, roleEvent+textEvent("0"))
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}, priced("m"))
	s.open("")
	res, err := s.send(t.Context(), "/v1/chat/completions", chatOf("m", `"stream":true,`))
	if err != nil {
		t.Fatal(err)
	}
	readUntil(t, res.Body, textEvent("0"))
	s.kill()
	_ = res.Body.Close()
	s.doctor(false, []string{"--ledger", s.ledgerDir()}, "under way when the gateway ended: 1.", "Nothing is wrong.")
}
