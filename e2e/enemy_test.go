package e2e

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// enemy is a seller that serves one request of each token that it sells, and has the rest of it vanish in its way.
type enemy struct {
	*fakeSeller
	way  string
	mu   sync.Mutex
	used map[string]int // requests by token
}

// ways are how the rest of a token vanishes.
var ways = []string{"balance", "bill", "401", "402", "expiry", "a small grant"}

func newEnemy(s *stage, id, way string, models ...any) *enemy {
	e := &enemy{way: way, used: make(map[string]int)}
	e.fakeSeller = s.seller(id, e.infer, models...)
	e.grants = e.grant
	return e
}

func (e *enemy) grant(_ *http.Request, g *grant) {
	switch e.way {
	case "expiry":
		g.ExpiresAt = time.Now().Add(50 * time.Second).UTC().Format(time.RFC3339) // a minute before its end it is not used any more
	case "a small grant":
		g.CreditMicros = 10
	}
}

func (e *enemy) infer(w http.ResponseWriter, r *http.Request, body []byte) {
	e.mu.Lock()
	token := r.Header.Get("Authorization")
	e.used[token]++
	nth := e.used[token]
	e.mu.Unlock()
	if e.way == "balance" {
		w.Header().Set("X-TokenBuddy-Balance-Micros", "0")
	}
	switch {
	case e.way == "bill":
		w.Header().Set("X-TokenBuddy-Settlement-Id", fmt.Sprint("s", token, nth))
		w.Header().Set("X-TokenBuddy-Billed-Micros", strconv.Itoa(5_000_000))
	case nth > 1 && e.way != "expiry":
		status, err := strconv.Atoi(e.way)
		if err != nil {
			status = http.StatusPaymentRequired
		}
		w.WriteHeader(status)
		return
	}
	answerPlain(w, r, body)
}

// TestEnemyTakesTwoPurchases has the default seller of a market of four be an enemy, in each of six ways, for 1,000 requests: it is paid
// twice at the most, whatever it does, every request is served, and the others are bought from as before.
func TestEnemyTakesTwoPurchases(t *testing.T) {
	requests := 1_000
	if testing.Short() {
		requests = 60
	}
	for _, way := range ways {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			s := newStage(t)
			enemy := newEnemy(s, "enemy", way, priced("a"), priced("b"), priced("c"))
			honest := map[string]*fakeSeller{}
			for _, model := range []string{"a", "b", "c"} {
				honest[model] = s.seller("honest-"+model, settledBy(answerPlain, "Billed-Micros", "9"), priced(model))
			}
			s.open("\t\tdefault_seller enemy\n")
			var all sync.WaitGroup
			for client := range 4 {
				all.Go(func() {
					for i := client; i < requests; i += 4 {
						model := string(rune('a' + i%3))
						if a := s.infer("", model, ""); a.StatusCode != http.StatusOK {
							t.Errorf("request %d: status %d: %s", i, a.StatusCode, a.body)
							return
						}
					}
				})
			}
			all.Wait()
			served := 0
			for _, seller := range honest {
				served += len(seller.inferences())
				if n := seller.purchases(); n != 1 {
					t.Errorf("%s was bought from %d times", seller.id, n)
				}
			}
			t.Logf("%d purchases at the enemy, %d requests at the others", enemy.purchases(), served)
			if n := enemy.purchases(); n > 2 || n == 0 {
				t.Errorf("%d purchases at the enemy", n)
			}
			if served < requests-20 {
				t.Errorf("the others have served %d", served)
			}
			if _, status := s.look("/tokenbuddy/sellers"); way != "401" && !strings.Contains(string(status), `"noMoreMoney":true`) && !strings.Contains(string(status), `"setBackUntil"`) {
				t.Errorf("nobody is told: %s", status) // after some 401 it gets no requests for a while, and its second token has not ended
			}
			s.verify()
		})
	}
}

// TestOverbillingIsTold: the default seller that takes more than its price loses its place, and the log, the metrics, the status and the
// doctor say how much is in dispute.
func TestOverbillingIsTold(t *testing.T) {
	t.Parallel()
	for _, policy := range []string{"default_first", "cheapest", "fastest"} {
		t.Run(policy, func(t *testing.T) {
			t.Parallel()
			s := newStage(t)
			s.seller("greedy", settledBy(answerPlain, "Billed-Micros", "60000"), map[string]any{"id": "m", "inputPriceMicrosPer1m": 1, "outputPriceMicrosPer1m": 1})
			s.seller("honest", settledBy(answerPlain, "Billed-Micros", "9"), priced("m"), "unpriced")
			s.open("\t\tdefault_seller greedy\n\t\tselection " + policy + "\n")
			asked := func() string { return s.infer("", "m", "").Header.Get("X-TokenBuddy-Seller") }
			if first := asked(); first != "greedy" {
				if policy != "fastest" {
					t.Errorf("%s was asked first", first)
				}
				return
			}
			eventually(t, "it has lost its place", func() bool { return asked() == "honest" })
			for range 5 {
				if now := asked(); now != "honest" {
					t.Errorf("%s is asked again", now)
				}
			}
			if !s.log.has("ledger.disputed") {
				t.Error("it is not logged")
			}
			if _, metrics := s.look("/metrics"); !strings.Contains(string(metrics), `tokenbuddy_disputed_micros_total{seller="greedy"} `) {
				t.Error("it is not counted")
			}
			if _, status := s.look("/tokenbuddy/status"); !strings.Contains(string(status), `"losses":{"greedy":{"wasteMicros":0,"disputedMicros":`) {
				t.Errorf("the status does not say it: %s", status)
			}
			said, _ := s.command("tokenbuddy", "doctor", "--address", s.admin).Output()
			if !strings.Contains(string(said), "Seller greedy has taken 0.") || !strings.Contains(string(said), "no price of unpriced of honest") {
				t.Errorf("the doctor says %s", said)
			}
			s.verify()
		})
	}
}
