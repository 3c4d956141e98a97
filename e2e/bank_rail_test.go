package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"time"

	caddycore "github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/payment"
)

func init() { caddycore.RegisterModule(new(bankMethod)) }

// bankMethod is the payment method of the bank test, in the process of the gateway: it asks the rail, which is in that of the
// test. As a client of a rail does, it asks again under the same key when a connection breaks.
type bankMethod struct {
	Rail string `json:"rail"` // URL
}

// railAsk is what the rail is asked, and railAnswer what it says.
type railAsk struct {
	Key     string       `json:"key"` // of the purchase
	Micros  money.Micros `json:"micros"`
	Invoice string       `json:"invoice,omitempty"`
}

type railAnswer struct {
	Invoice string `json:"invoice,omitempty"`
	Fate    string `json:"fate,omitempty"` // paid, pending, human, unpaid
}

func (*bankMethod) CaddyModule() caddycore.ModuleInfo {
	return caddycore.ModuleInfo{ID: "http.tokenbuddy.payment.bank", New: func() caddycore.Module { return new(bankMethod) }}
}

func (m *bankMethod) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	for d.NextBlock(d.Nesting()) {
		if d.Val() != "rail" || !d.AllArgs(&m.Rail) {
			return d.Errf("expected rail <url>")
		}
	}
	return nil
}

func (m *bankMethod) Check(q payment.Quote, ceiling money.Micros) error {
	if q.AmountMicros > ceiling {
		return errors.New("too much")
	}
	return nil
}

func (m *bankMethod) Prepare(ctx context.Context, q payment.Quote) (json.RawMessage, error) {
	a, err := m.ask(ctx, "/invoice", railAsk{Key: q.PurchaseID, Micros: q.AmountMicros})
	if err != nil {
		return nil, err
	}
	return json.Marshal(a.Invoice)
}

func (m *bankMethod) Pay(ctx context.Context, q payment.Quote, intent json.RawMessage) (payment.Outcome, error) {
	return m.outcome(ctx, "/pay", q, intent)
}

func (m *bankMethod) Track(ctx context.Context, q payment.Quote, intent json.RawMessage) (payment.Outcome, error) {
	return m.outcome(ctx, "/track", q, intent)
}

func (m *bankMethod) outcome(ctx context.Context, path string, q payment.Quote, intent json.RawMessage) (payment.Outcome, error) {
	ask := railAsk{Key: q.PurchaseID, Micros: q.AmountMicros}
	if err := json.Unmarshal(intent, &ask.Invoice); err != nil {
		return payment.Outcome{}, err
	}
	a, err := m.ask(ctx, path, ask)
	switch {
	case err != nil:
		return payment.Outcome{}, err
	case a.Fate == "paid":
		return payment.Proven(intent), nil
	case a.Fate == "human":
		return payment.NeedsHuman("https://bank.example", "say yes"), nil
	case a.Fate == "unpaid":
		return payment.Failed(true), nil
	}
	return payment.Pending(), nil
}

func (m *bankMethod) ask(ctx context.Context, path string, ask railAsk) (a railAnswer, err error) {
	body, err := json.Marshal(ask)
	if err != nil {
		return a, err
	}
	for range 3 {
		var req *http.Request
		if req, err = http.NewRequestWithContext(ctx, http.MethodPost, m.Rail+path, bytes.NewReader(body)); err != nil {
			return a, err
		}
		var res *http.Response
		if res, err = http.DefaultClient.Do(req); err != nil {
			continue
		}
		err = json.NewDecoder(res.Body).Decode(&a)
		_ = res.Body.Close()
		if err == nil {
			return a, nil
		}
	}
	return a, fmt.Errorf("asking the rail: %w", err)
}

// rail is what moves the money, and keeps its own books.
type rail struct {
	*httptest.Server
	bank *bank

	mu       sync.Mutex // protects all following fields
	payments map[string]*railPayment
}

// railPayment is what the rail knows of a payment.
type railPayment struct {
	number  int // among all payments
	invoice string
	micros  int64 // of one payment
	paid    int   // how often the money has moved: once, if at all
	off     bool  // it is known that it has not been paid, and it never will
	asked   int   // how often payment was asked for
	by      int64 // the process that has asked for it: another one may only ask what became of it
	tracked int
	fate    string
}

func newRail(b *bank) *rail {
	r := &rail{bank: b, payments: make(map[string]*railPayment)}
	r.Server = httptest.NewServer(r)
	b.t.Cleanup(func() {
		r.CloseClientConnections()
		r.Close()
	})
	return r
}

func (r *rail) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	var ask railAsk
	if err := json.NewDecoder(req.Body).Decode(&ask); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	switch req.URL.Path {
	case "/invoice":
		r.bank.nemesis.at(invoiceAsked)
		reply(w, railAnswer{Invoice: r.invoice(ask)})
	case "/pay":
		r.pay(w, req, ask)
	case "/track":
		r.bank.nemesis.at(trackReceived)
		reply(w, railAnswer{Fate: r.track(ask)})
	}
}

// invoice draws what will become of a payment.
func (r *rail) invoice(ask railAsk) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.payments[ask.Key]
	if p == nil {
		p = &railPayment{number: len(r.payments), micros: int64(ask.Micros)}
		p.invoice = fmt.Sprint("invoice ", p.number)
		p.fate = r.bank.random("payment", p.invoice).pick(r.bank.rates.payment)
		if r.bank.nemesis.armed() == trackReceived {
			p.fate = "pending"
		}
		r.payments[ask.Key] = p
	}
	return p.invoice
}

// pay is asked for once, or again after a broken connection.
func (r *rail) pay(w http.ResponseWriter, req *http.Request, ask railAsk) {
	r.bank.nemesis.at(payReceived)
	r.mu.Lock()
	p := r.payments[ask.Key]
	if p == nil || p.invoice != ask.Invoice {
		r.mu.Unlock()
		r.bank.wrong(violation, "the rail is asked to pay what was not prepared: %+v", ask)
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	if by := r.bank.process.Load(); p.asked == 0 {
		p.by = by
	} else if p.by != by {
		r.bank.wrong(violation, "purchase %s is paid by process %d, and was by process %d", ask.Key, by, p.by)
	}
	p.asked++
	first, fate := p.asked == 1, p.fate
	r.mu.Unlock()
	switch {
	case fate == "slow":
		await(req, 250*time.Millisecond)
	case fate == "unpaid", fate == "pending", fate == "human":
		if fate == "unpaid" {
			r.off(p)
		}
		reply(w, railAnswer{Fate: fate})
		return
	case fate == "lost before" && first:
		panic(http.ErrAbortHandler)
	}
	fate = r.move(p)
	r.bank.nemesis.at(moneyMoved)
	if p.fate == "lost after" && first {
		panic(http.ErrAbortHandler)
	}
	reply(w, railAnswer{Fate: fate})
	_ = http.NewResponseController(w).Flush()
	r.bank.nemesis.at(payAnswered)
}

// move moves the money: once, unless the rail takes no heed of the key.
func (r *rail) move(p *railPayment) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if p.off {
		return "unpaid"
	}
	if p.paid == 0 || !r.bank.idempotent {
		p.paid++
	}
	return "paid"
}

func (r *rail) off(p *railPayment) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p.off = p.paid == 0
}

// track tells what became of a payment. What was never asked for will never be paid, once this has been said.
func (r *rail) track(ask railAsk) string {
	r.mu.Lock()
	p := r.payments[ask.Key]
	p.tracked++
	waits := (p.fate == "pending" || p.fate == "human") && p.asked > 0
	fate, paid, tracked := p.fate, p.paid, p.tracked
	r.mu.Unlock()
	switch {
	case paid > 0:
		return "paid"
	case waits && tracked < 2:
		return fate
	case waits:
		return r.move(p)
	}
	r.off(p)
	return "unpaid"
}

// proved tells whether a purchase was paid by an invoice.
func (r *rail) proved(key, invoice string) (micros int64, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.payments[key]
	if p == nil || p.invoice != invoice || p.paid == 0 {
		return 0, false
	}
	return p.micros, true
}
