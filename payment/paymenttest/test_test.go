package paymenttest_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/payment"
	"github.com/tokenbuddy/caddy-tokenbuddy/payment/paymenttest"
)

// book is a rail: what was paid under which key, and what will never be.
type book struct {
	mu    sync.Mutex
	made  int
	paid  map[string]int
	shut  map[string]bool
	slow  map[string]int  // how often it says that it does not know yet
	human map[string]bool // who has said yes
	let   chan struct{}   // lets go what blocks
}

func newBook() *book {
	return &book{paid: make(map[string]int), shut: make(map[string]bool), slow: make(map[string]int), human: make(map[string]bool)}
}

func (b *book) quote() payment.Quote {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.made++
	return payment.Quote{
		PurchaseID: fmt.Sprintf("p_%d", b.made), SellerID: "acme", Origin: "https://acme.example", OrderID: "o_1",
		AmountMicros: 5 * money.USD, Payment: json.RawMessage(`{"to":"acme"}`),
	}
}

func (b *book) payments(q payment.Quote) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.paid[q.PurchaseID], nil
}

// honest is a method that keeps its promises, but for those that are named in sin.
type honest struct {
	*book
	cashed bool // money moves when the proof is cashed
	sin    string
	first  bool
}

func (m *honest) Check(q payment.Quote, _ money.Micros) error {
	var order struct{ To string }
	if m.sin == "panics in check" && len(q.Payment) == 0 {
		panic("no payment")
	}
	if m.sin == "changes the quote" && len(q.Payment) > 0 {
		q.Payment[0] = ' '
	}
	if json.Unmarshal(q.Payment, &order) != nil || order.To != q.SellerID && m.sin != "pays anybody" {
		return errors.New("it is for somebody else")
	}
	return nil
}

func (m *honest) Prepare(_ context.Context, q payment.Quote) (json.RawMessage, error) {
	switch m.sin {
	case "pays in prepare":
		m.move(q.PurchaseID)
	case "intent is not JSON":
		return json.RawMessage("key"), nil
	case "intent is too long":
		return json.RawMessage(`"` + strings.Repeat("x", 128<<10) + `"`), nil
	}
	return json.Marshal(q.PurchaseID)
}

func (m *honest) move(key string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.paid[key] == 0 && !m.shut[key] || m.sin == "pays twice" || m.sin == "pays though it said never" && m.paid[key] == 0 {
		m.paid[key]++
	}
}

func (m *honest) Pay(ctx context.Context, q payment.Quote, intent json.RawMessage) (payment.Outcome, error) {
	if _, ends := ctx.Deadline(); ends && m.sin == "heedless" {
		<-m.let
	}
	var key string
	if err := json.Unmarshal(intent, &key); err != nil {
		return payment.Outcome{}, err
	}
	if m.sin == "pays for each instance" {
		m.mu.Lock()
		if !m.first {
			m.first = true
			m.paid[key]++
		}
		m.mu.Unlock()
	}
	if !m.cashed {
		m.move(key)
	}
	m.mu.Lock()
	m.slow[key]++
	slow := m.slow[key] < 2
	m.mu.Unlock()
	if ctx.Err() != nil {
		return payment.Outcome{}, ctx.Err() // it has gone through all the same
	}
	if m.sin == "says unpaid too soon" && slow {
		return payment.Failed(true), nil
	}
	if slow {
		return payment.NeedsHuman("https://bank.example", "say yes"), nil
	}
	return m.Track(ctx, q, intent)
}

func (m *honest) Track(_ context.Context, q payment.Quote, intent json.RawMessage) (payment.Outcome, error) {
	var key string
	if err := json.Unmarshal(intent, &key); err != nil {
		return payment.Outcome{}, err
	}
	if m.sin == "track pays" {
		m.move(key)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.sin == "forgets" && m.paid[key] > 0:
		return payment.Failed(true), nil
	case m.sin == "proof is too long":
		return payment.Proven(json.RawMessage(`"` + strings.Repeat("x", 128<<10) + `"`)), nil
	case m.sin == "proof is not JSON":
		return payment.Proven(json.RawMessage("yes")), nil
	case m.cashed || m.paid[key] > 0:
		return payment.Proven(json.RawMessage(`{"key":"` + key + `"}`)).As("tx_" + key), nil
	case m.sin == "has proof of nothing":
		return payment.Proven(json.RawMessage(`{}`)), nil
	}
	m.shut[key] = true
	return payment.Failed(true), nil
}

// cashing is a method whose money moves when the proof is cashed.
type cashing struct{ honest }

func (m *cashing) cash(q payment.Quote, _ json.RawMessage) error {
	m.move(q.PurchaseID)
	return nil
}

func (m *cashing) Fate(_ context.Context, q payment.Quote, _ json.RawMessage) (payment.Outcome, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.sin == "fate is unpaid":
		return payment.Failed(true), nil
	case m.sin == "fate is a human":
		return payment.NeedsHuman("", "look"), nil
	case m.paid[q.PurchaseID] > 0:
		return payment.Proven(nil), nil
	case m.sin == "fate is paid":
		return payment.Proven(nil), nil
	}
	return payment.Pending(), nil
}

func (m *cashing) Patience(payment.Quote, json.RawMessage) time.Duration {
	if m.sin == "no patience" {
		return time.Hour
	}
	return time.Minute
}

func (m *cashing) MostPerDay() money.Micros {
	if m.sin == "has less than nothing" {
		return -1
	}
	return 20 * money.USD
}

func (m *cashing) Present(json.RawMessage) http.Header {
	if m.sin == "presents a settlement" {
		return http.Header{"X-Tokenbuddy-Billed-Micros": {"x"}}
	}
	if m.sin == "presents a trailer" {
		return http.Header{"trailer": {"x"}}
	}
	if m.sin == "presents a key" {
		return http.Header{"idempotency-key": {"x"}}
	}
	return http.Header{"Payment-Signature": {"x"}}
}

func (m *cashing) Receipt(_ payment.Quote, _ json.RawMessage, answer http.Header) string {
	switch m.sin {
	case "repeats the receipt":
		return answer.Get("Payment-Response")
	case "tells the proof":
		if h := answer.Get("Payment-Response"); json.Valid([]byte(h)) {
			return h
		}
	}
	return "r-1"
}

func TestMock(t *testing.T) {
	b := newBook()
	if err := paymenttest.TestMethod(paymenttest.Rail{
		New:   func() (payment.Method, error) { return new(payment.Mock), nil },
		Quote: b.quote,
	}); err != nil {
		t.Error(err)
	}
}

func rail(sin string, cashed bool) paymenttest.Rail {
	b := newBook()
	other := b.quote()
	other.Payment = json.RawMessage(`{"to":"another"}`)
	r := paymenttest.Rail{
		Quote: b.quote, Payments: b.payments, Bad: []payment.Quote{other}, Wait: time.Millisecond, Tries: 20,
		New: func() (payment.Method, error) { return &honest{book: b, sin: sin}, nil },
		Help: func(q payment.Quote, _ payment.Outcome) error {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.human[q.PurchaseID] = true
			return nil
		},
	}
	if cashed {
		r.New = func() (payment.Method, error) { return &cashing{honest{book: b, sin: sin, cashed: true}}, nil }
		r.Cash = (&cashing{honest{book: b, sin: sin}}).cash
	}
	return r
}

// A method that goes on when its context has ended is found, and waited for no longer.
func TestHeedless(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, b := rail("", false), newBook()
		b.let = make(chan struct{})
		r.New = func() (payment.Method, error) { return &honest{book: b, sin: "heedless"}, nil }
		err := paymenttest.TestMethod(r)
		if err == nil || !strings.Contains(err.Error(), "does not return when its context ends") {
			t.Errorf("found %v", err)
		}
		close(b.let)
	})
}

// Methods that keep their promises pass; each broken promise is found.
func TestPromises(t *testing.T) {
	for sin, found := range map[string]string{
		"":                       "",
		"panics in check":        "Check is pure",
		"changes the quote":      "changed its quote",
		"pays anybody":           "a bad quote passes",
		"pays in prepare":        "after Prepare the rail has 1",
		"intent is not JSON":     "an intent that is not JSON",
		"intent is too long":     "an intent of more than 128 KiB",
		"proof is too long":      "a proof of more than 128 KiB",
		"pays twice":             "after Pay number 2 the rail has 2",
		"pays for each instance": "at once the rail has",
		"says unpaid too soon":   "certainly not paid",
		"track pays":             "after Track the rail has 1",
		"forgets":                "is not paid",
		"proof is not JSON":      "a proof that is not JSON",
		"has proof of nothing":   "nothing was paid, and Track has a proof",

		"pays though it said never": "after Track said Failed(true) the rail has 1",
	} {
		t.Run(sin, func(t *testing.T) {
			err := paymenttest.TestMethod(rail(sin, false))
			if found == "" && err != nil || found != "" && (err == nil || !strings.Contains(err.Error(), found)) {
				t.Errorf("found %v, want %q", err, found)
			}
		})
	}
	for sin, found := range map[string]string{
		"":                "",
		"fate is unpaid":  "Fate said that nothing can move",
		"fate is paid":    "Fate says that it has moved",
		"fate is a human": "Fate wants a human",
		"no patience":     "Patience asks for 1h",
		"presents a key":  "Present sets idempotency-key",

		"has less than nothing": "MostPerDay is below zero",
		"presents a settlement": "Present sets X-Tokenbuddy-Billed-Micros",
		"presents a trailer":    "Present sets trailer",

		"repeats the receipt": "Receipt is longer than 256 bytes, or has what can't be printed",
		"tells the proof":     "Receipt has the proof in it",
		"pays in prepare":     "after Prepare the rail has 1",
	} {
		t.Run("cashed, "+sin, func(t *testing.T) {
			err := paymenttest.TestMethod(rail(sin, true))
			if found == "" && err != nil || found != "" && (err == nil || !strings.Contains(err.Error(), found)) {
				t.Errorf("found %v, want %q", err, found)
			}
		})
	}
}
