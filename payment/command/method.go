// Package command pays sellers by running a program of the operator's: one JSON line in, one JSON object out, for each step.
// So any rail can be used for which there is a script: a Lightning node, a bank, an approval service.
//
// A program's word counts only when it exits with 0 and writes the one object that fits the step. All else, once it was asked
// to pay, means that nobody knows yet: it is asked to track.
package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"go.uber.org/zap"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/payment"
	"github.com/tokenbuddy/caddy-tokenbuddy/payment/internal/program"
)

// Method pays by a program.
type Method struct {
	Config

	name    string
	program program.Program
	timeout time.Duration
	turns   turns
	logger  *zap.Logger
}

// CaddyModule returns the Caddy module information.
func (*Method) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: caddy.ModuleID(payment.Namespace + ".command"), New: func() caddy.Module { return new(Method) }}
}

// Provision checks the config, the program's owner and Caddy's admin endpoint. It runs nothing.
func (m *Method) Provision(ctx caddy.Context) error {
	m.logger = ctx.Logger(m)
	return m.resolve(ctx) // Caddy says of which module it is
}

// MethodName is the name that sellers know the method by.
func (m *Method) MethodName() string { return m.name }

// Check looks at the amount alone: the program is asked in Prepare, since a check does no I/O.
func (m *Method) Check(q payment.Quote, ceiling money.Micros) error {
	if q.AmountMicros <= 0 || q.AmountMicros > ceiling {
		return errors.New("the order asks for more than was asked for")
	}
	return nil
}

// Prepare asks the program to check the quote and then to prepare it; no money moves in either.
func (m *Method) Prepare(ctx context.Context, q payment.Quote) (json.RawMessage, error) {
	for _, step := range []string{stepCheck, stepPrepare} {
		a, err := m.ask(ctx, step, q, nil)
		if err != nil {
			return nil, err
		}
		if a.Status == statusFailed {
			return nil, fmt.Errorf("payment %s: the program refuses: %s", m.name, a.Text)
		}
		if step == stepPrepare && len(a.Intent) > 0 {
			return a.Intent, nil
		}
	}
	return json.RawMessage("{}"), nil
}

// Pay asks the program to pay.
func (m *Method) Pay(ctx context.Context, q payment.Quote, intent json.RawMessage) (payment.Outcome, error) {
	return m.settle(ctx, stepPay, q, intent)
}

// Track asks it what became of the payment.
func (m *Method) Track(ctx context.Context, q payment.Quote, intent json.RawMessage) (payment.Outcome, error) {
	return m.settle(ctx, stepTrack, q, intent)
}

// Fate asks it what became of the money after the seller has refused the proof. Failed without unpaid is its way to say that
// it does not know more than that it was paid.
func (m *Method) Fate(ctx context.Context, q payment.Quote, intent json.RawMessage) (payment.Outcome, error) {
	return m.settle(ctx, stepFate, q, intent)
}

func (m *Method) settle(ctx context.Context, step string, q payment.Quote, intent json.RawMessage) (payment.Outcome, error) {
	a, err := m.ask(ctx, step, q, intent)
	if err != nil {
		return payment.Outcome{}, err
	}
	return a.outcome(), nil
}

// Patience is how long a step may take, with what is needed to end a program that takes longer.
func (m *Method) Patience(payment.Quote, json.RawMessage) time.Duration {
	return max(m.timeout+5*time.Second, 30*time.Second)
}

// atOnce is how many programs of one method run at the same time.
const atOnce = 4

// turns lets one program run for each purchase, and few in all.
type turns struct {
	once  sync.Once
	slots chan struct{}

	mu   sync.Mutex
	busy map[string]chan struct{} // closed when the purchase's program has ended
}

// enter waits for the purchase's turn. Call leave when it is over.
func (t *turns) enter(ctx context.Context, purchase string) (leave func(), err error) {
	t.once.Do(func() { t.slots, t.busy = make(chan struct{}, atOnce), make(map[string]chan struct{}) })
	late := errors.New("other programs of this method are still running")
	for {
		t.mu.Lock()
		before := t.busy[purchase]
		if before == nil {
			break
		}
		t.mu.Unlock()
		select {
		case <-before:
		case <-ctx.Done():
			return nil, late
		}
	}
	done := make(chan struct{})
	t.busy[purchase] = done
	t.mu.Unlock()
	end := func() {
		t.mu.Lock()
		delete(t.busy, purchase)
		t.mu.Unlock()
		close(done)
	}
	select {
	case t.slots <- struct{}{}:
		return func() { <-t.slots; end() }, nil
	case <-ctx.Done():
		end()
		return nil, late
	}
}

var (
	_ payment.Method        = (*Method)(nil)
	_ payment.Fate          = (*Method)(nil)
	_ payment.Patience      = (*Method)(nil)
	_ payment.Named         = (*Method)(nil)
	_ caddy.Provisioner     = (*Method)(nil)
	_ caddyfile.Unmarshaler = (*Method)(nil)
)
