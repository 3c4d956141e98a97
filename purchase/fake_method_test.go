package purchase

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"sync"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/payment"
)

var needsHuman = payment.NeedsHuman("https://pay.example", "scan")

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
