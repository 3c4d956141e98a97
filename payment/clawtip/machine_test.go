package clawtip_test

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger/store"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/purchase"
	"github.com/tokenbuddy/caddy-tokenbuddy/wire"
)

// clerk is a seller that does with a credential what the vectors say.
type clerk struct {
	payment json.RawMessage
	expect  string
	proofs  map[string]int
}

func (c *clerk) RoundTrip(r *http.Request) (*http.Response, error) {
	answer := func(status int, body string) (*http.Response, error) {
		return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}, nil
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	if r.URL.Path == wire.PurchaseCreatePath {
		return answer(200, `{"orderId":"o_1","amountMicros":5000000,"currency":"USD","expiresAt":"`+
			time.Now().Add(15*time.Minute).UTC().Format(time.RFC3339)+`","payment":`+string(c.payment)+`}`)
	}
	var q wire.CompletePurchase
	if err := wire.Decode(body, &q); err != nil {
		return nil, err
	}
	c.proofs[string(q.Proof)]++
	switch {
	case c.expect == "grant", strings.HasPrefix(c.expect, "not yet") && c.proofs[string(q.Proof)] > 4:
		return answer(200, `{"accessToken":"tok","creditMicros":5000000,"expiresAt":"2100-01-01T00:00:00Z"}`)
	case strings.HasPrefix(c.expect, "not yet"):
		return answer(503, `{"error":{"code":"unavailable"}}`)
	}
	return answer(402, `{"error":{"code":"payment_refused"}}`)
}

// TestCredentialsAtTheMachine: what a purchase comes to with each credential of the vectors. A human pays meanwhile.
func TestCredentialsAtTheMachine(t *testing.T) {
	data, err := os.ReadFile("../../../shared/payments/clawtip-sm4.json")
	if os.IsNotExist(err) {
		t.Skip("the vectors are not beside this checkout")
	}
	var vectors struct {
		Credentials []struct{ Name, PayCredential, Expect string }
		Order       struct {
			EncryptedData string `json:"encrypted_data"`
		}
	}
	if err != nil || json.Unmarshal(data, &vectors) != nil || len(vectors.Credentials) != 9 {
		t.Fatalf("%d credentials, %v", len(vectors.Credentials), err)
	}
	for _, v := range vectors.Credentials {
		t.Run(v.Name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m, orders := method(t)
				seller := &clerk{
					payment: order(map[string]string{"encrypted_data": `"` + vectors.Order.EncryptedData + `"`}), expect: v.Expect, proofs: make(map[string]int),
				}
				books, err := ledger.Open(ledger.Options{InMemory: true, Key: store.KeyFromSecret("k")})
				if err != nil {
					t.Fatal(err)
				}
				defer books.Close()
				desk := purchase.NewDesk(books, purchase.DeskOptions{})
				defer desk.Close()
				desk.SetTerms(purchase.Terms{Amount: 5 * money.USD, RebuyBelow: 1, DailyLimit: 20 * money.USD, SessionLimit: -1, SellerLimit: -1, ExpiryMargin: time.Minute})
				desk.Start(t.Context())
				want := purchase.Want{
					SellerID: "acme", Origin: "https://acme.example", BaseURL: "https://acme.example", Model: "m", Transport: seller,
					Methods: []purchase.NamedMethod{{Name: "clawtip", Method: m}}, Likely: 1000, Bound: 1000,
				}
				if _, err := desk.Lease(t.Context(), want); err == nil {
					t.Fatal("a token, and nobody has paid")
				}
				open := desk.Purchases()
				if len(open) != 1 || open[0].State != string(ledger.NeedsHuman) {
					t.Fatalf("open: %+v", open)
				}
				answer(t, filepath.Join(orders, file), v.PayCredential)
				// The human has paid: the operator says go on, or it is found by and by.
				for len(books.OpenPurchases()) > 0 && time.Since(open[0].CreatedAt) < 72*time.Hour {
					time.Sleep(time.Minute)
				}
				accounts, err := books.Accounts()
				if err != nil {
					t.Fatal(err)
				}
				got := make(map[string]money.Micros)
				for _, a := range accounts {
					got[a.Account] = a.BalanceMicros
				}
				granted := v.Expect == "grant" || strings.HasPrefix(v.Expect, "not yet")
				if got["wallet:clawtip"] != -5*money.USD || (got["credit:acme"] == 5*money.USD) != granted || (got["disputed:acme"] == 5*money.USD) == granted {
					t.Errorf("booked as %v", got)
				}
				if len(seller.proofs) != 1 {
					t.Errorf("%d different proofs", len(seller.proofs))
				}
				if left, _ := filepath.Glob(filepath.Join(orders, "*", "*")); len(left) != 1 || !strings.HasSuffix(left[0], ".tokenbuddy") {
					t.Errorf("left: %v", left)
				}
			})
		})
	}
}
