package e2e

import (
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
)

// TestEndsWithoutReason has a seller end its streams with [DONE] alone, without a reason: clients have them whole, but it counts
// against the seller, which soon is no longer asked first.
func TestEndsWithoutReason(t *testing.T) {
	t.Parallel()
	unreasoned := roleEvent + textEvent("Hi") + "data: [DONE]\n\n"
	s := newStage(t)
	s.seller("vague", sayStream(unreasoned), "m")
	s.seller("other", sayStream(shortStream), "m")
	s.open("\t\taffinity off\n")
	by := ""
	for range 4 {
		a := s.infer("", "m", `"stream":true,`)
		by += a.Header.Get("X-TokenBuddy-Seller") + " "
		if a.StatusCode != 200 || a.cut != nil || a.body != unreasoned && a.body != shortStream {
			t.Errorf("status %d, %v: %q", a.StatusCode, a.cut, a.body)
		}
	}
	if by != "vague vague vague other " {
		t.Errorf("served by %s", by)
	}
}

// TestDeadSellerIsNoSleep asks a lone seller that is dead, again and again: what the client is told to wait stays short, the message
// says why, and once the seller is back it serves at once.
func TestDeadSellerIsNoSleep(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/v1/chat/completions", "/v1/responses", "/v1/messages"} {
		for _, stream := range []string{"", `"stream":true,`} {
			t.Run(path+stream, func(t *testing.T) {
				t.Parallel()
				var dead atomic.Bool
				dead.Store(true)
				s := newStage(t)
				s.seller("dead", func(w http.ResponseWriter, r *http.Request, body []byte) {
					if dead.Load() {
						panic(http.ErrAbortHandler)
					}
					(&question{speech: speechOf(path), mark: "even", stream: stream != ""}).serve(w, "s")
				}, "m")
				s.open("")
				ask := func() *answered { return s.ask(0, "POST", path, speechOf(path).body(stream+`"model":"m",`, "Hello")) }
				for range 10 {
					a := ask()
					wait, err := strconv.Atoi(a.Header.Get("Retry-After"))
					if a.StatusCode < 502 || a.StatusCode > 503 || err != nil || wait < 1 || wait > 15 {
						t.Errorf("status %d, Retry-After %q: %s", a.StatusCode, a.Header.Get("Retry-After"), a.body)
					}
				}
				dead.Store(false)
				if a := ask(); a.StatusCode != 200 {
					t.Errorf("it is back: status %d: %s", a.StatusCode, a.body)
				}
			})
		}
	}
}

// TestSecretsOfErrors has sellers say, in errors of every kind, the token that they were shown: no client sees it.
func TestSecretsOfErrors(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	for _, status := range []int{400, 404, 409, 422, 429, 500, 529} {
		s.seller("s"+strconv.Itoa(status), func(w http.ResponseWriter, r *http.Request, _ []byte) {
			sayJSON(status, `{"error":{"message":"not with `+strings.ReplaceAll(r.Header.Get("Authorization"), "-", `\u002d`)+`","type":"x"}}`)(w, r, nil)
		}, "m"+strconv.Itoa(status))
	}
	s.open("\t\tfailover {\n\t\t\tretries 0\n\t\t}\n")
	for _, status := range []int{400, 404, 409, 422, 429, 500, 529} {
		for path := range inferencePaths {
			a := s.ask(0, "POST", path, chatOf("m"+strconv.Itoa(status), ""))
			if strings.Contains(a.body, "tok-") || strings.Contains(a.body, `tok\u002d`) || a.StatusCode < 400 {
				t.Errorf("%s, %d: status %d: %s", path, status, a.StatusCode, a.body)
			}
		}
	}
}

// TestLedgerOfOthers starts with a ledger's directory that everybody can read: it is taken from them, and told.
func TestLedgerOfOthers(t *testing.T) {
	t.Parallel()
	c := newCaddy(t, market(registryOf(t, []string{"m"}, newSeller(t, "acme", answerPlain)), ""))
	if err := os.MkdirAll(c.ledgerDir(), 0o755); err != nil {
		t.Fatal(err)
	}
	c.start()
	if info, err := os.Stat(c.ledgerDir()); err != nil || info.Mode().Perm()&0o007 != 0 || !c.log.has("ledger.dir.tightened") {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}
