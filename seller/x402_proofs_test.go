package seller

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"github.com/tokenbuddy/caddy-tokenbuddy/payment/x402"
	"github.com/tokenbuddy/caddy-tokenbuddy/payment/x402/eip3009"
	"github.com/tokenbuddy/caddy-tokenbuddy/seller/facilitator"
	"github.com/tokenbuddy/caddy-tokenbuddy/wire"
)

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
