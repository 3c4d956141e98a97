package e2e

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// till is a seller that knows what is left of its tokens: a request costs five cents, and one that a token can't pay gets 402.
type till struct {
	*fakeSeller
	mu   sync.Mutex
	left map[string]int64
}

// nickel is what a request costs: 50 tokens at 3 dollars a million, and 3,323 at 15.
const nickel = 50_000

func newTill(s *stage, id string, credit int64, models ...any) *till {
	l := &till{left: make(map[string]int64)}
	l.fakeSeller = s.seller(id, l.answer, models...)
	l.credit = credit
	return l
}

func (l *till) answer(w http.ResponseWriter, r *http.Request, body []byte) {
	token := r.Header.Get("Authorization")
	l.mu.Lock()
	if _, known := l.left[token]; !known {
		l.left[token] = l.credit
	}
	left := l.left[token]
	if left >= nickel {
		l.left[token] -= nickel
	}
	l.mu.Unlock()
	w.Header().Set("X-TokenBuddy-Balance-Micros", strconv.FormatInt(max(left-nickel, left%nickel), 10))
	if left < nickel {
		sayJSON(http.StatusPaymentRequired, `{"error":{"code":"insufficient_funds"}}`)(w, r, body)
		return
	}
	settledBy(sayJSON(200, completion(`{"prompt_tokens":50,"completion_tokens":3323}`)), "Billed-Micros", strconv.Itoa(nickel))(w, r, body)
}

// sonnet is a model at 3 dollars in and 15 out.
func sonnet(id string) map[string]any {
	return map[string]any{"id": id, "inputPriceMicrosPer1m": 3_000_000, "outputPriceMicrosPer1m": 15_000_000}
}

// team has clients make so many requests, with the limit that agents set, and gives how many were served; what was refused is handed
// to refused.
func (s *stage) team(clients, requests int, refused func(*answered)) (served int64) {
	var n, good atomic.Int64
	var all sync.WaitGroup
	for range clients {
		all.Go(func() {
			for i := n.Add(1); i <= int64(requests); i = n.Add(1) {
				a := s.infer(fmt.Sprint("team ", i), "m", `"max_tokens":64000,`)
				if a.StatusCode == http.StatusOK {
					good.Add(1)
				} else {
					refused(a)
				}
			}
		})
	}
	all.Wait()
	return good.Load()
}

// TestCreditIsNotStranded has 20 clients make 500 requests at five cents, each of which could cost 96: none is refused, and a quarter
// of what was bought is left at the most.
func TestCreditIsNotStranded(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	seller := newTill(s, "acme", 10_000_000, sonnet("m"))
	s.open("\t\tpurchase {\n\t\t\tamount 10\n\t\t\tdaily_limit 30\n\t\t}\n")
	served := s.team(20, 500, func(a *answered) { t.Errorf("status %d %v: %s", a.StatusCode, a.Header, a.body) })
	bought, spent := int64(seller.purchases())*10_000_000, served*nickel
	t.Logf("%d served, %d bought, %d spent: %d %% left", served, bought, spent, (bought-spent)*100/bought)
	if (bought-spent)*4 > bought {
		t.Errorf("%d of %d are left", bought-spent, bought)
	}
	s.verify()
}

// TestCreditIsSpentToItsEnd has a team run into the limit of a day: it is refused only when what is left can't pay for more, and is told
// why, until when, and not to ask before. The metrics count it apart.
func TestCreditIsSpentToItsEnd(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	seller := newTill(s, "acme", 5_000_000, sonnet("m"))
	s.open("\t\tpurchase {\n\t\t\tdaily_limit 10\n\t\t}\n")
	var mu sync.Mutex
	told := map[string]int{}
	served := s.team(20, 400, func(a *answered) {
		mu.Lock()
		defer mu.Unlock()
		if a.Header.Get("X-Should-Retry") != "false" || a.Header.Get("Retry-After") != "" || !strings.Contains(a.body, "today") {
			told[fmt.Sprint(a.StatusCode, a.Header["Retry-After"], a.body)]++
		}
	})
	bought, spent := int64(seller.purchases())*5_000_000, served*nickel
	t.Logf("%d served, %d bought, %d spent: %d %% left", served, bought, spent, (bought-spent)*100/bought)
	if bought != 10_000_000 || (bought-spent)*4 > bought {
		t.Errorf("%d of %d are left", bought-spent, bought)
	}
	for what, n := range told {
		t.Errorf("%d were told %s", n, what)
	}
	_, metrics := s.look("/metrics")
	if !strings.Contains(string(metrics), `tokenbuddy_requests_total{model="m",outcome="purchase_limit",protocol="chat_completions"`) ||
		!strings.Contains(string(metrics), `tokenbuddy_purchases_refused_total{lacks="daily_limit",seller="acme"}`) {
		t.Errorf("the metrics do not count it apart")
	}
	s.verify()
}
