package e2e

import (
	"fmt"
	"net/http"
	"os"
	"testing"
)

// TestRebuyBelow has tokens fall under the threshold: they serve no more while others can be bought.
func TestRebuyBelow(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	spends := func(micros int) handler {
		return func(w http.ResponseWriter, r *http.Request, body []byte) {
			settledBy(answerPlain, "Settlement-Id", r.Header.Get("X-Request-Id"), "Billed-Micros", fmt.Sprint(micros))(w, r, body)
		}
	}
	above := s.seller("above", spends(2_000_000), "above") // 5, 3, 1 dollars left
	below := s.seller("below", spends(3_000_001), "below") // 5, then less than 2
	s.open("\t\tpurchase {\n\t\t\trebuy_below 2\n\t\t}\n")
	for i, want := range []struct{ above, below int }{{1, 1}, {1, 2}, {2, 3}} {
		for _, model := range []string{"above", "below"} {
			id := fmt.Sprint(model, i)
			s.infer(id, model, "")
			if e := s.entryOf(id); e.Status != "ok" {
				t.Errorf("%s: booked %+v", id, e)
			}
		}
		if above.purchases() != want.above || below.purchases() != want.below {
			t.Errorf("after %d requests: %d and %d purchases, want %v", i+1, above.purchases(), below.purchases(), want)
		}
	}
	s.verify()
}

// TestAmount has requests of different cost buy: the amount, or what the request is likely to cost where that is more, at most four
// times the amount.
func TestAmount(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	limits := map[string]string{"little": `"max_tokens":10,`, "more": `"max_tokens":10000,`, "most": `"max_tokens":4000,"n":40,`, "several": `"max_tokens":4000,"n":3,`, "unsaid": ""}
	desks := make(map[string]*desk)
	for name := range limits {
		desks[name] = s.buying(name, nil, nil, priced(name))
		desks[name].credit = 10_000
	}
	s.open("\t\tpurchase {\n\t\t\tamount 0.01\n\t\t\trebuy_below 0\n\t\t}\n")
	for name, members := range limits {
		s.infer(name, name, members)
		s.entryOf(name)
		desks[name].mu.Lock()
		asked, _ := desks[name].steps[0].body["amountMicros"].(float64)
		desks[name].mu.Unlock()
		prompt := float64(len(chatOf(name, members))) / 3
		want := map[string]float64{"little": 10_000, "more": 2*8192 + prompt, "most": 40_000, "several": 24_000 + prompt, "unsaid": 2*8192 + prompt}[name]
		if asked < want-2 || asked > want+2 {
			t.Errorf("%s: %v micros were asked for, want about %v", name, asked, want)
		}
	}
	s.verify()
}

// TestSpendingLimits lets each limit be reached: nothing more is bought, tokens that are there still serve, and so does a
// seller that needs no purchase. Both are kept where the process has had no gateway meanwhile; the daily limit over a restart, too, after which the
// session's begins anew.
func TestSpendingLimits(t *testing.T) {
	t.Parallel()
	for word, afterRestart := range map[string]int{"session_limit": 200, "daily_limit": 503} {
		t.Run(word, func(t *testing.T) {
			t.Parallel()
			s := newStage(t)
			first, second := s.seller("first", answerPlain, "a"), s.seller("second", answerPlain, "b", "both")
			s.lists = append([]listing{{ID: "third", URL: newSeller(t, "third", answerPlain).URL, Models: []any{"both", "c"}}}, s.lists...)
			s.open("\t\tpurchase {\n\t\t\t" + word + " 10\n\t\t}\n")
			for _, row := range []struct {
				model  string
				status int
			}{{"a", 200}, {"b", 200}, {"c", 503}, {"a", 200}, {"both", 200}, {"c", 503}} {
				a := s.infer("", row.model, "")
				if row.status != 200 {
					want := refusedNoSeller // until midnight, which is no time for a header, or until nobody knows when
					want.noRetry, want.later = true, false
					assertRefused(t, row.model, a, want, false)
				} else if a.StatusCode != 200 {
					t.Errorf("%s: status %d: %s", row.model, a.StatusCode, a.body)
				}
				if row.model == "both" && a.Header.Get("X-TokenBuddy-Seller") != "second" {
					t.Errorf("served by %s", a.Header.Get("X-TokenBuddy-Seller"))
				}
			}
			if !s.log.has("purchase.budget.exceeded") {
				t.Error("not logged")
			}
			gateway, err := os.ReadFile(s.caddyfile())
			if err != nil {
				t.Fatal(err)
			}
			for _, config := range []string{s.global(""), string(gateway)} {
				s.write(config)
				s.reload()
			}
			if a := s.infer("", "c", ""); a.StatusCode != 503 {
				t.Errorf("a purchase once the gateway is there again: status %d: %s", a.StatusCode, a.body)
			}
			s.stop()
			s.start()
			if a := s.infer("", "a", ""); a.StatusCode != 200 {
				t.Errorf("a token from before the restart: status %d: %s", a.StatusCode, a.body)
			}
			if a := s.infer("", "c", ""); a.StatusCode != afterRestart {
				t.Errorf("a purchase after the restart: status %d: %s", a.StatusCode, a.body)
			}
			if n := first.purchases() + second.purchases(); n != 2 {
				t.Errorf("%d purchases", n)
			}
			s.verify()
		})
	}
}

// TestPurchasesAreRare has sellers whose tokens serve nothing: two, and there is no more money for them.
func TestPurchasesAreRare(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	useless := s.seller("useless", sayJSON(401, `{}`), "useless")
	s.open("")
	for range 4 {
		if a := s.infer("", "useless", ""); a.StatusCode != 502 && a.StatusCode != 503 {
			t.Errorf("status %d: %s", a.StatusCode, a.body)
		}
	}
	if n := useless.purchases(); n != 2 {
		t.Errorf("%d purchases of tokens that serve nothing", n)
	}
	eventually(t, "what was on them is waste", func() bool { return s.balances()["waste:useless"] == 10_000_000 })
	s.verify()
}

// TestSpentLimit has a token come to its end under a limit that is spent: the seller is not asked for an order that nobody may pay, neither then nor
// after a restart, which begins the session's anew.
func TestSpentLimit(t *testing.T) {
	t.Parallel()
	for word, orders := range map[string]int{"daily_limit": 1, "seller_limit": 1, "session_limit": 2} {
		t.Run(word, func(t *testing.T) {
			t.Parallel()
			s := newStage(t)
			till := newTill(s, "till", nickel, "m")
			s.open("\t\tpurchase {\n\t\t\tamount 5\n\t\t\trebuy_below 0\n\t\t\t" + word + " 5\n\t\t}\n")
			if a := s.infer("", "m", ""); a.StatusCode != 200 {
				t.Fatalf("status %d: %s", a.StatusCode, a.body)
			}
			for range 2 {
				if a := s.infer("", "m", ""); a.StatusCode != 503 {
					t.Errorf("status %d: %s", a.StatusCode, a.body)
				}
			}
			if n := created(till.fakeSeller); n != 1 {
				t.Errorf("asked for %d orders", n)
			}
			s.stop()
			s.start()
			s.infer("", "m", "")
			if n := created(till.fakeSeller); n != orders {
				t.Errorf("asked for %d orders, the process started again; want %d", n, orders)
			}
			s.verify()
		})
	}
}
