package e2e

import (
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// TestBudget has members spend their budgets. A request is held to cost about 66 micros at the most (a token of prompt for three
// bytes, and 30 tokens of completion at 2 micros), and costs 40.
func TestBudget(t *testing.T) {
	t.Parallel()
	const each, most = 40, 60 + 40
	body := chatOf("m", `"max_tokens":30,`)
	s := newStage(t)
	wait := make(chan struct{})
	var waiting atomic.Bool
	seller := s.seller("acme", func(w http.ResponseWriter, r *http.Request, body []byte) {
		if waiting.Load() {
			<-wait
		}
		settledBy(answerPlain, "Billed-Micros", strconv.Itoa(each))(w, r, body)
	}, priced("m"))
	s.open(`
		member day {
			key key-of-day
			daily_budget 0.001
		}
		member month {
			key key-of-month
			monthly_budget 0.0005
		}
		member none {
			key key-of-none
			daily_budget 0
		}
		member free {
			key key-of-free
		}
		member rated {
			key key-of-rated
			rate 2 1h
		}
`)
	ask := func(member, path string) *answered {
		return s.ask(0, http.MethodPost, path, body, "Authorization", "Bearer key-of-"+member)
	}
	spendAll := func(member string, budget int) {
		t.Helper()
		served := 0
		for range 200 {
			a := ask(member, "/v1/chat/completions")
			if a.StatusCode == http.StatusPaymentRequired {
				break
			}
			if served++; a.StatusCode != http.StatusOK {
				t.Fatalf("%s: status %d: %s", member, a.StatusCode, a.body)
			}
		}
		if spent := served * each; spent > budget || spent < budget-most-each {
			t.Errorf("%s: %d requests for %d micros of %d", member, served, spent, budget)
		}
	}
	spendAll("day", 1_000)
	spendAll("month", 500)
	spendAll("none", 0)

	asked := len(seller.inferences())
	a := ask("day", "/v1/chat/completions")
	if a.StatusCode != http.StatusPaymentRequired || !strings.Contains(a.body, `"code":"insufficient_quota"`) ||
		a.Header.Get("X-Should-Retry") != "false" || a.Header.Get("X-TokenBuddy-Seller") != "" {
		t.Errorf("%d %v: %s", a.StatusCode, a.Header, a.body)
	}
	if a = ask("day", "/v1/messages"); a.StatusCode != http.StatusPaymentRequired || !strings.Contains(a.body, `"type":"billing_error"`) {
		t.Errorf("%d: %s", a.StatusCode, a.body)
	}
	if n := len(seller.inferences()); n != asked {
		t.Errorf("the seller was asked %d times for members without budget", n-asked)
	}
	entries := len(s.entries("inference"))
	if a = ask("free", "/v1/chat/completions"); a.StatusCode != http.StatusOK {
		t.Errorf("without a budget: status %d: %s", a.StatusCode, a.body)
	}

	s.stop()
	s.start()
	if a = ask("day", "/v1/chat/completions"); a.StatusCode != http.StatusPaymentRequired {
		t.Errorf("after a restart: status %d: %s", a.StatusCode, a.body)
	}
	if n := len(s.entries("inference")); n != entries+1 {
		t.Errorf("%d entries, want one more than %d: refusals are not booked", n, entries)
	}

	for i := range 4 {
		a := ask("rated", "/v1/chat/completions")
		if i < 2 && a.StatusCode != http.StatusOK {
			t.Errorf("request %d within the rate: status %d: %s", i+1, a.StatusCode, a.body)
		}
		if i >= 2 && (a.StatusCode != http.StatusTooManyRequests || !strings.Contains(a.body, `"code":"rate_limit_exceeded"`) || a.Header.Get("Retry-After") != "" ||
			a.Header.Get("X-Should-Retry") != "false" || !strings.Contains(a.body, "30 minutes")) {
			t.Errorf("request %d: status %d, %v: %s", i+1, a.StatusCode, a.Header, a.body)
		}
	}
	s.reload()
	if a := ask("rated", "/v1/chat/completions"); a.StatusCode != http.StatusTooManyRequests {
		t.Errorf("after a reload: status %d: %s", a.StatusCode, a.body)
	}
	s.verify()

	waiting.Store(true)
	var all sync.WaitGroup
	var refused, served atomic.Int64
	file, err := os.ReadFile(s.caddyfile())
	if err != nil {
		t.Fatal(err)
	}
	s.write(strings.Replace(string(file), "daily_budget 0\n", "daily_budget 0.0005\n", 1))
	s.reload()
	for range 30 {
		all.Go(func() {
			a := s.ask(0, http.MethodPost, "/v1/chat/completions", body, "Authorization", "Bearer key-of-none")
			if a.StatusCode == http.StatusPaymentRequired {
				refused.Add(1)
			} else if a.StatusCode == http.StatusOK {
				served.Add(1)
			}
		})
	}
	eventually(t, "what the budget does not cover is refused", func() bool { return refused.Load() >= 20 })
	close(wait)
	all.Wait()
	if n := served.Load(); n+refused.Load() != 30 || n < 4 || n > 7 {
		t.Errorf("%d of 30 at once were served of a budget for 5 or so", n)
	}
}

// TestBudgetAmongSellers: a seller that a budget does not bear is none to go on to, and none for whose sake another one is not asked.
func TestBudgetAmongSellers(t *testing.T) {
	t.Parallel()
	dear := priced("m")
	for _, price := range []string{"inputPriceMicrosPer1m", "outputPriceMicrosPer1m", "cacheReadPriceMicrosPer1m", "cacheWritePriceMicrosPer1m"} {
		dear[price] = 1_000_000_000
	}
	var down, rests atomic.Bool
	var faults atomic.Int64
	s := newStage(t)
	s.seller("cheap", func(w http.ResponseWriter, r *http.Request, body []byte) {
		if rests.Load() {
			w.Header().Set("Retry-After", "40")
			sayJSON(429, `{}`)(w, r, body)
			return
		}
		if down.Load() || faults.Add(-1) >= 0 {
			sayJSON(500, `{}`)(w, r, body)
			return
		}
		settledBy(answerPlain, "Billed-Micros", "9")(w, r, body)
	}, priced("m"))
	rich := s.seller("dear", answerPlain, dear)
	s.open(`
		selection cheapest
		member ada {
			key key-of-ada
			daily_budget 0.005
		}
`)
	ask := func() *answered {
		return s.ask(0, http.MethodPost, "/v1/chat/completions", chatOf("m", `"max_tokens":30,`), "Authorization", "Bearer key-of-ada")
	}
	faults.Store(1)
	if a := ask(); a.StatusCode != http.StatusOK {
		t.Errorf("of a seller that fails once, the only one that the budget bears: status %d: %s", a.StatusCode, a.body)
	}
	down.Store(true)
	for i := range 8 { // its circuit opens
		if a := ask(); a.StatusCode < 500 || a.Header.Get("X-Should-Retry") == "false" && strings.Contains(a.body, "insufficient_quota") {
			t.Errorf("request %d to a seller that is down: status %d: %s", i, a.StatusCode, a.body)
		}
	}
	down.Store(false)
	if a := ask(); a.StatusCode != http.StatusOK {
		t.Errorf("of a seller that is well again: status %d: %s", a.StatusCode, a.body)
	}
	rests.Store(true)
	for i := range 2 { // the first hears it from the seller
		a := ask()
		if wait, _ := strconv.Atoi(a.Header.Get("Retry-After")); i == 1 && (a.StatusCode != 503 || wait < 20 || wait > 40) {
			t.Errorf("of a seller that rests: status %d, Retry-After %q: %s", a.StatusCode, a.Header.Get("Retry-After"), a.body)
		}
	}
	if n := len(rich.inferences()); n != 0 {
		t.Errorf("who is beyond the budget was asked %d times", n)
	}
}
