// Package prewarm owns what is done ahead of requests: which models are kept warm, the sweeps that probe their sellers, and
// when a token wants renewing. It never decides which seller serves.
//
// A Warmer works for all sites that share a market. Each running config joins it as a Site and leaves it when it is gone.
package prewarm

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/tokenbuddy/caddy-tokenbuddy/purchase"
)

// History is what the focus set needs of the ledger: the n models that were used most since then, the most used first.
type History interface {
	TopModels(ctx context.Context, since time.Time, n int) ([]string, error)
}

// Desk is what renewal needs of the purchase desk; *purchase.Desk is one.
type Desk interface {
	Aging(used, ahead time.Duration) []purchase.Aging
	Renew(a purchase.Aging, w purchase.Want) (begun bool, err error)
}

// Options say what a Warmer works with. All of it may be nil.
type Options struct {
	History History // nil: sites that name no models have no focus set
	Desk    Desk    // nil: no token is renewed
	Logger  *zap.Logger
}

// Warmer keeps sellers warm for the sites that have joined it. Its methods may be called from many goroutines.
type Warmer struct {
	history History
	desk    Desk
	log     *zap.Logger

	ctx    context.Context // ends at Close
	cancel context.CancelFunc
	wake   chan struct{} // something is to be done, or the schedule has changed
	work   sync.WaitGroup
	again  atomic.Int32 // in how many sweeps the most used models are looked up anew

	mu      sync.Mutex // protects what follows
	closed  bool
	sites   []*Site // the newest first
	running bool    // a sweep is going on
	next    time.Time
	asked   []chan Result // those that wait for a sweep that has not begun
	count   counts
	entries map[entryKey]*entry
	found   map[sellerKey]health // what the last sweep, and the lazy ones since, found of each seller
	top     topModels
}

// New makes a Warmer that has nothing to do before a site joins it.
func New(o Options) *Warmer {
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	w := &Warmer{
		history: o.History, desk: o.Desk, log: o.Logger, wake: make(chan struct{}, 1),
		entries: make(map[entryKey]*entry), found: make(map[sellerKey]health),
	}
	w.ctx, w.cancel = context.WithCancel(context.Background())
	w.work.Go(w.run)
	return w
}

// Close ends the sweeps and waits for what is under way. It may be called again.
func (w *Warmer) Close() {
	w.mu.Lock()
	w.closed = true
	w.mu.Unlock()
	w.cancel()
	w.work.Wait()
}

// ErrClosed says that no sweep is made any more.
var ErrClosed = errors.New("prewarm: shutting down")

// Sweep probes everything now, whatever is backing off, and waits for the result. Calls that come before the sweep has begun
// share it. The schedule stays as it is.
func (w *Warmer) Sweep(ctx context.Context) (Result, error) {
	done := make(chan Result, 1)
	w.mu.Lock()
	if w.closed {
		w.mu.Unlock()
		return Result{}, ErrClosed
	}
	w.asked = append(w.asked, done)
	w.mu.Unlock()
	w.look()
	select {
	case r := <-done:
		return r, nil
	case <-ctx.Done():
		return Result{}, ctx.Err()
	case <-w.ctx.Done():
		return Result{}, ErrClosed
	}
}

// look has the loop look at what is to be done.
func (w *Warmer) look() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// run is the loop: it keeps the schedule, and begins one sweep at a time.
func (w *Warmer) run() {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		due, run, wait := w.plan(time.Now())
		if due {
			w.renew()
		}
		if run != nil {
			w.work.Go(run)
		}
		if wait >= 0 {
			timer.Reset(wait)
		} else {
			timer.Stop()
		}
		select {
		case <-w.ctx.Done():
			return
		case <-w.wake:
		case <-timer.C:
		}
	}
}

// plan tells whether an interval is over, what runs the sweep that is to begin now (nil: none), and how long to wait after that (below
// zero: until something happens).
func (w *Warmer) plan(now time.Time) (due bool, run func(), wait time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	wait = -1
	if len(w.sites) > 0 {
		interval := w.interval()
		if due = !now.Before(w.next); due {
			w.next = w.next.Add(interval)
			if missed := now.Sub(w.next); missed >= 0 { // the process was stopped for a while
				w.next = now.Add(interval)
			}
		}
		wait = w.next.Sub(now)
	}
	if w.running {
		if due {
			w.count.skipped++
		}
		return due, nil, wait
	}
	s := &sweep{warmer: w, sites: w.order(), interval: w.interval(), started: now}
	switch {
	case len(w.asked) > 0:
		s.all, s.asked, w.asked = true, w.asked, nil
	case due:
	case slices.ContainsFunc(s.sites, (*Site).touched):
		s.lazy = true
	default:
		return due, nil, wait
	}
	w.running = true
	return due, s.run, wait
}

// interval is the shortest of all sites. w.mu is held.
func (w *Warmer) interval() time.Duration {
	var least time.Duration
	for _, s := range w.sites {
		if least == 0 || s.o.Interval < least {
			least = s.o.Interval
		}
	}
	return least
}

// order gives the sites, beginning with another one at each sweep: a seller is probed once, over the connections of the
// first site that has it. w.mu is held.
func (w *Warmer) order() []*Site {
	if len(w.sites) == 0 {
		return nil
	}
	n := int(w.count.sweeps % int64(len(w.sites)))
	return slices.Concat(w.sites[n:], w.sites[:n])
}
