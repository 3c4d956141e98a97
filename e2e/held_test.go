package e2e

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestCountingTokensIsFree: it is held, budgeted and rated by nothing that inferences are.
func TestCountingTokensIsFree(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.seller("acme", func(w http.ResponseWriter, r *http.Request, body []byte) {
		if strings.HasSuffix(r.URL.Path, "count_tokens") {
			sayJSON(200, `{"input_tokens":100000}`)(w, r, body)
			return
		}
		sayJSON(200, speechOf("/v1/messages").plain("Hi"))(w, r, body)
	}, priced("m"))
	s.open("\t\tmember ada {\n\t\t\tkey sk-ada-long-key\n\t\t\trate 3 1h\n\t\t}\n\t\tmember bob {\n\t\t\tkey sk-bob-long-key\n\t\t\tdaily_budget 0\n\t\t}\n")
	large := chatOf("m", `"max_tokens":64,"system":"`+strings.Repeat("word ", 80_000)+`",`)
	ask := func(who, path, id string) int {
		return s.ask(0, "POST", path, large, "X-Api-Key", "sk-"+who+"-long-key", "X-Request-Id", id).StatusCode
	}
	for i := range 3 {
		if got := ask("bob", "/v1/messages/count_tokens", fmt.Sprint("count ", i)); got != http.StatusOK {
			t.Errorf("a member without budget: status %d", got)
		}
		if e := s.entryOf(fmt.Sprint("count ", i)); e.BilledMicros != 0 || e.ExpenseMicros != 0 {
			t.Errorf("booked %+v", e)
		}
		if got := ask("ada", "/v1/messages/count_tokens", ""); got != http.StatusOK {
			t.Errorf("counting: status %d", got)
		}
	}
	for range 3 {
		if got := ask("ada", "/v1/messages", ""); got != http.StatusOK {
			t.Errorf("the rate of inferences was used by counting: status %d", got)
		}
	}
	if got := ask("ada", "/v1/messages", ""); got != http.StatusTooManyRequests {
		t.Errorf("past the rate: status %d", got)
	}
	if a := s.ask(0, "POST", "/v1/messages", "no JSON", "X-Api-Key", "sk-ada-long-key"); a.StatusCode != http.StatusTooManyRequests {
		t.Errorf("the rate is asked after the body: status %d", a.StatusCode)
	}
	s.verify()
}

// TestEveryNamedModelIsChecked against the member's list, after aliases, wherever a request names it.
func TestEveryNamedModelIsChecked(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.seller("acme", answerPlain, priced("small"), priced("large", "big"))
	s.open("\t\tmember ada {\n\t\t\tkey sk-ada-long-key\n\t\t\tmodels small\n\t\t}\n\t\tmodel_alias tiny small\n")
	for members, want := range map[string]int{
		``: 200, `"models":["small","tiny"],`: 200, `"models":["small","large"],`: 403, `"models":["big"],`: 403, `"fallbacks":["big"],`: 403,
		`"fallbacks":[{"model":"large"}],`: 403, `"models":["unheard-of"],`: 403, `"extra_body":{"models":["large"]},`: 403,
	} {
		a := s.ask(0, "POST", "/v1/chat/completions", chatOf("small", members), "Authorization", "Bearer sk-ada-long-key")
		if a.StatusCode != want || want == 403 && !strings.Contains(a.body, "model_not_allowed") {
			t.Errorf("%s: status %d, want %d: %s", members, a.StatusCode, want, a.body)
		}
	}
}

// TestWhatIsGivenUpStaysHeld: sixty requests given up before their headers, on a budget for ten, are not all sent.
func TestWhatIsGivenUpStaysHeld(t *testing.T) {
	t.Parallel()
	asked := make(chan struct{}, 100)
	s := newStage(t)
	seller := s.seller("acme", func(_ http.ResponseWriter, r *http.Request, _ []byte) {
		asked <- struct{}{}
		<-r.Context().Done()
	}, priced("m"))
	// A request may cost about 2,030 micros.
	s.open("\t\tmember ada {\n\t\t\tkey sk-ada-long-key\n\t\t\tdaily_budget 0.0204\n\t\t}\n")
	refused := 0
	for i := range 60 {
		ctx, hangUp := context.WithCancel(t.Context())
		var all sync.WaitGroup
		answer := make(chan int, 1)
		all.Go(func() {
			res, err := s.send(ctx, "/v1/chat/completions", chatOf("m", `"max_tokens":1000,`), "Authorization", "Bearer sk-ada-long-key", "X-Request-Id", fmt.Sprint("given up ", i))
			if err == nil {
				answer <- res.StatusCode
				_ = res.Body.Close()
			}
		})
		select {
		case <-asked:
		case status := <-answer:
			if refused++; status != http.StatusPaymentRequired {
				t.Errorf("status %d", status)
			}
		}
		hangUp()
		all.Wait()
		if refused == 0 {
			s.entryOf(fmt.Sprint("given up ", i))
		}
	}
	if n := len(seller.inferences()); n > 10 || n < 9 {
		t.Errorf("%d requests were sent on a budget for ten", n)
	}
	s.verify()
}

// TestBudgetThatIsOnlyHeld says so, and that another try may be served.
func TestBudgetThatIsOnlyHeld(t *testing.T) {
	t.Parallel()
	asked, goOn := make(chan struct{}, 1), make(chan struct{})
	s := newStage(t)
	s.seller("acme", func(w http.ResponseWriter, r *http.Request, body []byte) {
		asked <- struct{}{}
		<-goOn
		answerPlain(w, r, body)
	}, priced("m"))
	s.open("\t\tmember ada {\n\t\t\tkey sk-ada-long-key\n\t\t\tdaily_budget 0.003\n\t\t}\n")
	ask := func() *answered {
		return s.ask(0, "POST", "/v1/chat/completions", chatOf("m", `"max_tokens":1000,`), "Authorization", "Bearer sk-ada-long-key")
	}
	var first sync.WaitGroup
	first.Go(func() { ask() })
	<-asked
	a := ask()
	if a.StatusCode != http.StatusPaymentRequired || a.Header.Get("X-Should-Retry") != "" || !strings.Contains(a.body, "under way") {
		t.Errorf("status %d %v: %s", a.StatusCode, a.Header, a.body)
	}
	close(goOn)
	first.Wait()
	if a := ask(); a.StatusCode != http.StatusOK {
		t.Errorf("when it is free again: status %d: %s", a.StatusCode, a.body)
	}
}

// TestFailedAttemptsCountInBudgets, though they are waste: a seller that bills and fails does not carry a member past the budget.
func TestFailedAttemptsCountInBudgets(t *testing.T) {
	t.Parallel()
	var n atomic.Int64
	s := newStage(t)
	s.seller("fails", func(w http.ResponseWriter, r *http.Request, body []byte) {
		settledBy(sayJSON(500, `{}`), "Settlement-Id", fmt.Sprint("f", n.Add(1)), "Billed-Micros", "1000")(w, r, body)
	}, priced("m"))
	s.seller("serves", settledBy(answerPlain, "Billed-Micros", "9"), priced("m"))
	s.open("\t\tdefault_seller fails\n\t\tfailover {\n\t\t\tretries 0\n\t\t\tcooldown 1ms\n\t\t}\n\t\tmember ada {\n\t\t\tkey sk-ada-long-key\n\t\t\tdaily_budget 0.004\n\t\t}\n")
	for i := range 200 {
		a := s.ask(0, "POST", "/v1/chat/completions", chatOf("m", `"max_tokens":500,`), "Authorization", "Bearer sk-ada-long-key")
		if a.StatusCode == http.StatusPaymentRequired {
			break
		}
		if a.StatusCode != http.StatusOK || i == 199 {
			t.Fatalf("request %d: status %d: %s", i, a.StatusCode, a.body)
		}
	}
	if wasted := s.balances()["waste:fails"]; wasted > 4_000 || wasted == 0 {
		t.Errorf("%d micros were wasted on a budget of 4,000", wasted)
	}
}

// TestFailoverKeepsToBudgets: what a failed attempt has cost is not spent once more by the next one, whose seller is asked only where the budget
// bears both.
func TestFailoverKeepsToBudgets(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, billed string // by the seller that fails; none: it breaks off, and may charge later
		status       int
		says         string
	}{
		{"dear", "1000", http.StatusPaymentRequired, "$0.001 is spent"},
		{"cheap", "10", http.StatusOK, ""},
		{"nobody knows", "", http.StatusPaymentRequired, "under way"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t)
			s.seller("fails", func(w http.ResponseWriter, r *http.Request, body []byte) {
				if c.billed == "" {
					panic(http.ErrAbortHandler)
				}
				settledBy(sayJSON(500, `{}`), "Settlement-Id", "f", "Billed-Micros", c.billed)(w, r, body)
			}, priced("m"))
			serves := s.seller("serves", settledBy(answerPlain, "Settlement-Id", "s", "Billed-Micros", "1000"), priced("m"))
			// A request may cost about 1,030 micros.
			s.open("\t\tdefault_seller fails\n\t\tfailover {\n\t\t\tretries 0\n\t\t}\n\t\tmember ada {\n\t\t\tkey sk-ada-long-key\n\t\t\tdaily_budget 0.0015\n\t\t}\n")
			a := s.ask(0, "POST", "/v1/chat/completions", chatOf("m", `"max_tokens":500,`), "Authorization", "Bearer sk-ada-long-key")
			if a.StatusCode != c.status || !strings.Contains(a.body, c.says) {
				t.Errorf("status %d: %s", a.StatusCode, a.body)
			}
			served := 0
			if c.status == http.StatusOK {
				served = 1
			}
			if n := len(serves.inferences()); n != served {
				t.Errorf("the next seller was asked %d times, want %d", n, served)
			}
			b := s.balances()
			if spent := b["waste:fails"] + b["expense:ada:m"]; spent > 1_500 || c.billed == "1000" && b["waste:fails"] != 1_000 {
				t.Errorf("booked of a budget of 1,500: %v", b)
			}
			s.verify()
		})
	}
}

// TestNobodyIsCutForWhoIsBeyondTheBudget: a seller that takes its time is cut in favour of another one only where the member's budget bears both, since
// what it may still charge stays held.
func TestNobodyIsCutForWhoIsBeyondTheBudget(t *testing.T) {
	t.Parallel()
	for budget, seller := range map[string]string{"0.0015": "slow", "0.003": "serves"} {
		for _, members := range []string{`"max_tokens":500,`, `"max_tokens":500,"stream":true,`} {
			t.Run(budget+members, func(t *testing.T) {
				t.Parallel()
				s := newStage(t)
				s.seller("slow", func(w http.ResponseWriter, r *http.Request, body []byte) {
					select {
					case <-time.After(900 * time.Millisecond):
						settledBy(answerPlain, "Settlement-Id", "1", "Billed-Micros", "9")(w, r, body)
					case <-r.Context().Done():
					}
				}, priced("m"))
				s.seller("serves", settledBy(answerPlain, "Settlement-Id", "2", "Billed-Micros", "9"), priced("m"))
				// A request may cost about 1,030 micros.
				s.open("\t\tdefault_seller slow\n\t\tfailover {\n\t\t\tdeadline 300ms 10s 300ms\n\t\t}\n\t\tmember ada {\n\t\t\tkey sk-ada-long-key\n\t\t\tdaily_budget " + budget + "\n\t\t}\n")
				a := s.ask(0, "POST", "/v1/chat/completions", chatOf("m", members), "Authorization", "Bearer sk-ada-long-key")
				if a.StatusCode != http.StatusOK || a.Header.Get("X-TokenBuddy-Seller") != seller {
					t.Errorf("status %d by %q, want %q: %s", a.StatusCode, a.Header.Get("X-TokenBuddy-Seller"), seller, a.body)
				}
			})
		}
	}
}

// TestGuessesStrandNoCredit: a token from which an estimate has taken all is not given up, over a restart neither. The next request tries it before
// another one is bought, and what its seller says then puts the books right. Where the estimate was true, the seller refuses it, and one is bought.
func TestGuessesStrandNoCredit(t *testing.T) {
	t.Parallel()
	for _, restart := range []bool{false, true} {
		for _, left := range []int{46_000, 0} {
			t.Run(fmt.Sprint(restart, left), func(t *testing.T) {
				t.Parallel()
				var n atomic.Int64
				s := newStage(t)
				acme := s.seller("acme", func(w http.ResponseWriter, r *http.Request, body []byte) {
					switch n := n.Add(1); {
					case n == 1:
						w.Header().Set("Content-Type", "text/event-stream")
						_, _ = io.WriteString(w, "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hi\"}}]}\n\n")
						w.(http.Flusher).Flush()
						panic(http.ErrAbortHandler)
					case n == 2 && left == 0:
						sayJSON(402, `{"error":{"code":"insufficient_funds","message":"empty"}}`)(w, r, body)
					default:
						settledBy(answerPlain, "Settlement-Id", fmt.Sprint("s", n), "Billed-Micros", "9", "Balance-Micros", strconv.Itoa(max(left-9, 50_000-9-left)))(w, r, body)
					}
				}, map[string]any{"id": "m"}) // without a price a request is taken to cost 50,000 micros
				acme.credit = 50_000
				s.open("\t\tpurchase {\n\t\t\tamount 0.05\n\t\t}\n")
				ask := func(members string) *answered { return s.ask(0, "POST", "/v1/chat/completions", chatOf("m", members)) }
				ask(`"stream":true,`)
				eventually(t, "the cut answer takes all that is on the token", func() bool { return s.balances()["expense:anonymous:m"] == 50_000 })
				if restart {
					s.stop()
					s.start()
				}
				if a := ask(""); a.StatusCode != http.StatusOK {
					t.Fatalf("status %d: %s", a.StatusCode, a.body)
				}
				bought := 1
				if left == 0 {
					bought = 2
				}
				if b := acme.purchases(); b != bought {
					t.Errorf("bought %d times, want %d", b, bought)
				}
				eventually(t, "the books have what the seller has", func() bool { return s.balances()["credit:acme"] == int64(max(left-9, 50_000-9-left)) })
				if b := s.balances(); b["disputed:acme"] != 0 {
					t.Errorf("an honest seller's bill is in dispute: %v", b)
				}
				s.verify()
			})
		}
	}
}

// TestWhatAResponseGoesOnFrom is part of what the next one can cost, also after a restart.
func TestWhatAResponseGoesOnFrom(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	seller := s.seller("acme", sayJSON(200, `{"id":"resp_1","object":"response","status":"completed","output":[{"type":"message","role":"assistant","content":[{"type":"output_text","text":"Hi"}]}],"usage":{"input_tokens":9,"output_tokens":90000}}`), priced("m"))
	s.open("\t\tmember ada {\n\t\t\tkey sk-ada-long-key\n\t\t}\n\t\tmember bob {\n\t\t\tkey sk-bob-long-key\n\t\t\tdaily_budget 0.25\n\t\t}\n")
	ask := func(who, members string) int {
		return s.ask(0, "POST", "/v1/responses", `{"model":"m","max_output_tokens":100000,`+members+`"input":"Hello"}`, "Authorization", "Bearer sk-"+who+"-long-key", "X-Request-Id", who+members).StatusCode
	}
	if got := ask("bob", ""); got != http.StatusOK { // 200,000 can be written at the most
		t.Fatalf("status %d", got)
	}
	s.entryOf("bob")
	s.stop()
	file, err := os.ReadFile(s.caddyfile())
	if err != nil {
		t.Fatal(err)
	}
	s.write(strings.Replace(string(file), "daily_budget 0.25", "daily_budget 0.45", 1))
	s.start()
	if got := ask("ada", `"previous_response_id":"resp_1",`); got != http.StatusNotFound {
		t.Errorf("another member's response: status %d", got)
	}
	if got := ask("bob", `"previous_response_id":"resp_1",`); got != http.StatusPaymentRequired { // 180,000 are spent
		t.Errorf("90,000 tokens more: status %d", got)
	}
	if got := ask("bob", ``); got != http.StatusOK {
		t.Errorf("without them: status %d", got)
	}
	if n := len(seller.inferences()); n != 2 {
		t.Errorf("the seller was asked %d times", n)
	}
}
