package e2e

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"time"
)

// bankSeller is a seller of the bank test, which keeps books of its own. Its settlements are honest; what gets lost is them.
type bankSeller struct {
	*httptest.Server
	bank *bank
	id   string

	mu       sync.Mutex // protects all following fields, and what they hold
	orders   map[string]int
	accounts map[string][]*account // by the key of the purchase: one, where keys are heeded
	bearers  map[string]*account
	charges  map[string][]*charge // by the key of the request
	tries    map[string]int       // by the id of the request
	dry      int                  // tokens before this number are refused, so that others are bought
	quiet    bool                 // nothing goes wrong
}

// account is what the seller has sold.
type account struct {
	number   int
	purchase string
	bearer   string
	paid     int64
	credit   int64
	balance  int64
	expires  time.Time
	unknown  bool // forgotten: it is refused with 401
	shown    int  // how often it was given
	quiet    int  // requests in the quiet at the end
}

// charge is what a request has cost.
type charge struct {
	settlement         string
	prompt, completion int64
	billed             int64
	account            *account
}

func newBankSeller(b *bank, id string) *bankSeller {
	s := &bankSeller{
		bank: b, id: id, orders: map[string]int{}, accounts: map[string][]*account{}, bearers: map[string]*account{},
		charges: map[string][]*charge{}, tries: map[string]int{},
	}
	s.Server = httptest.NewServer(s)
	b.t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	return s
}

func (s *bankSeller) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	switch r.URL.Path {
	case "/purchase/create":
		s.create(w, r, body)
	case "/purchase/complete":
		s.complete(w, r, body)
	case "/healthz":
	default:
		s.infer(w, r, body)
	}
}

func (s *bankSeller) create(w http.ResponseWriter, r *http.Request, body []byte) {
	s.bank.nemesis.at(createReceived)
	key := r.Header.Get("Idempotency-Key")
	var ask struct {
		PurchaseID   string
		AmountMicros int64
	}
	if json.Unmarshal(body, &ask) != nil || ask.PurchaseID != key || key == "" {
		s.bank.wrong(violation, "%s is asked for an order under another key: %s", s.id, body)
	}
	s.mu.Lock()
	s.orders[key]++
	nth := s.orders[key]
	number := len(s.orders)
	s.mu.Unlock()
	switch s.bank.random("order", s.id, number, nth).pick(s.bank.rates.order) {
	case "503":
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	case "reset":
		panic(http.ErrAbortHandler)
	case "slow":
		await(r, 150*time.Millisecond)
	}
	reply(w, map[string]any{"orderId": "o_" + key, "amountMicros": ask.AmountMicros, "currency": "USD", "payment": map[string]any{}})
	_ = http.NewResponseController(w).Flush()
	s.bank.nemesis.at(createAnswered)
}

func (s *bankSeller) complete(w http.ResponseWriter, r *http.Request, body []byte) {
	s.bank.nemesis.at(completeReceived)
	key := r.Header.Get("Idempotency-Key")
	var shown struct{ Proof string }
	_ = json.Unmarshal(body, &shown)
	paid, ok := s.bank.rail.proved(key, shown.Proof)
	if !ok {
		s.bank.wrong(violation, "%s is shown the proof %q for purchase %s, which it does not prove", s.id, shown.Proof, key)
		w.WriteHeader(http.StatusPaymentRequired)
		return
	}
	a, nth := s.grant(key, paid)
	s.bank.nemesis.at(tokenGranted)
	switch s.bank.random("grant", s.id, a.number, nth).pick(s.bank.rates.grant) {
	case "503":
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	case "reset":
		panic(http.ErrAbortHandler)
	case "slow":
		await(r, 250*time.Millisecond)
	}
	reply(w, grant{
		AccessToken: a.bearer, ExpiresAt: a.expires.UTC().Format(time.RFC3339Nano), CreditMicros: a.credit, PaymentReference: shown.Proof,
	})
	_ = http.NewResponseController(w).Flush()
	s.bank.nemesis.at(completeAnswered)
}

// grant gives the account of a purchase: the one there is, unless the seller takes no heed of the key.
func (s *bankSeller) grant(key string, paid int64) (a *account, nth int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if all := s.accounts[key]; len(all) > 0 && s.bank.idempotent {
		all[0].shown++
		return all[0], all[0].shown
	}
	a = &account{number: len(s.bearers), purchase: key, bearer: "tok-" + rand.Text(), paid: paid, credit: paid}
	a.expires = time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC)
	switch s.bank.random("token", s.id, a.number).pick(s.bank.rates.token) {
	case "less":
		a.credit -= paid / 20
	case "more":
		a.credit += paid / 20
	case "short":
		a.expires = time.Now().Add(bankMargin + 400*time.Millisecond)
	}
	a.balance = a.credit
	s.accounts[key] = append(s.accounts[key], a)
	s.bearers[a.bearer] = a
	return a, 0
}

func (s *bankSeller) infer(w http.ResponseWriter, r *http.Request, body []byte) {
	s.bank.nemesis.at(inferenceReceived)
	id, key := r.Header.Get("X-Request-Id"), r.Header.Get("Idempotency-Key")
	s.bank.asked(id, key)
	s.mu.Lock()
	a := s.bearers[strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")]
	nth := s.tries[id]
	s.tries[id]++
	known := a != nil && !a.unknown && time.Now().Before(a.expires)
	dry := known && a.number < s.dry
	quiet := s.quiet
	s.mu.Unlock()
	if a == nil {
		s.bank.wrong(violation, "%s is shown a token that it never sold", s.id)
	}
	fate := s.bank.random("answer", s.id, id, nth).pick(s.bank.rates.answer)
	if quiet || strings.HasPrefix(id, hungPrefix) {
		fate = ""
	}
	switch {
	case !known:
		w.WriteHeader(http.StatusUnauthorized)
		return
	case dry, fate == "402":
		w.WriteHeader(http.StatusPaymentRequired)
		return
	case fate == "401":
		s.mu.Lock()
		a.unknown = true
		s.mu.Unlock()
		w.WriteHeader(http.StatusUnauthorized)
		return
	case fate == "reset":
		panic(http.ErrAbortHandler)
	case fate == "500":
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	(&service{bankSeller: s, w: w, r: r, body: body, id: id, key: key, account: a, fate: fate}).serve()
}

// charge books what a request costs: once for a key, unless the seller takes no heed of it. It is nil where the credit does
// not suffice.
func (s *bankSeller) charge(a *account, key string, prompt, completion int64) *charge {
	s.mu.Lock()
	defer s.mu.Unlock()
	if all := s.charges[key]; len(all) > 0 && s.bank.idempotent {
		return all[0]
	}
	billed := prompt + 2*completion // at the prices that the registry names
	if a.balance < billed {
		return nil
	}
	a.balance -= billed
	if s.quiet {
		a.quiet++
	}
	c := &charge{fmt.Sprintf("s_%s_%d", key, len(s.charges[key])), prompt, completion, billed, a}
	s.charges[key] = append(s.charges[key], c)
	return c
}

func (s *bankSeller) balance(a *account) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return a.balance
}
