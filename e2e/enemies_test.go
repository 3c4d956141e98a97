package e2e

import (
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"
)

// onceAToken: the first request of each is served, and the others get what then says.
func onceAToken(first, then handler) handler {
	var mu sync.Mutex
	seen := make(map[string]bool)
	return func(w http.ResponseWriter, r *http.Request, body []byte) {
		mu.Lock()
		again := seen[r.Header.Get("Authorization")]
		seen[r.Header.Get("Authorization")] = true
		mu.Unlock()
		if again {
			then(w, r, body)
		} else {
			first(w, r, body)
		}
	}
}

// settled answers well, and says what was billed and what is left.
func settled(billed, balance int64) handler {
	return func(w http.ResponseWriter, r *http.Request, body []byte) {
		w.Header().Set("X-TokenBuddy-Settlement-Id", "s_"+r.Header.Get("X-Request-Id"))
		w.Header().Set("X-TokenBuddy-Billed-Micros", fmt.Sprint(billed))
		w.Header().Set("X-TokenBuddy-Balance-Micros", fmt.Sprint(balance))
		answerPlain(w, r, body)
	}
}

// TestEnemies has markets in which the first seller serves one request of each token and lets the rest vanish, each in its
// way, beside three that are honest. It gets two purchases, the others are bought from as if it were not there, and no client sees
// anything of it.
func TestEnemies(t *testing.T) {
	t.Parallel()
	poor, unknown := sayJSON(402, `{}`), sayJSON(401, `{}`)
	grant := obj{"accessToken": "", "expiresAt": "2099-01-01T00:00:00Z", "creditMicros": 5_000_000}
	ways := map[string]struct {
		answer handler
		grant  func() obj // other than usual
	}{
		"balance": {onceAToken(settled(9, 0), poor), nil},
		"bill":    {onceAToken(settled(5_000_000, 0), poor), nil},
		"401":     {onceAToken(answerPlain, unknown), nil},
		"402":     {onceAToken(answerPlain, poor), nil},
		"expiry":  {answerPlain, func() obj { return obj{"expiresAt": time.Now().Add(30 * time.Second).UTC().Format(time.RFC3339)} }},
		"small":   {onceAToken(answerPlain, poor), func() obj { return obj{"creditMicros": 10} }},
	}
	s := newStage(t)
	enemies := make(map[string]*desk)
	honest := make(map[string]*fakeSeller) // the first of each market
	for way, c := range ways {
		d := s.buying(way, nil, nil, priced(way))
		d.fakeSeller.answer = c.answer
		if c.grant != nil {
			var mu sync.Mutex
			n := 0
			d.finish = func(w http.ResponseWriter, ask map[string]any) {
				mu.Lock()
				n++
				token := d.sell(fmt.Sprintf("tok-%s-%d", way, n))
				mu.Unlock()
				more := c.grant()
				more["accessToken"] = token
				giving(grant, more)(w, ask)
			}
		}
		enemies[way] = d
		for i := range 3 {
			h := s.seller(fmt.Sprintf("honest%d.%s", i, way), answerPlain, priced(way))
			if i == 0 {
				honest[way] = h
			}
		}
	}
	s.open("")
	var all sync.WaitGroup
	for way := range ways {
		all.Go(func() {
			for i := range 60 {
				id := fmt.Sprintf("%s-%d", way, i)
				if a := s.infer(id, way, ""); a.StatusCode != http.StatusOK {
					t.Errorf("%s: status %d: %s", id, a.StatusCode, a.body)
					return
				}
			}
		})
	}
	all.Wait()
	for way, d := range enemies {
		bought := 0
		for _, step := range d.paths() {
			if step == "create" {
				bought++
			}
		}
		if bought < 1 || bought > 2 {
			t.Errorf("%s: %d purchases", way, bought)
		}
		if n := honest[way].purchases(); n != 1 {
			t.Errorf("%s: %d purchases at the honest one", way, n)
		}
	}
	if !s.log.has("purchase.seller.braked") {
		t.Error("nobody is told")
	}
	s.verify()
}
