package market

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/zap"

	"github.com/tokenbuddy/caddy-tokenbuddy/fleet/fleettest"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/payment"
	"github.com/tokenbuddy/caddy-tokenbuddy/purchase"
)

// Of a limit that is set aside whole for when the store is away a gateway can buy for what it has set aside itself, whether the store is there or
// not.
func TestPurchaseOfWhatIsSetAside(t *testing.T) {
	seller := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := r.Header.Get("Idempotency-Key")
		if strings.HasSuffix(r.URL.Path, "/create") {
			_, _ = fmt.Fprintf(w, `{"orderId":%q,"amountMicros":5000000,"currency":"USD","payment":{}}`, id)
			return
		}
		_, _ = fmt.Fprintf(w, `{"accessToken":"tok-%s","expiresAt":"2099-01-01T00:00:00Z","creditMicros":5000000,"paymentReference":"ref"}`, id)
	}))
	defer seller.Close()
	for _, away := range []bool{false, true} {
		store := &storeOfRates{values: make(map[string][]byte)}
		cut := func(away bool) {
			store.mu.Lock()
			defer store.mu.Unlock()
			store.away = away
		}
		m, err := Open(Options{Dir: filepath.Join(t.TempDir(), "books"), Key: key, Log: zap.NewNop(), Fleet: &FleetOptions{
			Engine: NewEngine(fleettest.Engine{Store: store}, func() {}, nil), Name: "one", PurchaseAhead: 5 * money.USD,
		}})
		if err != nil {
			t.Fatal(err)
		}
		release := m.HoldTerms(Terms{Purchase: purchase.Terms{Amount: 5 * money.USD, DailyLimit: 5 * money.USD, SessionLimit: -1, SellerLimit: -1}})
		waitFor(t, func() bool { day, _ := m.journal().Spent(); return day == 5*money.USD })
		cut(away)
		buys := func(origin string) error {
			l, err := m.Desk.Lease(t.Context(), purchase.Want{
				SellerID: "acme", Origin: origin, BaseURL: seller.URL, Model: "m", Transport: http.DefaultTransport, Likely: 1,
				Methods: []purchase.NamedMethod{{Name: "mock", Method: payment.Mock{}}},
			})
			if err == nil {
				l.Return(0)
			}
			return err
		}
		if err := buys(seller.URL); err != nil {
			t.Errorf("the store is away: %t: %v", away, err)
		}
		if buys("https://elsewhere.example") == nil {
			t.Errorf("the store is away: %t: it buys beyond the limit", away)
		}
		cut(false)
		release()
		m.Release()
	}
}
