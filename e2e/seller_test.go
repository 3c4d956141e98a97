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
	"testing"
)

// fakeSeller is a seller whose answers a test writes. It sells as the protocol says, with the mock payment method.
type fakeSeller struct {
	*httptest.Server
	id     string
	credit int64 // micros per purchase
	// answer is called for every inference, with the body already read.
	answer func(w http.ResponseWriter, r *http.Request, body []byte)
	// buying, where set before the first request, is called with each step of a purchase before it is answered.
	buying func(r *http.Request)
	// grants, where set before the first request, may change what a purchase is granted, each time that it is told.
	grants func(r *http.Request, g *grant)

	mu        sync.Mutex // protects all following fields
	creates   int
	completes int
	paid      map[string]grant // by Idempotency-Key
	tokens    map[string]bool
	asked     []inference
}

type grant struct {
	AccessToken      string `json:"accessToken"`
	ExpiresAt        string `json:"expiresAt"`
	CreditMicros     int64  `json:"creditMicros"`
	PaymentReference string `json:"paymentReference"`
}

// inference is a request that came to a fake seller.
type inference struct {
	Path, RawQuery string
	Header         http.Header
	Body           []byte
}

// newSeller starts a fake seller.
func newSeller(t testing.TB, id string, answer func(w http.ResponseWriter, r *http.Request, body []byte)) *fakeSeller {
	s := &fakeSeller{id: id, credit: 5_000_000, answer: answer, paid: map[string]grant{}, tokens: map[string]bool{}}
	s.Server = httptest.NewServer(s)
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	return s
}

func (s *fakeSeller) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	if s.buying != nil && strings.HasPrefix(r.URL.Path, "/purchase/") {
		s.buying(r)
	}
	switch r.URL.Path {
	case "/healthz":
	case "/purchase/create":
		s.create(w, r, body)
	case "/purchase/complete":
		s.complete(w, r)
	default:
		s.infer(w, r, body)
	}
}

func (s *fakeSeller) create(w http.ResponseWriter, r *http.Request, body []byte) {
	var ask struct {
		AmountMicros int64 `json:"amountMicros"`
	}
	if json.Unmarshal(body, &ask) != nil || ask.AmountMicros <= 0 || r.Header.Get("Idempotency-Key") == "" {
		http.Error(w, "bad order", http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	s.creates++
	s.mu.Unlock()
	reply(w, map[string]any{"orderId": "o_" + r.Header.Get("Idempotency-Key"), "amountMicros": ask.AmountMicros, "currency": "USD", "payment": map[string]any{}})
}

func (s *fakeSeller) complete(w http.ResponseWriter, r *http.Request) {
	key := r.Header.Get("Idempotency-Key")
	s.mu.Lock()
	g, ok := s.paid[key]
	if !ok {
		s.completes++
		g = grant{AccessToken: "tok-" + rand.Text(), ExpiresAt: "2099-01-01T00:00:00Z", CreditMicros: s.credit, PaymentReference: "ref_" + key}
		s.paid[key] = g
		s.tokens[g.AccessToken] = true
	}
	s.mu.Unlock()
	if s.grants != nil {
		s.grants(r, &g)
	}
	reply(w, g)
}

func (s *fakeSeller) infer(w http.ResponseWriter, r *http.Request, body []byte) {
	token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	s.mu.Lock()
	known := s.tokens[token]
	s.asked = append(s.asked, inference{r.URL.Path, r.URL.RawQuery, r.Header.Clone(), body})
	s.mu.Unlock()
	if !known {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	s.answer(w, r, body)
}

// purchases is how many purchases were paid.
func (s *fakeSeller) purchases() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.completes
}

// inferences are the requests that came.
func (s *fakeSeller) inferences() []inference {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]inference(nil), s.asked...)
}

// last is the newest request that came.
func (s *fakeSeller) last() inference {
	asked := s.inferences()
	return asked[len(asked)-1]
}

// forget makes every token that was sold unknown, as a seller does that lost its memory.
func (s *fakeSeller) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.tokens)
}

func reply(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}

// registryOf serves a registry document that lists these sellers, each with the models given, all priced alike: 1 dollar
// per million prompt tokens, 2 per million completion tokens.
func registryOf(t testing.TB, models []string, sellers ...*fakeSeller) *httptest.Server {
	var list []map[string]any
	for _, s := range sellers {
		var ms []map[string]any
		for _, m := range models {
			ms = append(ms, map[string]any{"id": m, "inputPriceMicrosPer1m": 1_000_000, "outputPriceMicrosPer1m": 2_000_000, "cacheReadPriceMicrosPer1m": 100_000, "cacheWritePriceMicrosPer1m": 1_250_000})
		}
		list = append(list, map[string]any{"id": s.id, "url": s.URL, "models": ms})
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		reply(w, map[string]any{"version": "1", "defaultSeller": sellers[0].id, "sellers": list})
	}))
	t.Cleanup(srv.Close)
	return srv
}

// market is the body of a tokenbuddy directive that trades with a registry of fake sellers.
func market(registry *httptest.Server, more string) string {
	return fmt.Sprintf("\t\tregistry %s\n\t\tseller_networks 127.0.0.0/8\n\t\tpayment mock\n%s", registry.URL, more)
}
