package purchase

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/payment"
	"github.com/tokenbuddy/caddy-tokenbuddy/wire"
)

// rail moves money when a seller cashes a proof, until that is a minute old, and once for each purchase: as a chain does.
type rail struct {
	mu       sync.Mutex
	signed   map[string]time.Time // by purchase: until when it can be cashed
	cashed   map[string]int       // how often it was
	asked    int                  // how often a seller was shown a proof
	payments money.Micros
}

func (r *rail) cash(purchaseID string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if until, ok := r.signed[purchaseID]; !ok || r.cashed[purchaseID] > 0 || !time.Now().Before(until) {
		return false
	}
	r.cashed[purchaseID]++
	r.payments += 5 * money.USD
	return true
}

// wallet signs what the rail moves. Its intent says until when the signature is good.
type wallet struct{ *rail }

func (wallet) Check(payment.Quote, money.Micros) error { return nil }

func (wallet) Prepare(context.Context, payment.Quote) (json.RawMessage, error) {
	return json.Marshal(time.Now().Add(time.Minute))
}

func (w wallet) Pay(_ context.Context, q payment.Quote, intent json.RawMessage) (payment.Outcome, error) {
	var until time.Time
	if err := json.Unmarshal(intent, &until); err != nil {
		return payment.Outcome{}, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if !time.Now().Before(until) {
		return payment.Failed(true), nil
	}
	w.signed[q.PurchaseID] = until
	return payment.Proven(intent), nil
}

func (w wallet) Track(ctx context.Context, q payment.Quote, intent json.RawMessage) (payment.Outcome, error) {
	return w.Pay(ctx, q, intent)
}

func (w wallet) Fate(_ context.Context, q payment.Quote, intent json.RawMessage) (payment.Outcome, error) {
	var until time.Time
	if err := json.Unmarshal(intent, &until); err != nil {
		return payment.Outcome{}, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.cashed[q.PurchaseID] > 0:
		return payment.Proven(nil), nil
	case time.Now().Before(until):
		return payment.Pending(), nil
	}
	return payment.Failed(true), nil
}

// What a seller may do when it is shown a proof.
const (
	grants = iota
	refuses
	cashesAndRefuses
	losesTheAnswer // having cashed
	isDown
	isDownAndCashes
	saysNothing
	saysNonsense
	hangs
	hangsAndCashes
	faults
)

func (r *rail) seller(script []int) func(int, asked) *http.Response {
	return func(_ int, a asked) *http.Response {
		if !strings.HasSuffix(a.path, wire.PurchaseCompletePath) {
			return own()
		}
		r.mu.Lock()
		does := script[r.asked%len(script)]
		r.asked++
		r.mu.Unlock()
		switch does {
		case cashesAndRefuses, losesTheAnswer, isDownAndCashes, hangsAndCashes:
			r.cash(a.key)
		}
		switch does {
		case grants:
			r.cash(a.key)
			r.mu.Lock()
			defer r.mu.Unlock()
			if r.cashed[a.key] > 0 {
				return own()
			}
			return reply(402, `{"error":{"code":"payment_refused"}}`)
		case refuses, cashesAndRefuses:
			return reply(402, `{"error":{"code":"payment_refused"}}`)
		case isDown, isDownAndCashes:
			return reply(502, `{}`)
		case saysNonsense:
			return reply(200, "<html>")
		case saysNothing:
			return reply(402, `{}`)
		case hangs, hangsAndCashes:
			time.Sleep(stepTime)
		}
		return nil
	}
}

// Whatever sellers answer, and whenever the process starts again, the rail moves money once for a purchase at the most, and what
// the ledger calls paid in the end is what the rail has moved.
func TestWhatIsPaidHasMoved(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		script := rapid.SliceOfN(rapid.IntRange(0, faults-1), 1, 12).Draw(rt, "the seller")
		restarts := rapid.SliceOfN(rapid.IntRange(0, 90), 0, 4).Draw(rt, "seconds until it starts again")
		var wrong string
		synctest.Test(t, func(t *testing.T) { wrong = payAndLook(t, script, restarts) })
		if wrong != "" {
			rt.Fatal(wrong)
		}
	})
}

func payAndLook(t *testing.T, script, restarts []int) (wrong string) {
	l, err := ledger.Open(ledger.Options{InMemory: true, Key: make([]byte, 32)})
	if err != nil {
		return err.Error()
	}
	defer l.Close()
	r := &rail{signed: make(map[string]time.Time), cashed: make(map[string]int)}
	b := &bench{
		t: t, seller: newSeller(), method: wallet{r}, terms: testTerms, itself: true,
		lacks: make(map[Lack]int), faults: make(map[string]int),
	}
	b.seller.answer = r.seller(script)
	request := func() {
		if lease, err := b.desk.Lease(t.Context(), b.want(cent)); err == nil {
			lease.Return(0)
		}
	}
	b.open(l)
	request()
	for _, seconds := range restarts {
		time.Sleep(time.Duration(seconds) * time.Second)
		b.desk.Close()
		b.open(l)
		request()
	}
	// Ten minutes, as the ledger's own clocks tick on meanwhile: one that has cashed and does not grant is asked for longer.
	for end := time.Now().Add(10 * time.Minute); len(l.OpenPurchases()) > 0 && time.Now().Before(end); {
		time.Sleep(time.Minute)
	}
	b.desk.Close()
	if open := l.OpenPurchases(); len(open) > 0 && r.cashed[open[0].ID] == 0 {
		return fmt.Sprintf("a purchase is still %s", open[0].State)
	}
	for id, n := range r.cashed {
		if n > 1 {
			return fmt.Sprintf("purchase %s was paid %d times", id, n)
		}
	}
	accounts, err := l.Accounts()
	if err != nil {
		return err.Error()
	}
	for _, a := range accounts {
		if a.Account == "wallet:fake" && -a.BalanceMicros != r.payments {
			return fmt.Sprintf("the wallet has paid %s, and the rail has moved %s", -a.BalanceMicros, r.payments)
		}
	}
	return ""
}
