package approval

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/payment"
	"github.com/tokenbuddy/caddy-tokenbuddy/payment/paymenttest"
)

// service is one whose books the test can look into.
type service struct {
	*httptest.Server
	patient bool // a human approves of what is paid

	mu     sync.Mutex
	states map[string]string
}

func newService(t *testing.T, patient bool) *service {
	s := &service{patient: patient, states: make(map[string]string)}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "Bearer secret" {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	id := path.Base(r.URL.Path)
	s.mu.Lock()
	defer s.mu.Unlock()
	state := s.states[id]
	switch {
	case r.Method == http.MethodDelete && (state == "" || state == "refused"):
		s.states[id] = "refused"
		w.WriteHeader(http.StatusNoContent)
		return
	case r.Method == http.MethodDelete:
		w.WriteHeader(http.StatusConflict)
		return
	case r.Method == http.MethodGet && state == "":
		w.WriteHeader(http.StatusNotFound)
		return
	case r.Method == http.MethodPut && state == "" && s.patient:
		s.states[id] = "waiting"
	case r.Method == http.MethodPut && state == "":
		s.states[id] = "paid"
	}
	_ = json.NewEncoder(w).Encode(answer{State: s.states[id], Reference: "ref-" + id, Link: "https://approvals.example/" + id})
}

// payments is how many the service has made for a purchase.
func (s *service) payments(q payment.Quote) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.states[q.PurchaseID] == "paid" {
		return 1, nil
	}
	return 0, nil
}

// approve is what a human does.
func (s *service) approve(q payment.Quote, _ payment.Outcome) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.states[q.PurchaseID] == "waiting" {
		s.states[q.PurchaseID] = "paid"
	}
	return nil
}

// The method keeps what is promised of methods, whether a human is asked or not.
func TestPromises(t *testing.T) {
	for _, patient := range []bool{false, true} {
		s := newService(t, patient)
		quotes := 0
		rail := paymenttest.Rail{
			New: func() (payment.Method, error) {
				a := &Approval{URL: s.URL, Key: "secret", Most: "5"}
				return a, a.Provision(caddy.Context{})
			},
			Quote: func() payment.Quote {
				quotes++
				return payment.Quote{PurchaseID: fmt.Sprint("purchase ", quotes), OrderID: "o_1", AmountMicros: 2 * money.USD, ExpiresAt: time.Now().Add(time.Hour)}
			},
			Payments: s.payments,
			Help:     s.approve,
			Bad:      []payment.Quote{{PurchaseID: "dear", AmountMicros: 6 * money.USD}},
		}
		if err := paymenttest.TestMethod(rail); err != nil {
			t.Errorf("a human is asked: %v: %v", patient, err)
		}
	}
}

// An answer that is none leaves the fate of the money open.
func TestUncertain(t *testing.T) {
	for name, say := range map[string]http.HandlerFunc{
		"500":           func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) },
		"cut":           func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"no JSON":       func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("yes")) },
		"another state": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"state":"maybe"}`)) },
	} {
		srv := httptest.NewServer(say)
		a := &Approval{URL: srv.URL}
		if err := a.Provision(caddy.Context{}); err != nil {
			t.Fatal(err)
		}
		for _, call := range []func() (payment.Outcome, error){
			func() (payment.Outcome, error) {
				return a.Pay(t.Context(), payment.Quote{}, json.RawMessage(`{"id":"1"}`))
			},
			func() (payment.Outcome, error) {
				return a.Track(t.Context(), payment.Quote{}, json.RawMessage(`{"id":"1"}`))
			},
		} {
			if o, err := call(); err == nil {
				t.Errorf("%s: %+v", name, o)
			}
		}
		srv.Close()
	}
}

func TestConfig(t *testing.T) {
	a := new(Approval)
	words := "approval {\n\turl https://approvals.example/payments/\n\tkey {env.KEY}\n\tmost 2.50\n}"
	t.Setenv("KEY", "secret")
	if err := a.UnmarshalCaddyfile(caddyfile.NewTestDispenser(words)); err != nil {
		t.Fatal(err)
	}
	if err := a.Provision(caddy.Context{}); err != nil || a.key != "secret" || a.most != 2_500_000 {
		t.Errorf("%v: %+v", err, a)
	}
	for _, bad := range []string{"approval now", "approval {\n\turls x\n}", "approval {\n\turl\n}"} {
		if new(Approval).UnmarshalCaddyfile(caddyfile.NewTestDispenser(bad)) == nil {
			t.Errorf("%s is taken", bad)
		}
	}
	for _, bad := range []Approval{{}, {URL: "ftp://x"}, {URL: "http://x", Most: "much"}} {
		if bad.Provision(caddy.Context{}) == nil {
			t.Errorf("%q, %q is taken", bad.URL, bad.Most)
		}
	}
}
