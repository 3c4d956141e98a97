package seller

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/tidwall/gjson"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	rails "github.com/tokenbuddy/caddy-tokenbuddy/payment"
	"github.com/tokenbuddy/caddy-tokenbuddy/payment/x402"
	"github.com/tokenbuddy/caddy-tokenbuddy/payment/x402/eip3009"
	"github.com/tokenbuddy/caddy-tokenbuddy/seller/acceptance"
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

// TestX402OneReading: a facilitator cashes what the seller has looked at. One that reads the first of two members, or does not mind their case,
// would cash another payment, which the buyer could then show for another purchase as well.
func TestX402OneReading(t *testing.T) {
	r := newRail(t)
	var seen []string
	facilitator := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		if err != nil {
			t.Error(err)
		}
		seen = append(seen, string(body)) // of one request after the other
		res, err := http.Post(r.url+req.URL.Path, "application/json", bytes.NewReader(body))
		if err != nil {
			t.Error(err)
			return
		}
		defer res.Body.Close()
		w.WriteHeader(res.StatusCode)
		_, _ = io.Copy(w, res.Body)
	}))
	t.Cleanup(facilitator.Close)
	s := newSeller(t, strings.Replace(r.lines(t.TempDir()+"/books.json"), "facilitator "+r.url, "facilitator "+facilitator.URL, 1))
	o, proof := r.offer(s, "p-1")
	_, other := r.offer(s, "p-2")
	var good, bad struct {
		Payload, Accepted json.RawMessage
	}
	if err := errors.Join(json.Unmarshal(proof, &good), json.Unmarshal(other, &bad)); err != nil {
		t.Fatal(err)
	}
	two := fmt.Sprintf(`{"x402Version":2,"payload":%s,"accepted":{"payTo":"0x0000000000000000000000000000000000000001",%s,"payload":%s,"Payload":%s,"Accepted":{}}`,
		bad.Payload, good.Accepted[1:], good.Payload, bad.Payload)
	if code, body := r.complete(s, "p-1", o, json.RawMessage(two)); code != http.StatusOK {
		t.Fatalf("%d %s", code, body)
	}
	if len(seen) != 2 {
		t.Fatalf("the facilitator was asked %d times", len(seen))
	}
	want := x402.Nonce("http://example.com", "p-1").String()
	for _, body := range seen {
		var call struct { // in which the case does not count, and the last member does
			PaymentPayload struct {
				Payload  struct{ Authorization struct{ Nonce string } }
				Accepted struct{ PayTo string }
			}
			PaymentRequirements struct{ PayTo string }
		}
		if err := json.Unmarshal([]byte(body), &call); err != nil {
			t.Fatal(err)
		}
		first := gjson.Get(body, "paymentPayload.payload.authorization.nonce").String()
		if got := call.PaymentPayload.Payload.Authorization.Nonce; got != want || first != want {
			t.Errorf("it may cash %s or %s, want %s", got, first, want)
		}
		for _, payTo := range []string{
			call.PaymentPayload.Accepted.PayTo, call.PaymentRequirements.PayTo, gjson.Get(body, "paymentPayload.accepted.payTo").String(),
			gjson.Get(body, "paymentRequirements.payTo").String(),
		} {
			if payTo != testPayTo {
				t.Errorf("it may pay %q, want %s", payTo, testPayTo)
			}
		}
	}
}

// TestX402Faults: what the seller answers when its facilitator fails, whether money has moved, and what the same proof gets
// the second time, when all is well again. What it does not know is never a 402, and money that has moved is never lost.
func TestX402Faults(t *testing.T) {
	for name, tc := range map[string]struct {
		verify, settle facilitator.Fault
		rpcDown        bool
		empty          bool
		first          int
		moved          int
		second         int
	}{
		"nothing":                       {first: 200, moved: 1, second: 200},
		"verify down":                   {verify: facilitator.Down, first: 503, second: 200},
		"verify html":                   {verify: facilitator.HTML, first: 503, second: 200},
		"verify cut":                    {verify: facilitator.Cut, first: 503, second: 200},
		"verify refuses":                {verify: facilitator.Refuse, first: 402, second: 200},
		"verify refuses, no chain":      {verify: facilitator.Refuse, rpcDown: true, first: 503, second: 200},
		"verify slow":                   {verify: facilitator.Hang, first: 503, second: 200},
		"settle refuses":                {settle: facilitator.Refuse, first: 402, second: 200},
		"settle down":                   {settle: facilitator.Down, first: 503, second: 200},
		"settle html":                   {settle: facilitator.HTML, first: 503, second: 200},
		"settle cut":                    {settle: facilitator.Cut, first: 503, second: 200},
		"settle pending":                {settle: facilitator.Pending, first: 503, second: 200},
		"settled, answer lost":          {settle: facilitator.Lose, first: 200, moved: 1, second: 200},
		"settled, slow":                 {settle: facilitator.Hang, first: 200, moved: 1, second: 200},
		"settled, said to be pending":   {settle: facilitator.Later, first: 200, moved: 1, second: 200},
		"settled, lost, and no chain":   {settle: facilitator.Lose, rpcDown: true, first: 503, moved: 1, second: 200},
		"settled, slow, and no chain":   {settle: facilitator.Hang, rpcDown: true, first: 503, moved: 1, second: 200},
		"empty wallet":                  {empty: true, first: 402, second: 402},
		"empty wallet, no chain to ask": {empty: true, rpcDown: true, first: 503, second: 402},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRail(t)
			s := newSeller(t, r.lines(t.TempDir()+"/books.json"))
			if tc.empty {
				r.buyer = emptyBuyer(t)
			}
			o, proof := r.offer(s, "p")
			r.verify.Store(uint32(tc.verify))
			r.settle.Store(uint32(tc.settle))
			r.rpcDown.Store(tc.rpcDown)
			status, body := r.complete(s, "p", o, proof)
			if status != tc.first || len(r.chain.Transfers()) != tc.moved {
				t.Errorf("%d %s, %d transfers; want %d and %d", status, body, len(r.chain.Transfers()), tc.first, tc.moved)
			}
			if strings.Contains(body, "refused_by_test") {
				t.Errorf("the facilitator's words are in the answer: %s", body)
			}
			r.verify.Store(0)
			r.settle.Store(0)
			r.rpcDown.Store(false)
			again, second := r.complete(s, "p", o, proof)
			if again != tc.second {
				t.Errorf("again: %d %s, want %d", again, second, tc.second)
			}
			if status == 200 && body != second {
				t.Errorf("another answer under the same key: %s", second)
			}
			if n := len(r.chain.Transfers()); n > 1 || again == 200 && n != 1 {
				t.Errorf("%d transfers", n)
			}
			if again == 200 && !strings.Contains(second, r.chain.Transfers()[0].Transaction.String()) {
				t.Errorf("the answer does not name the transaction: %s", second)
			}
			if n := len(s.books.Report().Tokens); n > 1 || (n == 1) != (again == 200) {
				t.Errorf("%d tokens", n)
			}
		})
	}
}

// TestX402AskedLater: a payment that was cashed while nobody could be asked is found after an outage of hours, too, on which the chain has
// gone on by more blocks than a node tells of at once.
func TestX402AskedLater(t *testing.T) {
	r := newRail(t)
	s := newSeller(t, r.lines(t.TempDir()+"/books.json"))
	o, proof := r.offer(s, "p")
	r.settle.Store(uint32(facilitator.Lose))
	r.rpcDown.Store(true)
	if status, body := r.complete(s, "p", o, proof); status != 503 {
		t.Fatalf("%d %s", status, body)
	}
	r.settle.Store(0)
	r.rpcDown.Store(false)
	r.chain.SetClock(func() time.Time { return time.Now().Add(30 * time.Hour) })
	if status, body := r.complete(s, "p", o, proof); status != 200 || !strings.Contains(body, r.chain.Transfers()[0].Transaction.String()) {
		t.Errorf("a day later: %d %s", status, body)
	}
}

func emptyBuyer(t *testing.T) *x402.Method {
	t.Helper()
	t.Setenv("SELLER_TEST_EMPTY", strings.Repeat("17", 32))
	m := &x402.Method{Config: x402.Config{Key: "{env.SELLER_TEST_EMPTY}", Networks: []x402.Network{{ID: testNetwork}}, DailyLimit: "20"}}
	ctx, cancel := caddy.NewContext(caddy.Context{Context: t.Context()})
	t.Cleanup(cancel)
	if err := m.Provision(ctx); err != nil {
		t.Fatal(err)
	}
	return m
}

// TestX402Proofs: what is refused before anybody is asked. No money moves for any of it.
func TestX402Proofs(t *testing.T) {
	r := newRail(t)
	s := newSeller(t, r.lines(t.TempDir()+"/books.json"))
	_, others := r.offer(s, "q")
	change := func(from, to string) func(wire.Order, json.RawMessage) json.RawMessage {
		return func(_ wire.Order, proof json.RawMessage) json.RawMessage {
			if !strings.Contains(string(proof), from) {
				t.Errorf("%s is not in the proof", from)
			}
			return json.RawMessage(strings.ReplaceAll(string(proof), from, to))
		}
	}
	for name, tc := range map[string]struct {
		change func(wire.Order, json.RawMessage) json.RawMessage
		status int
		words  string
	}{
		"nothing":                 {func(wire.Order, json.RawMessage) json.RawMessage { return json.RawMessage(`{}`) }, 402, "not an x402 payment"},
		"version 1":               {change(`"x402Version":2`, `"x402Version":1`), 402, "not an x402 payment"},
		"accepted a lower amount": {change(`"amount":"500000"`, `"amount":"5"`), 402, "not what the order asks for"},
		"accepted another case":   {change(`"payTo":"`+testPayTo, `"payTo":"`+strings.ToLower(testPayTo)), 402, "not what the order asks for"},
		"a lower value":           {change(`"value":"500000"`, `"value":"5"`), 402, "not what the order asks for"},
		"another payee":           {change(`"to":"`+testPayTo, `"to":"`+testWallet), 402, "not what the order asks for"},
		"another payer":           {change(testWallet, testPayTo), 402, "signature"},
		"not valid yet":           {change(`"validAfter":"0"`, `"validAfter":"99999999999"`), 402, "not valid yet"},
		"over": {func(_ wire.Order, p json.RawMessage) json.RawMessage {
			return withValidBefore(t, p, time.Now().Unix()+5)
		}, 402, "less than 6 seconds"},
		"another end": {func(_ wire.Order, p json.RawMessage) json.RawMessage {
			return withValidBefore(t, p, time.Now().Unix()+500)
		}, 402, "signature"},
		"of another purchase": {func(wire.Order, json.RawMessage) json.RawMessage { return others }, 409, "another purchase"},
		"of another seller":   {func(o wire.Order, _ json.RawMessage) json.RawMessage { return r.sign(o, "p", "https://example.com") }, 409, "another seller"},
		"v 0":                 {func(_ wire.Order, p json.RawMessage) json.RawMessage { return withV(t, p) }, 402, "signature"},
	} {
		o, proof := r.offer(s, "p")
		if status, body := r.complete(s, "p", o, tc.change(o, proof)); status != tc.status || !strings.Contains(body, tc.words) {
			t.Errorf("%s: %d %s; want %d %q", name, status, body, tc.status, tc.words)
		}
	}
	if n := len(r.chain.Transfers()); n != 0 {
		t.Errorf("%d transfers", n)
	}
	o, proof := r.offer(s, "p")
	if status, body := r.complete(s, "p", o, proof); status != 200 {
		t.Errorf("the right one: %d %s", status, body)
	}
}

func edit(t *testing.T, proof json.RawMessage, change func(signed *x402.Signed)) json.RawMessage {
	t.Helper()
	var p x402.Payload
	if err := json.Unmarshal(proof, &p); err != nil {
		t.Fatal(err)
	}
	change(&p.Payload)
	b, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func withValidBefore(t *testing.T, proof json.RawMessage, at int64) json.RawMessage {
	return edit(t, proof, func(s *x402.Signed) { s.Authorization.ValidBefore = eip3009.NewUint256(uint64(at)).String() })
}

func withV(t *testing.T, proof json.RawMessage) json.RawMessage {
	return edit(t, proof, func(s *x402.Signed) {
		s.Signature = s.Signature[:130] + map[string]string{"1b": "00", "1c": "01"}[s.Signature[130:]]
	})
}

// TestX402Contradiction: a facilitator that says that a payment was cashed, and something else as well, is not believed: the chain is.
func TestX402Contradiction(t *testing.T) {
	const transaction = `"transaction":"0x5c504ed432cb51138bcf09aa5e8a410dd4a1e204ef84bfed1be16dfba1b22060"`
	for name, says := range map[string]struct {
		status int
		body   string
	}{
		"an error":        {200, `{"success":true,"errorReason":"insufficient_funds",` + transaction + `}`},
		"a refusal":       {402, `{"success":true,` + transaction + `}`},
		"no transaction":  {200, `{"success":true,"transaction":""}`},
		"the zero one":    {200, `{"success":true,"transaction":"0x` + strings.Repeat("0", 64) + `"}`},
		"another network": {200, `{"success":true,"network":"eip155:1",` + transaction + `}`},
		"another payer":   {200, `{"success":true,"payer":"` + testPayTo + `",` + transaction + `}`},
		"no payer at all": {200, `{"success":true,"payer":"nobody",` + transaction + `}`},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRail(t)
			liar := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
				if strings.HasSuffix(req.URL.Path, "/verify") {
					fmt.Fprint(w, `{"isValid":true}`)
					return
				}
				w.WriteHeader(says.status)
				fmt.Fprint(w, says.body)
			}))
			defer liar.Close()
			file := t.TempDir() + "/books.json"
			s := newSeller(t, strings.Replace(r.lines(file), "facilitator "+r.url, "facilitator "+liar.URL, 1))
			o, proof := r.offer(s, "p")
			if status, body := r.complete(s, "p", o, proof); status != 503 || len(s.books.Report().Tokens) != 0 {
				t.Errorf("nothing was cashed: %d %s", status, body)
			}
			if err := s.Cleanup(); err != nil {
				t.Fatal(err)
			}
			s = newSeller(t, r.lines(file)) // with an honest one
			if status, body := r.complete(s, "p", o, proof); status != 200 || len(r.chain.Transfers()) != 1 {
				t.Errorf("cashed: %d %s", status, body)
			}
		})
	}
}

// TestX402AnotherNetwork: a payment that was begun before the seller was told to be paid on another network is not looked for there: that chain
// says for good that it was not cashed.
func TestX402AnotherNetwork(t *testing.T) {
	r := newRail(t)
	file := t.TempDir() + "/books.json"
	s := newSeller(t, r.lines(file))
	begun, proof := r.offer(s, "p")
	open, unshown := r.offer(s, "q")
	r.settle.Store(uint32(facilitator.Lose))
	r.rpcDown.Store(true)
	if status, body := r.complete(s, "p", begun, proof); status != 503 || len(r.chain.Transfers()) != 1 {
		t.Fatalf("%d %s", status, body)
	}
	if err := s.Cleanup(); err != nil {
		t.Fatal(err)
	}
	domain, err := x402.Domain("eip155:8453", nil)
	if err != nil {
		t.Fatal(err)
	}
	other := facilitator.NewChain("eip155:8453", domain)
	other.SetClock(func() time.Time { return time.Now().Add(time.Hour) })
	srv := httptest.NewServer(&facilitator.Handler{Chain: other})
	defer srv.Close()
	s = newSeller(t, strings.NewReplacer(testNetwork, "eip155:8453", r.url, srv.URL).Replace(r.lines(file)))
	if status, body := r.complete(s, "p", begun, proof); status != 503 {
		t.Errorf("begun on the other network: %d %s", status, body)
	}
	if status, body := r.complete(s, "q", open, unshown); status != 402 || !strings.Contains(body, "payment_refused") {
		t.Errorf("offered on the other network: %d %s", status, body)
	}
	if err := s.Cleanup(); err != nil {
		t.Fatal(err)
	}
	r.settle.Store(0)
	r.rpcDown.Store(false)
	s = newSeller(t, r.lines(file)) // as it was
	if status, body := r.complete(s, "p", begun, proof); status != 200 || len(r.chain.Transfers()) != 1 {
		t.Errorf("the config is as it was: %d %s", status, body)
	}
}

// TestX402Origins: however a seller's URL is written, a gateway that reads it in the registry binds its payment to the origin that the seller
// means; and so where there is no URL, however the gateway's request names the host.
func TestX402Origins(t *testing.T) {
	r := newRail(t)
	n := 0
	for _, tc := range []struct{ url, host, want string }{
		{"https://SELLER.example:443/", "seller.example", "https://seller.example"},
		{"https://seller.example:0443/shop/v1", "seller.example", "https://seller.example"},
		{"https://seller.example:", "seller.example", "https://seller.example"},
		{"https://bücher.example:8443", "xn--bcher-kva.example", "https://xn--bcher-kva.example:8443"},
		{"https://seller.example.", "seller.example.", "https://seller.example."},
		{"http://[2001:DB8:0::1]:8080", "[2001:db8::1]:8080", "http://[2001:db8::1]:8080"},
		{"", "[2001:DB8:0::1]:080", "http://[2001:db8::1]"},
		{"", "SELLER.example:80", "http://seller.example"},
	} {
		lines := r.lines(t.TempDir() + "/books.json")
		if tc.url != "" {
			lines += "\nurl " + tc.url
		}
		s := newSeller(t, lines)
		origin := tc.want
		if tc.url != "" {
			url := gjson.Get(ask(t, s, "GET", "/registry.json", "").Body.String(), "sellers.0.url").Str
			_, read, err := wire.ParseURL(url)
			if err != nil || read != tc.want {
				t.Errorf("%s: a gateway reads %s, as %s, %v", tc.url, url, read, err)
			}
		}
		n++
		purchase := fmt.Sprint("p", n)
		body, err := json.Marshal(wire.CreatePurchase{PurchaseID: purchase, ModelID: s.Models[0].ID, PaymentMethod: "x402", AmountMicros: 10_000})
		if err != nil {
			t.Fatal(err)
		}
		create := httptest.NewRequest("POST", wire.PurchaseCreatePath, bytes.NewReader(body))
		create.Host = tc.host
		w := httptest.NewRecorder()
		handler(t, s).ServeHTTP(w, create)
		var o wire.Order
		if err := wire.Decode(w.Body.Bytes(), &o); err != nil || w.Code != 200 {
			t.Fatalf("%s at %s: %d %s", tc.url, tc.host, w.Code, w.Body)
		}
		if status, body := r.complete(s, purchase, o, r.sign(o, purchase, origin)); status != 200 {
			t.Errorf("%s at %s: %d %s", tc.url, tc.host, status, body)
		}
		if err := s.Cleanup(); err != nil {
			t.Fatal(err)
		}
	}
	for _, url := range []string{"https://seller.example:0", "https://seller.example:65536", "https://a b.example", "https://[fe80::1%25eth0]"} {
		if _, err := provision(t, "s", "url \""+url+"\""); err == nil {
			t.Errorf("%s is taken, and a gateway leaves it out", url)
		}
	}
}

// TestX402AtOnce: one proof, many times at the same moment: one payment, one token.
func TestX402AtOnce(t *testing.T) {
	r := newRail(t)
	s := newSeller(t, r.lines(t.TempDir()+"/books.json"))
	o, proof := r.offer(s, "p")
	var wg sync.WaitGroup
	var mu sync.Mutex
	answers := make(map[string]int)
	for range 20 {
		wg.Go(func() {
			for {
				status, body := r.complete(s, "p", o, proof)
				if status == http.StatusServiceUnavailable {
					continue // as it says: try again
				}
				mu.Lock()
				answers[body]++
				mu.Unlock()
				return
			}
		})
	}
	wg.Wait()
	if len(answers) != 1 || len(r.chain.Transfers()) != 1 || len(s.books.Report().Tokens) != 1 {
		t.Errorf("%d answers, %d transfers, %d tokens", len(answers), len(r.chain.Transfers()), len(s.books.Report().Tokens))
	}
}

// TestX402Restart: the seller dies after the money has moved and before it has said so to anybody.
func TestX402Restart(t *testing.T) {
	r := newRail(t)
	lines := r.lines(t.TempDir() + "/books.json")
	s := newSeller(t, lines)
	o, proof := r.offer(s, "p")
	r.settle.Store(uint32(facilitator.Lose))
	r.rpcDown.Store(true)
	if status, body := r.complete(s, "p", o, proof); status != 503 {
		t.Fatalf("%d %s", status, body)
	}
	if err := s.Cleanup(); err != nil {
		t.Fatal(err)
	}
	s = newSeller(t, lines)
	if status, body := r.complete(s, "p", o, proof); status != 503 {
		t.Fatalf("no chain to ask: %d %s", status, body)
	}
	// Another payment for the same order is not taken as long as nobody knows of the first.
	other := edit(t, proof, func(s *x402.Signed) { s.Authorization.ValidAfter = "1" })
	if status, body := r.complete(s, "p", o, other); status != 409 {
		t.Errorf("another proof: %d %s", status, body)
	}
	r.rpcDown.Store(false)
	status, body := r.complete(s, "p", o, proof)
	if status != 200 || len(r.chain.Transfers()) != 1 || !strings.Contains(body, r.chain.Transfers()[0].Transaction.String()) {
		t.Errorf("%d %s, %d transfers", status, body, len(r.chain.Transfers()))
	}
}

// TestX402NonceUsedElsewhere: a payer cashes the nonce towards itself while the seller settles. That is no payment.
func TestX402NonceUsedElsewhere(t *testing.T) {
	r := newRail(t)
	s := newSeller(t, r.lines(t.TempDir()+"/books.json"))
	o, proof := r.offer(s, "p")
	r.settle.Store(uint32(facilitator.Down)) // begun, and nothing done
	if status, _ := r.complete(s, "p", o, proof); status != 503 {
		t.Fatal("not begun")
	}
	r.settle.Store(0)
	key, err := eip3009.ParseKey(testSecret)
	if err != nil {
		t.Fatal(err)
	}
	a, _, _, err := x402.ReadPayload(proof)
	if err != nil {
		t.Fatal(err)
	}
	a.To = key.Address()
	own := edit(t, proof, func(s *x402.Signed) {
		s.Authorization.To, s.Signature = a.To.String(), key.Sign(a.Digest(r.chain.Domain)).Text()
	})
	want := `{"scheme":"exact","network":"` + testNetwork + `","amount":"500000","payTo":"` + testWallet + `"}`
	resp, err := http.Post(r.url+"/settle", "application/json", strings.NewReader(`{"paymentPayload":`+string(own)+`,"paymentRequirements":`+want+`}`))
	if err != nil || len(r.chain.Transfers()) != 1 {
		t.Fatalf("%v, %d transfers", err, len(r.chain.Transfers()))
	}
	resp.Body.Close()
	if status, body := r.complete(s, "p", o, proof); status != 402 || !strings.Contains(body, "used for something else") {
		t.Errorf("%d %s", status, body)
	}
	if n := len(s.books.Report().Tokens); n != 0 {
		t.Error("credit was given away")
	}
}

// TestX402OnePaymentOneToken: a buyer has two orders made for one purchase, which its payment is bound to, and pays one of them. Nor does
// the payment count once more when the seller has forgotten the purchase.
func TestX402OnePaymentOneToken(t *testing.T) {
	r := newRail(t)
	s := newSeller(t, r.lines(t.TempDir()+"/books.json"))
	order := func(key string) (o wire.Order) {
		t.Helper()
		body, _ := json.Marshal(wire.CreatePurchase{PurchaseID: "p", ModelID: s.Models[0].ID, PaymentMethod: "x402", AmountMicros: 500_000})
		w := post(t, s, wire.PurchaseCreatePath, string(body), wire.HeaderIdempotencyKey, key)
		if err := wire.Decode(w.Body.Bytes(), &o); err != nil || w.Code != http.StatusOK {
			t.Fatalf("create: %d %s", w.Code, w.Body)
		}
		return o
	}
	complete := func(key string, o wire.Order, proof json.RawMessage) int {
		t.Helper()
		body, err := json.Marshal(wire.CompletePurchase{PurchaseID: "p", OrderID: o.OrderID, PaymentMethod: "x402", Proof: proof})
		if err != nil {
			t.Fatal(err)
		}
		return post(t, s, wire.PurchaseCompletePath, string(body), wire.HeaderIdempotencyKey, key).Code
	}
	first, second := order("a"), order("b")
	proof := r.sign(first, "p", "http://example.com")
	if status := complete("a", first, proof); status != http.StatusOK {
		t.Fatalf("the first order: %d", status)
	}
	if status := complete("b", second, proof); status != http.StatusConflict {
		t.Errorf("the second order, by the same payment: %d", status)
	}
	if moved, tokens := len(r.chain.Transfers()), len(s.books.Report().Tokens); moved != 1 || tokens != 1 {
		t.Errorf("%d transfers, %d tokens", moved, tokens)
	}
}

// TestX402TwoSellers: two sellers at one origin are to be paid at one address, and a buyer pays the order of one of them.
func TestX402TwoSellers(t *testing.T) {
	r := newRail(t)
	one := newSeller(t, r.lines(t.TempDir()+"/books.json"))
	two, err := provision(t, "another", "pace 0\n"+r.lines(t.TempDir()+"/books.json"))
	if err != nil {
		t.Fatal(err)
	}
	first, proof := r.offer(one, "p")
	second, _ := r.offer(two, "p")
	if status, body := r.complete(one, "p", first, proof); status != http.StatusOK {
		t.Fatalf("%d %s", status, body)
	}
	if status, body := r.complete(two, "p", second, proof); status != http.StatusConflict {
		t.Errorf("the same payment: %d %s", status, body)
	}
	if moved, tokens := len(r.chain.Transfers()), len(two.books.Report().Tokens); moved != 1 || tokens != 0 {
		t.Errorf("%d transfers, and %d tokens at the other", moved, tokens)
	}
	third, proof := r.offer(two, "q")
	if status, body := r.complete(two, "q", third, proof); status != http.StatusOK || len(r.chain.Transfers()) != 2 {
		t.Errorf("another purchase: %d %s", status, body)
	}
}

// TestX402LongAuthorization: what lives longer than a purchase is remembered could be shown again for a new one.
func TestX402LongAuthorization(t *testing.T) {
	r := newRail(t)
	s := newSeller(t, r.lines(t.TempDir()+"/books.json"))
	key, err := eip3009.ParseKey(testSecret)
	if err != nil {
		t.Fatal(err)
	}
	o, proof := r.offer(s, "p")
	a, _, _, err := x402.ReadPayload(proof)
	if err != nil {
		t.Fatal(err)
	}
	a.ValidBefore = eip3009.NewUint256(uint64(time.Now().Add(25 * time.Hour).Unix()))
	long := edit(t, proof, func(s *x402.Signed) {
		s.Authorization.ValidBefore, s.Signature = a.ValidBefore.String(), key.Sign(a.Digest(r.chain.Domain)).Text()
	})
	if status, body := r.complete(s, "p", o, long); status != http.StatusPaymentRequired || !strings.Contains(body, "too long") {
		t.Errorf("%d %s", status, body)
	}
	if n := len(r.chain.Transfers()); n != 0 {
		t.Errorf("%d transfers", n)
	}
	if status, body := r.complete(s, "p", o, proof); status != http.StatusOK {
		t.Errorf("as it was offered: %d %s", status, body)
	}
}

// TestX402WorthlessPayments: well-signed payments that nobody can cash close the seller to nobody, and what may have been cashed is kept.
func TestX402WorthlessPayments(t *testing.T) {
	r := newRail(t)
	s := newSeller(t, r.lines(t.TempDir()+"/books.json"))
	lost, lostProof := r.offer(s, "lost")
	r.settle.Store(uint32(facilitator.Lose))
	r.rpcDown.Store(true)
	if status, body := r.complete(s, "lost", lost, lostProof); status != 503 {
		t.Fatalf("the answer is lost: %d %s", status, body)
	}
	r.settle.Store(0)
	r.rpcDown.Store(false)
	buyer := r.buyer
	r.buyer = emptyBuyer(t)
	o, proof := r.offer(s, "worthless")
	if status, body := r.complete(s, "worthless", o, proof); status != 402 {
		t.Fatalf("an empty wallet: %d %s", status, body)
	}
	r.buyer = buyer
	s.books.mu.Lock()
	for _, o := range s.books.orders { // a quarter of an hour later
		o.ExpiresAt = time.Now().Add(-time.Second)
	}
	for i := 0; len(s.books.orders) < maxOrders; i++ {
		s.books.orders[digest{1, byte(i >> 8), byte(i)}] = &order{
			Hash: digest{1, byte(i >> 8), byte(i)}, ExpiresAt: time.Now().Add(time.Minute), KeepUntil: time.Now().Add(time.Hour),
		}
	}
	s.books.mu.Unlock()
	r.offer(s, "p") // there is room for it
	if status, body := r.complete(s, "lost", lost, lostProof); status != 200 || len(r.chain.Transfers()) != 1 {
		t.Errorf("what was cashed: %d %s, %d transfers", status, body, len(r.chain.Transfers()))
	}
	r.offer(s, "q") // in the place of p, which nobody has begun to pay
	if status, body := r.complete(s, "lost", lost, lostProof); status != 200 {
		t.Errorf("what was cashed has given way: %d %s", status, body)
	}
}

// till settles as it is told.
type till struct {
	anyProof
	says acceptance.Verdict
}

func (till) Accept(acceptance.Order, json.RawMessage) acceptance.Verdict {
	return acceptance.ToSettle()
}

func (c *till) Settle(context.Context, acceptance.Order, json.RawMessage) acceptance.Verdict {
	return c.says
}

// TestOverIsNoPayment: a payment that was not cashed and never will be keeps neither its order nor another one of its purchase from being paid.
func TestOverIsNoPayment(t *testing.T) {
	s := newSeller(t, "")
	c := new(till)
	s.accepted["till"] = c
	order := func(key string) (o wire.Order) {
		w := post(t, s, wire.PurchaseCreatePath, `{"purchaseId":"p","modelId":"toy-1","paymentMethod":"till","amountMicros":500000}`, wire.HeaderIdempotencyKey, key)
		if err := wire.Decode(w.Body.Bytes(), &o); err != nil {
			t.Fatalf("create: %d %s", w.Code, w.Body)
		}
		return o
	}
	one, two := order("a"), order("b")
	for _, tc := range []struct {
		order, proof string
		says         acceptance.Verdict
		want         int
	}{
		{one.OrderID, "1", acceptance.NotYet("slow"), 503},
		{one.OrderID, "2", acceptance.Paid("r"), 409},
		{two.OrderID, "2", acceptance.Paid("r"), 409},
		{one.OrderID, "1", acceptance.Refused("empty"), 402},
		{two.OrderID, "2", acceptance.Paid("r"), 409}, // it may be cashed yet
		{one.OrderID, "1", acceptance.Over("over"), 402},
		{two.OrderID, "2", acceptance.Over("over"), 402},
		{one.OrderID, "3", acceptance.Paid("r"), 200},
		{two.OrderID, "4", acceptance.Paid("r"), 409},
	} {
		c.says = tc.says
		body := `{"purchaseId":"p","orderId":"` + tc.order + `","paymentMethod":"till","proof":{"n":` + tc.proof + `}}`
		if w := post(t, s, wire.PurchaseCompletePath, body, wire.HeaderIdempotencyKey, tc.order); w.Code != tc.want {
			t.Errorf("%+v: %d %s", tc, w.Code, w.Body)
		}
	}
}

// TestLeastOrder: what costs more to cash than it brings is not sold, and fills no book.
func TestLeastOrder(t *testing.T) {
	r := newRail(t)
	s := newSeller(t, r.lines(t.TempDir()+"/books.json")+"\npayment mock")
	for _, row := range []struct {
		method string
		amount money.Micros
		status int
	}{{"x402", 9_999, 400}, {"x402", 1, 400}, {"x402", 10_000, 200}, {"mock", 1, 200}} {
		body, _ := json.Marshal(wire.CreatePurchase{PurchaseID: fmt.Sprint(row), ModelID: s.Models[0].ID, PaymentMethod: row.method, AmountMicros: row.amount})
		w := post(t, s, wire.PurchaseCreatePath, string(body))
		if w.Code != row.status || (w.Code == 400) != strings.Contains(w.Body.String(), `"code":"amount_refused"`) {
			t.Errorf("%v: %d %s", row, w.Code, w.Body)
		}
	}
	if n := len(s.books.orders); n != 2 {
		t.Errorf("the book has %d orders", n)
	}
}

// TestPurchaseOverAConfig: what was answered, and what was paid, stays so when the config sells less by then.
func TestPurchaseOverAConfig(t *testing.T) {
	r := newRail(t)
	dir := t.TempDir()
	create, _ := json.Marshal(wire.CreatePurchase{PurchaseID: "small", ModelID: "toy-1", PaymentMethod: "mock", AmountMicros: 1})
	old := newSeller(t, r.lines(dir+"/books.json")+"\npayment mock")
	ordered := post(t, old, wire.PurchaseCreatePath, string(create))
	o, proof := r.offer(old, "granted")
	status, granted := r.complete(old, "granted", o, proof)
	paid, proofOfPaid := r.offer(old, "paid")
	begun, proofOfBegun := r.offer(old, "begun")
	if ordered.Code != 200 || status != 200 {
		t.Fatalf("create: %d; complete: %d %s", ordered.Code, status, granted)
	}
	old.books.mu.Lock() // as a process leaves it that dies between the settlement and the grant
	old.books.orders[hash(paid.OrderID)].Settled = "0xcashed"
	old.books.note(change{Orders: []order{*old.books.orders[hash(paid.OrderID)]}})
	old.books.mu.Unlock()
	if err := old.Cleanup(); err != nil {
		t.Fatal(err)
	}

	t.Setenv("SELLER_TEST_RECEIPTS", "a key that nobody has")
	now, err := provision(t, old.ID, "state "+dir+"/books.json\nmodel another 1 2\npayment receipt {\nkey {env.SELLER_TEST_RECEIPTS}\n}")
	if err != nil {
		t.Fatal(err)
	}
	if w := post(t, now, wire.PurchaseCreatePath, string(create)); w.Code != 200 || w.Body.String() != ordered.Body.String() {
		t.Errorf("the order again: %d %s, want %s", w.Code, w.Body, ordered.Body)
	}
	if status, body := r.complete(now, "granted", o, proof); status != 200 || body != granted {
		t.Errorf("the grant again: %d %s, want %s", status, body, granted)
	}
	if status, body := r.complete(now, "paid", paid, proofOfPaid); status != 200 {
		t.Errorf("what was paid: %d %s", status, body)
	}
	if status, body := r.complete(now, "begun", begun, proofOfBegun); status != 400 || strings.Contains(body, "payment_refused") {
		t.Errorf("what was not: %d %s", status, body)
	}
	for _, other := range []string{"mock", "x402"} {
		body := strings.NewReplacer("small", "new", "mock", other).Replace(string(create))
		if w := post(t, now, wire.PurchaseCreatePath, body); w.Code != 400 {
			t.Errorf("a new order by %s: %d %s", other, w.Code, w.Body)
		}
	}
}
