package purchase

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/payment"
	"github.com/tokenbuddy/caddy-tokenbuddy/wire"
)

// PaymentStanding is how a wallet of a payment method stands.
type PaymentStanding struct {
	Method string `json:"method"`
	payment.Standing
	// MissingMicros is by how much more has left the wallets of the method than the books know, with the method's first wallet: what
	// was bought after the backup that was restored, or what others have taken.
	MissingMicros money.Micros `json:"missingMicros,omitempty"`
	MissingSince  time.Time    `json:"missingSince,omitzero"` // when that was first seen
}

const (
	healthTime   = 5 * time.Second  // for a method to say how it stands
	healthFresh  = 15 * time.Second // how long what it said is shown again
	healthStale  = time.Minute      // when it is asked anew for those who do not wait
	maxStandings = 64               // of one method
)

// health is how the methods stand.
type health struct {
	said   atomic.Pointer[said] // nil: they have said nothing yet
	asking atomic.Bool          // somebody asks them, in the background

	mu     sync.Mutex // held while the methods are asked; protects the following fields
	sights map[string]sight
	guests map[*instance]*guest // the ways to those that were asked last: one that has not returned is not asked again
}

// said is what the methods said last, which is not changed any more.
type said struct {
	at  time.Time
	all []PaymentStanding
}

// within tells whether it was said within a time.
func (s *said) within(d time.Duration) bool { return s != nil && time.Since(s.at) < d }

// shown gives it to somebody who may change it.
func (s *said) shown() []PaymentStanding {
	if s == nil {
		return nil
	}
	return slices.Clone(s.all)
}

// Payments says how the wallets of the payment methods stand that configs have offered, as far as these can tell, sorted by
// method. It asks those, and so may take some seconds; what was said within the last ones is given again.
func (d *Desk) Payments(ctx context.Context) []PaymentStanding {
	d.health.mu.Lock()
	defer d.health.mu.Unlock()
	if !d.health.said.Load().within(healthFresh) {
		if now := d.askHealth(ctx); ctx.Err() == nil {
			d.compareWallets(ctx, now)
			d.health.said.Store(&said{time.Now(), now})
		}
	}
	return d.health.said.Load().shown()
}

// LastPayments is Payments without waiting: what was said last. What is older than a minute is asked anew in the background.
func (d *Desk) LastPayments() []PaymentStanding {
	last := d.health.said.Load()
	if !last.within(healthStale) && d.health.asking.CompareAndSwap(false, true) {
		open := d.background(func() {
			defer d.health.asking.Store(false)
			d.Payments(d.ctx)
		})
		if !open {
			d.health.asking.Store(false)
		}
	}
	return last.shown()
}

// askHealth asks all methods at the same time. health.mu is held.
func (d *Desk) askHealth(ctx context.Context) []PaymentStanding {
	all := []PaymentStanding{}
	var mu sync.Mutex
	var asked sync.WaitGroup
	guests := make(map[*instance]*guest)
	for name, in := range d.methods.offered() {
		g := d.health.guests[in]
		if g == nil {
			g = &guest{desk: d, NamedMethod: NamedMethod{Name: name}}
		}
		guests[in] = g
		asked.Go(func() {
			said, err := ask(ctx, g, "health", healthTime, func(ctx context.Context, m payment.Method) ([]payment.Standing, error) {
				if h, ok := m.(payment.Health); ok {
					return h.Health(ctx), nil
				}
				return nil, nil
			})
			if err != nil {
				said = []payment.Standing{{CheckedAt: time.Now().UTC(), Error: err.Error()}}
			}
			mu.Lock()
			defer mu.Unlock()
			for _, s := range said[:min(len(said), maxStandings)] {
				all = append(all, PaymentStanding{Method: name, Standing: shownStanding(s)})
			}
		})
	}
	asked.Wait()
	d.health.guests = guests
	slices.SortStableFunc(all, func(a, b PaymentStanding) int { return cmp.Compare(a.Method, b.Method) })
	return all
}

// shownStanding takes what a method says no further than can be shown.
func shownStanding(s payment.Standing) payment.Standing {
	s.Network, s.Address, s.Error = legible(s.Network, maxPayee), legible(s.Address, maxPayee), legible(s.Error, maxText)
	s.CheckedAt = wire.InCalendar(s.CheckedAt)
	if s.BalanceMicros != nil { // what it does with its own later is its own affair
		s.BalanceMicros = new(*s.BalanceMicros)
	}
	if s.ChainBehindSeconds != nil {
		s.ChainBehindSeconds = new(*s.ChainBehindSeconds)
	}
	warnings := make([]string, 0, len(s.Warnings))
	for _, w := range s.Warnings[:min(len(s.Warnings), maxStandings)] {
		warnings = append(warnings, legible(w, maxText))
	}
	s.Warnings = warnings
	return s
}

// offered are the newest methods that configs in force have offered, by name.
func (ms *methods) offered() map[string]*instance {
	ms.mu.Lock()
	defer ms.mu.Unlock()
	all := make(map[string]*instance, len(ms.names))
	for name, n := range ms.names {
		if in := n.newest(); in != nil && !in.withdrawn {
			all[name] = in
		}
	}
	return all
}
