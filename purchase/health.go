package purchase

import (
	"cmp"
	"context"
	"slices"
	"sync"
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

// health is what the methods said last.
type health struct {
	mu     sync.Mutex // protects all following fields; held while the methods are asked
	at     time.Time
	last   []PaymentStanding
	asking bool // somebody is, in the background
	sights map[string]sight
	guests map[*instance]*guest // the ways to those that were asked last: one that has not returned is not asked again
}

// Payments says how the wallets of the payment methods stand that configs have offered, as far as these can tell, sorted by
// method. It asks those, and so may take some seconds; what was said within the last ones is given again.
func (d *Desk) Payments(ctx context.Context) []PaymentStanding {
	d.health.mu.Lock()
	defer d.health.mu.Unlock()
	if d.health.at.IsZero() || time.Since(d.health.at) >= healthFresh {
		if now := d.askHealth(ctx); ctx.Err() == nil {
			d.compareWallets(ctx, now)
			d.health.last, d.health.at = now, time.Now()
		}
	}
	return slices.Clone(d.health.last)
}

// LastPayments is Payments without waiting: what was said last. What is older than a minute is asked anew in the background.
func (d *Desk) LastPayments() []PaymentStanding {
	if !d.health.mu.TryLock() {
		return nil // it is being asked just now
	}
	defer d.health.mu.Unlock()
	if time.Since(d.health.at) >= healthStale && !d.health.asking {
		d.health.asking = d.background(func() {
			d.Payments(d.ctx)
			d.health.mu.Lock()
			d.health.asking = false
			d.health.mu.Unlock()
		})
	}
	return slices.Clone(d.health.last)
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
