package prewarm

import (
	"context"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/tokenbuddy/caddy-tokenbuddy/dialect"
	"github.com/tokenbuddy/caddy-tokenbuddy/purchase"
)

// The defaults of SiteOptions.
const (
	DefaultInterval  = 60 * time.Second
	DefaultTimeout   = 3 * time.Second
	DefaultJitterMin = 5 * time.Second
	DefaultJitterMax = 10 * time.Second
)

// Seller is a seller as it is probed. Its id and origin together say which one it is.
type Seller struct {
	ID      string
	Origin  string
	BaseURL string   // the health path is put right behind it
	Query   string   // goes with each request; without a question mark
	Methods []string // payment methods that both sides know; not to be changed
	Account bool     // a provider where the operator has an account: it is not probed
}

// Catalogue is what a site knows of sellers.
type Catalogue interface {
	// Resolve gives the id of the model that is served under a name; false when nobody serves it.
	Resolve(name string) (model string, ok bool)
	// Pool gives the candidates that requests for the model would be offered first, best first.
	Pool(model string, p dialect.Protocol) []Seller
	// Sample gives up to n candidates that are not in the pool, from the place from among those on and round again at their end.
	// Places count modulo their number.
	Sample(model string, p dialect.Protocol, from, n int) []Seller
	// Transport is what the site's requests to the seller go over, so that the connection that a probe leaves is theirs.
	Transport(s Seller) http.RoundTripper
	// Probed hears of each probe whose result counts. took is the time to the whole response, or to the failure.
	Probed(s Seller, healthy bool, took time.Duration)
	// Want says how to buy from a seller, for the model where it still has that one, else for another of its models, and what a
	// usual request there is likely to cost: a token is renewed to cover that, not the worst case. False when nothing can be bought there.
	Want(sellerID, origin, model string) (purchase.Want, bool)
}

// SiteOptions say what one running config wants.
type SiteOptions struct {
	// Off: nothing is warmed, probed or renewed for this site.
	Off bool
	// Models is the focus set, by the names that clients may use. Empty: the ledger's five most used models of seven days.
	Models []string
	// Interval is the time between two sweeps. Where sites have different ones, the shortest counts. Default: 60 s.
	Interval time.Duration
	// Timeout bounds one probe, to the whole response. Default: 3 s.
	Timeout time.Duration
	// The first sweep comes after a random time from JitterMin to JitterMax. No default.
	JitterMin, JitterMax time.Duration
	// Ready waits until the Catalogue has its sellers, for a time that it bounds itself. Nil: it has them.
	Ready func(context.Context) error
	// Catalogue is required, unless Off.
	Catalogue Catalogue
}

// Site is one running config as the Warmer knows it.
type Site struct {
	o      SiteOptions
	warmer *Warmer
	ctx    context.Context // ends at Leave
	cancel context.CancelFunc

	life sync.RWMutex // held for reading while the site's connections or payment methods are used
	left bool

	uses  atomic.Pointer[map[use]*usage] // the map never changes
	full  atomic.Bool                    // no more models are added
	fresh atomic.Bool                    // some model was touched for the first time
	mu    sync.Mutex                     // protects uses while it is replaced

	// The sweep's alone.
	begun bool // its first sweep has been made
}

// use is what a request was for.
type use struct {
	model    string
	protocol dialect.Protocol
}

// usage tells how recently that was. Requests only set a flag, which each sweep takes for its own time.
type usage struct {
	used atomic.Bool
	last time.Time // the sweep's alone
}

// maxUses bounds how many models, each over a protocol, a site warms because requests asked for them.
const maxUses = 64

// Join has the warmer work for a site until it leaves.
func (w *Warmer) Join(o SiteOptions) *Site {
	if o.Interval <= 0 {
		o.Interval = DefaultInterval
	}
	if o.Timeout <= 0 {
		o.Timeout = DefaultTimeout
	}
	s := &Site{o: o, warmer: w}
	s.ctx, s.cancel = context.WithCancel(w.ctx)
	s.uses.Store(new(map[use]*usage))
	if o.Off {
		s.full.Store(true)
		w.log.Info("prewarm.startup.skipped", zap.String("reason", "off"))
		return s
	}
	delay := o.JitterMin + rand.N(max(0, o.JitterMax-o.JitterMin)+1)
	first := time.Now().Add(delay)
	w.mu.Lock()
	if len(w.sites) == 0 || first.Before(w.next) {
		w.next = first
	}
	w.sites = slices.Concat([]*Site{s}, w.sites)
	w.mu.Unlock()
	w.log.Info("prewarm.startup.scheduled", zap.Duration("delay", delay), zap.Duration("interval", o.Interval))
	w.look()
	return s
}

// Leave ends what is done for the site, and waits for its probes to end, so that its transports may be closed. It may be
// called again.
func (s *Site) Leave() {
	w := s.warmer
	w.mu.Lock()
	w.sites = slices.DeleteFunc(slices.Clone(w.sites), func(o *Site) bool { return o == s })
	w.mu.Unlock()
	s.cancel()
	s.full.Store(true)
	s.life.Lock()
	s.left = true
	s.life.Unlock()
}

// enter tells whether the site's connections may be used; then they may be until exit.
func (s *Site) enter() bool {
	s.life.RLock()
	if s.left || s.ctx.Err() != nil {
		s.life.RUnlock()
		return false
	}
	return true
}

func (s *Site) exit() { s.life.RUnlock() }

// Touch says that a request has come for the model, by its served id. One that is not warm yet is warmed in the background.
// It neither blocks nor allocates, but for the first time of a model.
func (s *Site) Touch(model string, p dialect.Protocol) {
	if u := (*s.uses.Load())[use{model, p}]; u != nil {
		if !u.used.Load() {
			u.used.Store(true)
		}
		return
	}
	if !s.full.Load() {
		s.add(use{model, p})
	}
}

func (s *Site) add(k use) {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := *s.uses.Load()
	if old[k] != nil || len(old) >= maxUses {
		return
	}
	uses := make(map[use]*usage, len(old)+1)
	maps.Copy(uses, old)
	u := new(usage)
	u.used.Store(true)
	uses[k] = u
	s.uses.Store(&uses)
	s.full.Store(len(uses) >= maxUses || s.ctx.Err() != nil)
	s.fresh.Store(true)
	s.warmer.usesChanged()
	s.warmer.look()
}

func (s *Site) touched() bool { return s.fresh.Load() }

// inUse gives what was touched, after letting go of what has not been for so long.
func (s *Site) inUse(now time.Time, keep time.Duration) []use {
	s.fresh.Store(false)
	s.mu.Lock()
	defer s.mu.Unlock()
	old := *s.uses.Load()
	uses := make(map[use]*usage, len(old))
	for k, u := range old {
		if u.used.Swap(false) {
			u.last = now
		}
		if now.Sub(u.last) <= keep {
			uses[k] = u
		}
	}
	if len(uses) < len(old) {
		s.uses.Store(&uses)
		s.full.Store(s.ctx.Err() != nil)
		s.warmer.usesChanged()
	}
	return slices.Collect(maps.Keys(uses))
}
