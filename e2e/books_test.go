package e2e

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// refuses starts Caddy, which must not serve, and gives what it says.
func (c *caddy) refuses() string {
	c.t.Helper()
	before := len(c.log.String())
	c.launch()
	select {
	case <-c.exited:
	case <-time.After(30 * time.Second):
		c.t.Fatalf("caddy serves, or says nothing:\n%s", c.log)
	}
	return c.log.String()[before:]
}

// TestKeyFileGone takes the key file away from a ledger that was written with it: the gateway does not start, says what to do, and makes no other one
// where the old one has to be put back. With that, it starts.
func TestKeyFileGone(t *testing.T) {
	mostlyStarts(t)
	t.Parallel()
	c := newCaddy(t, "")
	c.configure(market(registryOf(t, []string{"m"}, newSeller(t, "acme", answerPlain)), ""))
	c.start()
	c.stop()
	key := filepath.Join(c.dir, "data", "caddy", "tokenbuddy.key")
	if err := os.Rename(key, key+".away"); err != nil {
		t.Fatal(err)
	}
	if said := c.refuses(); !strings.Contains(said, key+" is gone: put it back") {
		t.Errorf("it says\n%s", said)
	}
	if _, err := os.Stat(key); err == nil {
		t.Error("another key file was made")
	}
	if err := os.Rename(key+".away", key); err != nil {
		t.Fatal(err)
	}
	c.start()
	if res, body := c.post("/v1/chat/completions", chatBody); res.StatusCode != http.StatusOK {
		t.Errorf("status %d: %s", res.StatusCode, body)
	}
}

// TestOldCopy puts an older copy of the ledger in the place of today's, and nothing in its place: the gateway does not start,
// and says what to do. With what was there before, it does.
func TestOldCopy(t *testing.T) {
	mostlyStarts(t)
	t.Parallel()
	seller := newSeller(t, "acme", answerPlain)
	c := newCaddy(t, "")
	c.configure(market(registryOf(t, []string{"m"}, seller), ""))
	infer := func() {
		t.Helper()
		c.start()
		if res, body := c.post("/v1/chat/completions", chatBody); res.StatusCode != http.StatusOK {
			t.Fatalf("status %d: %s", res.StatusCode, body)
		}
		c.stop()
	}
	put := func(from, to string) {
		t.Helper()
		if err := os.Rename(from, to); err != nil {
			t.Fatal(err)
		}
	}
	infer()
	old, today := filepath.Join(c.dir, "old"), filepath.Join(c.dir, "today")
	if err := os.CopyFS(old, os.DirFS(c.ledgerDir())); err != nil {
		t.Fatal(err)
	}
	infer()
	put(c.ledgerDir(), today)
	for what, want := range map[string]string{
		"nothing":     "there is none, and there have been 4 entries",
		"an old copy": "it has 3 entries, and there have been 4",
	} {
		if what == "an old copy" {
			put(old, c.ledgerDir())
		}
		said := c.refuses()
		for _, part := range []string{want, "restore a backup", ".anchor"} {
			if !strings.Contains(said, part) {
				t.Errorf("%s in its place: nothing is said of %q:\n%s", what, part, said)
			}
		}
		if what == "an old copy" {
			put(c.ledgerDir(), old)
		}
	}
	put(today, c.ledgerDir())
	infer()
	c.start()
	c.verify()
	if n := seller.purchases(); n != 1 {
		t.Errorf("%d purchases", n)
	}
}

// TestEstimatePutRight cuts a client off. What its request has cost is booked by estimate, and put right on the same account
// when the seller next tells what is left on the token: also when the process was killed in between.
func TestEstimatePutRight(t *testing.T) {
	for _, kill := range []bool{false, true} {
		t.Run(fmt.Sprintf("kill=%t", kill), func(t *testing.T) {
			t.Parallel()
			const took, each = 431, 70
			left := int64(5_000_000)
			gone := make(chan struct{})
			s := newStage(t)
			s.seller("acme", func(w http.ResponseWriter, r *http.Request, body []byte) {
				if !bytes.Contains(body, []byte(`"stream":true`)) {
					left -= each
					settledBy(answerPlain, "Settlement-Id", fmt.Sprint("s", left), "Billed-Micros", fmt.Sprint(each), "Balance-Micros", fmt.Sprint(left))(w, r, body)
					return
				}
				w.Header().Set("Content-Type", "text/event-stream")
				_, _ = io.WriteString(w, roleEvent+textEvent("0"))
				w.(http.Flusher).Flush()
				<-r.Context().Done()
				left -= took // it charges for what it has done
				close(gone)
			}, priced("m"))
			s.open("member ada {\n key adas-key\n }\n member bob {\n key bobs-key\n }")
			res, err := s.send(t.Context(), "/v1/chat/completions", chatOf("m", `"stream":true,`), "Authorization", "Bearer adas-key")
			if err != nil {
				t.Fatal(err)
			}
			readUntil(t, res.Body, textEvent("0"))
			if kill {
				s.kill()
				s.start()
			}
			_ = res.Body.Close()
			within(t, "the seller sees that it is over", gone)
			var estimated entry
			eventually(t, "it is booked", func() bool {
				all := s.entries("inference")
				if len(all) == 1 {
					estimated = all[0]
				}
				return len(all) == 1
			})
			if estimated.BilledSource != "estimate" || estimated.Member != "ada" || estimated.BilledMicros <= 0 {
				t.Errorf("booked as %+v", estimated)
			}
			s.ask(0, http.MethodPost, "/v1/chat/completions", chatOf("m", ""), "Authorization", "Bearer bobs-key").Body.Close()
			eventually(t, "the next one is booked", func() bool { return len(s.entries("inference")) == 2 })
			s.verify()
			balances := s.balances()
			want := map[string]int64{"expense:ada:m": took, "expense:bob:m": each, "credit:acme": left, "adjustment:acme": 0, "wallet:mock": -5_000_000}
			for account, n := range want {
				if balances[account] != n {
					t.Errorf("%s is at %d, want %d", account, balances[account], n)
				}
			}
			corrections := s.entries("adjustment")
			if len(corrections) != 1 || corrections[0].Correction.Entry != estimated.ID || corrections[0].Correction.Member != "ada" ||
				corrections[0].Correction.BilledMicros != took-estimated.BilledMicros {
				t.Errorf("put right by %+v", corrections)
			}
			_, rows := s.look("/tokenbuddy/ledger/summary?by=member")
			if !bytes.Contains(rows, fmt.Appendf(nil, `"key":"ada","requests":1,"promptTokens":0,"completionTokens":0,"cacheReadTokens":0,"billedMicros":%d,"expenseMicros":%d`, took, took)) {
				t.Errorf("the summary: %s", rows)
			}
			_, metrics := s.look("/metrics") // what a process has counted it puts right, and no other
			for line, there := range map[string]bool{
				fmt.Sprintf(`tokenbuddy_billed_micros_total{member="bob",model="m",seller="acme"} %d`, each): true,
				fmt.Sprintf(`tokenbuddy_billed_micros_total{member="ada",model="m",seller="acme"} %d`, took): !kill,
				fmt.Sprintf(`tokenbuddy_billed_by_member_micros_total{member="ada",model="m"} %d`, took):     !kill,
				`tokenbuddy_billed_by_member_micros_total{member="ada"`:                                      !kill,
			} {
				if bytes.Contains(metrics, []byte("\n"+line)) != there {
					t.Errorf("the metrics have %s: want %v", line, there)
				}
			}
		})
	}
}
