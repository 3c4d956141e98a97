package seller

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/seller/acceptance"
	"github.com/tokenbuddy/caddy-tokenbuddy/wire"
)

func TestReceipt(t *testing.T) {
	const key = "a key that nobody has"
	t.Setenv("SELLER_TEST_RECEIPTS", key)
	s := newSeller(t, "payment mock\npayment receipt {\nkey {env.SELLER_TEST_RECEIPTS}\nname desk\n}")
	body, _ := json.Marshal(wire.CreatePurchase{PurchaseID: "p", ModelID: s.Models[0].ID, PaymentMethod: "desk", AmountMicros: money.USD})
	var o wire.Order
	if err := wire.Decode(post(t, s, wire.PurchaseCreatePath, string(body)).Body.Bytes(), &o); err != nil {
		t.Fatal(err)
	}
	try := func(proof string) int {
		body := `{"purchaseId":"p","orderId":"` + o.OrderID + `","paymentMethod":"desk","proof":` + proof + `}`
		return post(t, s, wire.PurchaseCompletePath, body).Code
	}
	right := acceptance.Sum([]byte(key), o.OrderID, money.USD)
	for proof, want := range map[string]int{
		`{}`: 402, `{"receipt":""}`: 402, `{"receipt":5}`: 402, `{"receipt":"` + acceptance.Sum([]byte(key), o.OrderID, 2*money.USD) + `"}`: 402,
		`{"receipt":"` + acceptance.Sum([]byte(key), "o_1", money.USD) + `"}`: 402,
	} {
		if got := try(proof); got != want {
			t.Errorf("%s: %d, want %d", proof, got, want)
		}
	}
	if got := try(`{"receipt":"` + right + `"}`); got != 200 {
		t.Errorf("the right one: %d", got)
	}
	var doc struct {
		Sellers []struct{ PaymentMethods []string }
	}
	if err := json.Unmarshal(ask(t, s, http.MethodGet, "/registry.json", "").Body.Bytes(), &doc); err != nil || strings.Join(doc.Sellers[0].PaymentMethods, " ") != "mock desk" {
		t.Errorf("registry: %+v, %v", doc, err)
	}
}

// faulty is a way of being paid whose author has made mistakes.
type faulty struct {
	panics    *atomic.Bool
	settles   bool
	reference string
}

func (faulty) Offer(acceptance.Order) (json.RawMessage, error) { return json.RawMessage("{}"), nil }

func (f faulty) Accept(acceptance.Order, json.RawMessage) acceptance.Verdict {
	if f.settles {
		return acceptance.ToSettle()
	}
	return f.paid()
}

func (f faulty) paid() acceptance.Verdict {
	if f.panics.Load() {
		panic("a secret")
	}
	return acceptance.Paid(f.reference)
}

// faultySettler is one that has to cash.
type faultySettler struct{ faulty }

func (f faultySettler) Settle(context.Context, acceptance.Order, json.RawMessage) acceptance.Verdict {
	return f.paid()
}

// TestAcceptanceThatPanics: neither the seller nor the order it is about is held up for good, and a paid order is granted though nobody
// has a name for its payment.
func TestAcceptanceThatPanics(t *testing.T) {
	panics := new(atomic.Bool)
	for name, method := range map[string]acceptance.Acceptance{
		"accept": faulty{panics: panics}, "settle": faultySettler{faulty{panics: panics, settles: true}},
	} {
		s := newSeller(t, "payment any own insecurely")
		s.accepted["own"], s.AnyInsecurely = method, nil
		body, err := json.Marshal(wire.CreatePurchase{PurchaseID: name, ModelID: s.Models[0].ID, PaymentMethod: "own", AmountMicros: money.USD})
		if err != nil {
			t.Fatal(err)
		}
		var o wire.Order
		if err := wire.Decode(post(t, s, wire.PurchaseCreatePath, string(body)).Body.Bytes(), &o); err != nil {
			t.Fatal(err)
		}
		complete := `{"purchaseId":"` + name + `","orderId":"` + o.OrderID + `","paymentMethod":"own","proof":{}}`
		panics.Store(true)
		if w := post(t, s, wire.PurchaseCompletePath, complete); w.Code != http.StatusServiceUnavailable || strings.Contains(w.Body.String(), "secret") {
			t.Errorf("%s: it panics: %d %s", name, w.Code, w.Body)
		}
		panics.Store(false)
		var g wire.Grant
		w := post(t, s, wire.PurchaseCompletePath, complete)
		if err := wire.Decode(w.Body.Bytes(), &g); err != nil || w.Code != http.StatusOK || g.AccessToken == "" || g.PaymentReference == "" {
			t.Errorf("%s: it does not panic any more: %d %s", name, w.Code, w.Body)
		}
	}
}

func TestAcceptanceConfigRefused(t *testing.T) {
	r := newRail(t)
	good := r.lines(t.TempDir() + "/books.json")
	for _, tc := range []struct{ from, to, words string }{
		{"state ", "# ", "state is missing"},
		{"pay_to " + testPayTo, "", "pay_to"},
		{testPayTo, "0x0000000000000000000000000000000000000000", "pay_to"},
		{testPayTo, "acme.eth", "not an address"},
		{testNetwork, "base", "not a network"},
		{testNetwork, "eip155:31337", "the dollar token of eip155:31337 is not known"},
		{"facilitator " + r.url, "", "facilitator: expected"},
		{"rpc " + r.url + "/rpc", "", "rpc: expected"},
		{r.url + "/rpc", "ftp://hunter2.example", "rpc: expected"},
		{"facilitator " + r.url, "facilitator " + r.url + "?key=hunter2", "facilitator: expected a URL without a query"},
		{"timeout 1s", "timeout 1ms", "out of range"},
		{"timeout 1s", "gas 5", "unknown word"},
		{"timeout 1s", "timeout 1s\ntimeout 2s", "there twice"},
		{"payment x402 {", "payment mock x402 {", "a block belongs to one method"},
		{"payment x402 {", "payment mock\npayment card {", `payment "card"`},
	} {
		_, err := provision(t, "x", strings.Replace(good, tc.from, tc.to, 1))
		if err == nil || !strings.Contains(err.Error(), tc.words) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s -> %s: %v; want %q", tc.from, tc.to, err, tc.words)
		}
	}
	for lines, words := range map[string]string{
		"payment receipt {\n}": "key is missing",
		"payment receipt":      "key is missing",
		"payment receipt {\nkey hunter2hunter2hunter2\n}":     "expected a placeholder",
		"payment receipt {\nkey {env.SELLER_TEST_NOT_SET}\n}": "unknown, empty or shorter",
		"payment receipt {\nname Desk\n}":                     "is no name of a method",
		"payment x402":                                        "state is missing",
	} {
		if lines == "payment x402" {
			words = "pay_to"
		}
		if _, err := provision(t, "x", lines); err == nil || !strings.Contains(err.Error(), words) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v; want %q", lines, err, words)
		}
	}
}
