package purchase

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptrace"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/payment"
	"github.com/tokenbuddy/caddy-tokenbuddy/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const secretText = "SECRET-OF-THE-SELLER"

var needsHuman = payment.NeedsHuman("https://pay.example", "scan")

// asked is one call that a seller got.
type asked struct {
	path, key string
	body      map[string]any
}

// fakeSeller answers the purchase protocol. answer may stand in for its own answers; nil from it: the connection is lost.
type fakeSeller struct {
	delay    time.Duration
	validFor time.Duration
	credit   money.Micros                        // zero: 5 dollars
	exact    bool                                // the credit is what was asked for
	fail     error                               // what every call ends with
	answer   func(n int, a asked) *http.Response // n counts the calls of that path, from 1
	heard    func(*http.Request)

	mu     sync.Mutex
	calls  []asked
	tokens int
}

func newSeller() *fakeSeller { return &fakeSeller{validFor: time.Hour} }

func reply(status int, body string) *http.Response {
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}
}

func (s *fakeSeller) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Header.Get("Content-Type") != "application/json" || r.Header.Get("Accept-Encoding") != "identity" || r.Method != http.MethodPost {
		panic("a call that is not of the protocol")
	}
	if s.heard != nil {
		s.heard(r)
	}
	a := asked{path: r.URL.Path, key: r.Header.Get(wire.HeaderIdempotencyKey)}
	if err := json.NewDecoder(r.Body).Decode(&a.body); err != nil {
		panic(err)
	}
	s.mu.Lock()
	s.calls = append(s.calls, a)
	n := len(s.pathCalls(a.path))
	s.mu.Unlock()
	if s.delay > 0 {
		select {
		case <-time.After(s.delay):
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
	}
	if s.fail != nil {
		return nil, s.fail
	}
	if trace := httptrace.ContextClientTrace(r.Context()); trace != nil {
		trace.GotConn(httptrace.GotConnInfo{})
	}
	if s.answer != nil {
		switch out := s.answer(n, a); {
		case out == nil:
			return nil, errors.New("read: " + secretText)
		case out.StatusCode != 0:
			return out, nil
		}
	}
	return s.grant(a), nil
}

// own is what answer gives to let the seller answer as it does.
func own() *http.Response { return new(http.Response) }

func (s *fakeSeller) grant(a asked) *http.Response {
	if strings.HasSuffix(a.path, wire.PurchaseCreatePath) {
		return reply(200, fmt.Sprintf(`{"order_id":"o_1","amountMicros":%d,"currency":"USD","payment":{},"expiresAt":%q}`,
			int64(a.body["amountMicros"].(float64)), time.Now().Add(time.Minute).UTC().Format(time.RFC3339)))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tokens++
	credit := s.credit
	if credit == 0 {
		credit = 5 * money.USD
	}
	for _, c := range s.calls {
		if s.exact && c.key == a.key && strings.HasSuffix(c.path, wire.PurchaseCreatePath) {
			credit = money.Micros(c.body["amountMicros"].(float64))
		}
	}
	expires := time.Now().Add(s.validFor).UTC().Format(time.RFC3339)
	if s.validFor == 0 {
		expires = "some day"
	}
	return reply(200, fmt.Sprintf(`{"accessToken":"tok_%s_%d","expiresAt":%q,"creditMicros":%d,"paymentReference":"r"}`,
		secretText, s.tokens, expires, credit))
}

func (s *fakeSeller) pathCalls(path string) []asked {
	var of []asked
	for _, a := range s.calls {
		if strings.HasSuffix(a.path, path) {
			of = append(of, a)
		}
	}
	return of
}

// count gives how often the seller was asked to create and to complete.
func (s *fakeSeller) count() (create, complete int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.pathCalls(wire.PurchaseCreatePath)), len(s.pathCalls(wire.PurchaseCompletePath))
}

func (s *fakeSeller) wantCalls(t *testing.T, create, complete int) {
	t.Helper()
	if a, b := s.count(); a != create || b != complete {
		t.Errorf("the seller was asked to create %d times and to complete %d times, want %d and %d", a, b, create, complete)
	}
}

// fakeJournal is a journal in memory.
type fakeJournal struct {
	mu         sync.Mutex
	steps      []ledger.Purchase
	open       []ledger.Purchase
	tokens     map[string]ledger.Token
	dropped    map[string]string // id: reason
	spent      money.Micros
	fail       ledger.PurchaseState // the state that can't be written
	over       ledger.PurchaseState // the state that would pass a limit
	overSeller bool                 // the seller's limit is passed
	overMethod string               // this method's own limit is passed
	hideAll    bool                 // Spent says nothing is spent
	stuck      bool                 // no token can be dropped
}

func newJournal() *fakeJournal {
	return &fakeJournal{tokens: make(map[string]ledger.Token), dropped: make(map[string]string)}
}

func (j *fakeJournal) Advance(ctx context.Context, p ledger.Purchase, limits ledger.Limits) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	if p.State == j.fail {
		return errors.New("disk full")
	}
	if p.State == j.over {
		return &ledger.LimitError{Limit: ledger.SessionLimit}
	}
	switch p.State {
	case ledger.Prepared:
		if j.overSeller {
			return &ledger.LimitError{Limit: ledger.SellerLimit, LimitMicros: limits.Seller, AmountMicros: p.AmountMicros, Resets: tomorrow()}
		}
		if p.Method == j.overMethod {
			return &ledger.LimitError{Limit: ledger.MethodLimit, LimitMicros: 4 * money.USD, AmountMicros: p.AmountMicros, Resets: tomorrow()}
		}
		if limits.Daily >= 0 && j.spent+p.AmountMicros > limits.Daily {
			return &ledger.LimitError{
				Limit: ledger.DailyLimit, LimitMicros: limits.Daily, SpentMicros: j.spent, AmountMicros: p.AmountMicros, Resets: tomorrow(),
			}
		}
		j.spent += p.AmountMicros
	case ledger.Granted:
		t := *p.Token
		t.PaidMicros = p.AmountMicros
		j.tokens[t.ID] = t
	}
	j.steps = append(j.steps, p)
	return nil
}

func tomorrow() time.Time { return time.Now().UTC().Truncate(24 * time.Hour).Add(24 * time.Hour) }

func (j *fakeJournal) Ready() error { return nil }

func (j *fakeJournal) OpenPurchases() []ledger.Purchase { return j.open }

func (j *fakeJournal) Tokens() []ledger.Token {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Collect(maps.Values(j.tokens))
}

func (j *fakeJournal) DropToken(_ context.Context, id, reason string) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.stuck {
		return errors.New("disk full")
	}
	if _, ok := j.tokens[id]; !ok {
		return ledger.ErrUnknownToken
	}
	delete(j.tokens, id)
	j.dropped[id] = reason
	return nil
}

func (j *fakeJournal) Spent() (day, session money.Micros) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.hideAll {
		return 0, 0
	}
	return j.spent, j.spent
}

func (j *fakeJournal) states() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	var s []string
	for _, p := range j.steps {
		s = append(s, string(p.State))
	}
	return strings.Join(s, " ")
}

func (j *fakeJournal) lastStep() ledger.Purchase {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.steps[len(j.steps)-1]
}

func (j *fakeJournal) reasons() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Sorted(maps.Values(j.dropped))
}

// fakeMethod is a payment method that tells how often it was asked, and pays as it is told.
type fakeMethod struct {
	pay, track func(n int) (payment.Outcome, error)
	check      error
	intent     string
	prepare    error

	mu           sync.Mutex
	paid, traced int
	quotes       []payment.Quote
}

func (m *fakeMethod) Check(q payment.Quote, ceiling money.Micros) error {
	if q.AmountMicros > ceiling {
		return errors.New("too much")
	}
	return m.check
}

func (m *fakeMethod) Prepare(context.Context, payment.Quote) (json.RawMessage, error) {
	if m.intent != "" || m.prepare != nil {
		return json.RawMessage(m.intent), m.prepare
	}
	return json.RawMessage(`{"nonce":1}`), nil
}

func (m *fakeMethod) Pay(_ context.Context, q payment.Quote, intent json.RawMessage) (payment.Outcome, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.paid++
	return m.now(q, intent, m.pay, m.paid)
}

func (m *fakeMethod) Track(_ context.Context, q payment.Quote, intent json.RawMessage) (payment.Outcome, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.traced++
	return m.now(q, intent, m.track, m.traced)
}

func (m *fakeMethod) tracked() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.traced
}

func (m *fakeMethod) now(q payment.Quote, intent json.RawMessage, f func(int) (payment.Outcome, error), n int) (payment.Outcome, error) {
	m.quotes = append(m.quotes, q)
	if !bytes.Equal(intent, []byte(`{"nonce":1}`)) {
		panic("an intent that was not prepared")
	}
	if f == nil {
		return payment.Proven(json.RawMessage(`{"hash":"h"}`)), nil
	}
	return f(n)
}

// bench is a desk with one seller.
type bench struct {
	t       *testing.T
	seller  *fakeSeller
	journal *fakeJournal
	method  payment.Method
	terms   Terms

	methodName string // empty: fake

	past   Past
	itself bool // the desk knows how to reach the seller of a purchase that was left open
	desk   *Desk
	logs   *observer.ObservedLogs

	mu       sync.Mutex
	outcomes []string
	doubted  []string // what is told of purchases in doubt
	lacks    map[Lack]int
	faults   map[string]int // by method and step
	braked   money.Micros
	lost     money.Micros // paid and not granted
	wasted   money.Micros
}

var testTerms = Terms{
	Amount: 5 * money.USD, RebuyBelow: money.USD / 10, DailyLimit: 1000 * money.USD, SessionLimit: -1, SellerLimit: -1, ExpiryMargin: time.Minute,
}

// trade runs f in a bubble, with a desk that has bought nothing yet. set may change what it is made of.
func trade(t *testing.T, set func(*bench), f func(*testing.T, *bench)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := &bench{t: t, seller: newSeller(), journal: newJournal(), method: payment.Mock{}, terms: testTerms, lacks: make(map[Lack]int), faults: make(map[string]int)}
		if set != nil {
			set(b)
		}
		b.open(b.journal)
		f(t, b)
		b.desk.Close()
		for _, e := range b.logs.All() {
			if line := fmt.Sprint(e.Message, e.ContextMap()); strings.Contains(line, secretText) {
				t.Errorf("a secret in the log: %s", line)
			}
		}
	})
}

func (b *bench) open(j Journal) {
	core, logs := observer.New(zap.DebugLevel)
	b.logs = logs
	b.desk = NewDesk(j, DeskOptions{Logger: zap.New(core), Past: b.past, Resolve: func(ledger.Purchase) (Want, bool) {
		return b.want(0), b.itself
	}, Observer: Observer{
		Purchase: func(_, outcome string, _ money.Micros) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.outcomes = append(b.outcomes, outcome)
		},
		Doubted: func(p ledger.Purchase, why error, hint string) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.doubted = append(b.doubted, fmt.Sprint(p.ID, ": ", why, "; ", hint))
		},
		PaidNotGranted: func(_ string, paid money.Micros) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.lost += paid
		},
		Refused: func(_ string, lack Lack) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.lacks[lack]++
		},
		Guest: func(method, step, _ string) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.faults[method+" "+step]++
		},
		Braked: func(_ string, lost money.Micros) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.braked += lost
		},
		Waste: func(_ string, m money.Micros) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.wasted += m
		},
	}})
	b.desk.SetTerms(b.terms)
	b.desk.Start(b.t.Context())
}

func (b *bench) want(hold money.Micros) Want {
	return Want{
		SellerID: "acme", Origin: "https://acme.example", BaseURL: "https://acme.example/base/", Model: "m",
		Methods: []NamedMethod{{cmp.Or(b.methodName, "fake"), b.method}}, Transport: b.seller, Likely: hold, Bound: hold,
	}
}

// has tells whether a token is there that Lease would give without a purchase.
func has(d *Desk, w Want) bool {
	terms := d.terms.Load()
	t, _ := d.shelf(w.seller()).choose(w.cost(), time.Now().Add(terms.ExpiryMargin), terms.RebuyBelow)
	return t != nil
}

func (b *bench) lease(hold money.Micros) *Lease {
	b.t.Helper()
	return b.leaseFor(b.want(hold))
}

func (b *bench) leaseFor(w Want) *Lease {
	b.t.Helper()
	l, err := b.desk.Lease(b.t.Context(), w)
	if err != nil {
		b.t.Fatalf("lease: %v", err)
	}
	return l
}

// refusedLease leases and wants an error that is target.
func (b *bench) refusedLease(hold money.Micros, target error) error {
	b.t.Helper()
	l, err := b.desk.Lease(b.t.Context(), b.want(hold))
	if !errors.Is(err, target) || l != nil {
		b.t.Fatalf("lease: %v, %v, want the error %v", l, err, target)
	}
	if strings.Contains(err.Error(), secretText) {
		b.t.Fatalf("a seller's text in the error: %v", err)
	}
	return err
}

func (b *bench) logged(message string) int { return b.logs.FilterMessage(message).Len() }

func (b *bench) wantCalls(create, complete int) {
	b.t.Helper()
	b.seller.wantCalls(b.t, create, complete)
}

// refusedFor wants a request to be refused, and to be told for want of what and until when.
func (b *bench) refusedFor(w Want, lack Lack, until time.Time) {
	b.t.Helper()
	before := b.lacks[lack]
	l, err := b.desk.Lease(b.t.Context(), w)
	if err == nil {
		l.Return(0)
		b.t.Fatal("not refused")
	}
	if got, when := Lacking(err); got != lack || !when.Equal(until) {
		b.t.Errorf("it wants for %q until %s, want %q until %s: %v", got, when, lack, until, err)
	}
	if strings.Contains(err.Error(), secretText) {
		b.t.Errorf("a seller's text in the error: %v", err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.lacks[lack] != before+1 {
		b.t.Errorf("observed %v", b.lacks)
	}
}

// faulty is how often it was observed that a method misbehaved in a step.
func (b *bench) faulty(step string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.faults[step]
}
