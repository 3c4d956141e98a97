package seller

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/caddyserver/caddy/v2"

	rails "github.com/tokenbuddy/caddy-tokenbuddy/payment"
	"github.com/tokenbuddy/caddy-tokenbuddy/payment/x402"
	"github.com/tokenbuddy/caddy-tokenbuddy/payment/x402/eip3009"
	"github.com/tokenbuddy/caddy-tokenbuddy/seller/facilitator"
	"github.com/tokenbuddy/caddy-tokenbuddy/wire"
)

const (
	testNetwork = "eip155:84532"
	testPayTo   = "0x8a8089de7E7235Cf008eF478c50FA17CCBcd4176"
	testSecret  = "703251b95225f7d8087f00410baf17ba372a717ee23149c5f74843c04eb389fd"
	testWallet  = "0x9209C238Ce58e00d5A5CB31Db3004dbC77C7Af37"
)

// rail is a facilitator whose faults can be set, with its chain.
type rail struct {
	t       *testing.T
	chain   *facilitator.Chain
	url     string
	verify  atomic.Uint32 // a facilitator.Fault
	settle  atomic.Uint32
	rpcDown atomic.Bool
	buyer   *x402.Method
}

func newRail(t *testing.T) *rail {
	t.Helper()
	domain, err := x402.Domain(testNetwork, nil)
	if err != nil {
		t.Fatal(err)
	}
	r := &rail{t: t, chain: facilitator.NewChain(testNetwork, domain)}
	r.chain.Mint(r.address(testWallet), 10_000_000)
	h := &facilitator.Handler{Chain: r.chain, Fault: func(step string) facilitator.Fault {
		if step == "verify" {
			return facilitator.Fault(r.verify.Load())
		}
		return facilitator.Fault(r.settle.Load())
	}}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if r.rpcDown.Load() && req.URL.Path == "/rpc" {
			http.Error(w, "down", http.StatusBadGateway)
			return
		}
		h.ServeHTTP(w, req)
	}))
	t.Cleanup(srv.Close)
	r.url = srv.URL
	t.Setenv("SELLER_TEST_WALLET", testSecret)
	r.buyer = &x402.Method{Config: x402.Config{Key: "{env.SELLER_TEST_WALLET}", Networks: []x402.Network{{ID: testNetwork}}, DailyLimit: "20"}}
	ctx, cancel := caddy.NewContext(caddy.Context{Context: t.Context()})
	t.Cleanup(cancel)
	if err := r.buyer.Provision(ctx); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *rail) address(s string) eip3009.Address {
	a, err := eip3009.ParseAddress(s)
	if err != nil {
		r.t.Fatal(err)
	}
	return a
}

func (r *rail) lines(state string) string {
	return "state " + state + "\npayment x402 {\npay_to " + testPayTo + "\nnetwork " + testNetwork + "\nfacilitator " + r.url + "\nrpc " + r.url +
		"/rpc\ntimeout 1s\n}"
}

// offer takes the first step, and signs what is offered.
func (r *rail) offer(s *Seller, purchase string) (o wire.Order, proof json.RawMessage) {
	r.t.Helper()
	body, _ := json.Marshal(wire.CreatePurchase{PurchaseID: purchase, ModelID: s.Models[0].ID, PaymentMethod: "x402", AmountMicros: 500_000})
	w := post(r.t, s, wire.PurchaseCreatePath, string(body), wire.HeaderIdempotencyKey, purchase)
	if err := wire.Decode(w.Body.Bytes(), &o); err != nil || w.Code != http.StatusOK {
		r.t.Fatalf("create: %d %s", w.Code, w.Body)
	}
	return o, r.sign(o, purchase, "http://example.com")
}

func (r *rail) sign(o wire.Order, purchase, origin string) json.RawMessage {
	r.t.Helper()
	q := rails.Quote{PurchaseID: purchase, SellerID: "s", Origin: origin, OrderID: o.OrderID, AmountMicros: o.AmountMicros, Payment: o.Payment}
	intent, err := r.buyer.Prepare(r.t.Context(), q)
	if err != nil {
		r.t.Fatal(err)
	}
	out, err := r.buyer.Pay(r.t.Context(), q, intent)
	if err != nil || out.Kind != rails.OutcomeProven {
		r.t.Fatalf("%+v, %v", out, err)
	}
	return out.Proof
}

// complete takes the second step.
func (r *rail) complete(s *Seller, purchase string, o wire.Order, proof json.RawMessage) (int, string) {
	body, err := json.Marshal(wire.CompletePurchase{PurchaseID: purchase, OrderID: o.OrderID, PaymentMethod: "x402", Proof: proof})
	if err != nil {
		r.t.Error(err)
	}
	w := post(r.t, s, wire.PurchaseCompletePath, string(body), wire.HeaderIdempotencyKey, purchase)
	if w.Code == http.StatusServiceUnavailable && w.Header().Get("Retry-After") == "" {
		r.t.Error("a 503 without Retry-After")
	}
	return w.Code, w.Body.String()
}
