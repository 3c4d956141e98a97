package e2e

import (
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// TestGroupBudget has three members of a group ask sixty at a time for a budget that bears ten or so: none is over, over a reload
// and a kill in the middle of it.
func TestGroupBudget(t *testing.T) {
	t.Parallel()
	const most, budget = 100, 1_000 // of one request, and of the group
	body := chatOf("m", `"max_tokens":30,`)
	s := newStage(t)
	wait := make(chan struct{})
	var waiting atomic.Bool
	waiting.Store(true)
	s.seller("acme", func(w http.ResponseWriter, r *http.Request, body []byte) {
		if waiting.Load() {
			<-wait
		}
		settledBy(answerPlain, "Billed-Micros", "60")(w, r, body)
	}, priced("m"))
	s.open(`
		member ada {
			key key-of-ada
			daily_budget 0.0009
		}
		member bob {
			key key-of-bob
		}
		member cyd {
			key key-of-cyd
			weekly_budget 1
		}
		group build {
			members ada bob cyd
			daily_budget 0.001
			rate 100000 1m
		}
`)
	var served, refused atomic.Int64
	crowd := func() *sync.WaitGroup {
		var all sync.WaitGroup
		for i := range 60 {
			all.Go(func() {
				req, err := http.NewRequest(http.MethodPost, s.url("/v1/chat/completions"), strings.NewReader(body))
				if err != nil {
					t.Error(err)
					return
				}
				req.Header.Set("Authorization", "Bearer key-of-"+[]string{"ada", "bob", "cyd"}[i%3])
				req.Header.Set("Content-Type", "application/json")
				res, err := http.DefaultClient.Do(req)
				if err != nil {
					return // it was killed
				}
				_ = res.Body.Close()
				switch res.StatusCode {
				case http.StatusOK:
					served.Add(1)
				case http.StatusPaymentRequired:
					refused.Add(1)
				default:
					t.Errorf("status %d", res.StatusCode)
				}
			})
		}
		return &all
	}
	spent := func(when string, budget int64) {
		t.Helper()
		sum := int64(0)
		for _, e := range s.entries("inference") {
			sum += e.ExpenseMicros
		}
		if sum > budget {
			t.Errorf("%s: %d micros are spent of %d", when, sum, budget)
		}
	}
	first := crowd()
	eventually(t, "what the budget does not cover is refused", func() bool { return refused.Load() >= 40 })
	s.reload()
	second := crowd()
	eventually(t, "nothing is left after a reload", func() bool { return refused.Load() >= 100 })
	s.kill()
	waiting.Store(false)
	close(wait)
	first.Wait()
	second.Wait()
	if n := served.Load(); n != 0 {
		t.Errorf("%d were served while the seller waited", n)
	}
	s.start()
	spent("after the kill", budget)
	if crowd().Wait(); served.Load() > 2 { // what those may still cost that were killed stays held for a minute
		t.Errorf("%d were served of what the killed may have cost", served.Load())
	}
	file, err := os.ReadFile(s.caddyfile())
	if err != nil {
		t.Fatal(err)
	}
	s.write(strings.Replace(string(file), "daily_budget 0.001\n", "daily_budget 0.002\n", 1))
	s.reload()
	crowd().Wait()
	crowd().Wait()
	s.verify()
	spent("in the end", 2*budget)
	if n := served.Load(); n < budget/most {
		t.Errorf("%d were served of a budget for ten more", n)
	}
	for i := 0; ; i++ {
		a := s.ask(0, http.MethodPost, "/v1/chat/completions", body, "Authorization", "Bearer key-of-bob")
		if a.StatusCode == http.StatusPaymentRequired {
			break
		}
		if i == 2*budget/60 {
			t.Fatalf("bob is served past the group's budget: status %d: %s", a.StatusCode, a.body)
		}
	}
	spent("once it is refused again", 2*budget)
}

// TestBroughtMembers: whom member_from brings has what member_default says and the group that names it, which policies are told.
func TestBroughtMembers(t *testing.T) {
	t.Parallel()
	g := newGuestStage(t, 0)
	g.seller("other", answerPlain, priced("m2"))
	var mu sync.Mutex
	groups := make(map[string]string) // by member
	g.orders(func(c guestCall) order {
		mu.Lock()
		defer mu.Unlock()
		if c.Step == "order" {
			groups[c.Query.Member] = c.Query.Group
		}
		return order{}
	})
	g.open(g.policy() + `
		member_from {http.request.header.X-User}
		member_default {
			models m
			rate 2 1h
		}
		group build {
			members ada
			rate 3 1h
		}
		member bob {
			models m m2
		}
		group ops {
			members bob
		}
`)
	try := func(user, model string, want int) {
		t.Helper()
		if a := g.ask(0, http.MethodPost, "/v1/chat/completions", chatOf(model, ""), "X-User", user); a.StatusCode != want {
			t.Errorf("%s for %s: status %d, want %d: %s", user, model, a.StatusCode, want, a.body)
		}
	}
	try("ada", "m", 200)
	try("ada", "m2", 403)
	try("ada", "m", 429)
	try("bob", "m2", 200)
	try("eve", "m", 200)
	try("eve", "m", 200)
	try("eve", "m", 429)
	mu.Lock()
	defer mu.Unlock()
	for member, group := range map[string]string{"ada": "build", "bob": "ops", "eve": ""} {
		if got, asked := groups[member]; !asked || got != group {
			t.Errorf("%s is in %q, the policy saw %q, %t", member, group, got, asked)
		}
	}
}
