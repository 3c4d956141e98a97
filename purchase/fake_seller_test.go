package purchase

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/wire"
)

const secretText = "SECRET-OF-THE-SELLER"

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
