package routing

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

// Pool keeps the state of every seller that was dealt with, by id and origin. It is one for all sites of a ledger and
// outlives registry documents and configs.
type Pool struct {
	logger    *zap.Logger
	onChange  func(*State)
	onMet     func(*State)
	onOpen    func(s *State, model, reason string)
	cooldown  atomic.Int64
	sellers   sync.Map // SellerKey -> *State
	refused   refusedAccounts
	noUsage   sync.Map                        // SellerKey -> time.Time until which it is not asked for the usage of streams; only accounts are
	paused    atomic.Pointer[map[string]bool] // by id; what it points to never changes
	size      atomic.Int64
	epoch     time.Time      // what stamps count from; its monotonic part makes them immune to a clock that is set
	random    func() float64 // from 0 to below 1, for jitter
	wallClock func() time.Time
}

// PoolOptions say how a pool behaves.
type PoolOptions struct {
	// Cooldown is how long a circuit rests at first. Default: 30 s.
	Cooldown time.Duration
	// Logger may be nil.
	Logger *zap.Logger
	// Changed is called after a circuit has opened or closed, on the request's goroutine: it must be quick, and may ask the
	// state anything. Calls for one seller may come in another order than their changes, so the state is to be asked. It may
	// be nil.
	Changed func(*State)
	// Opened is called, in the same way, when a circuit has opened: a seller's, or that of a model there. It may be nil.
	Opened func(s *State, model, reason string)
	// Met is called, in the same way, when a seller is dealt with for the first time. It may be nil.
	Met func(*State)
}

// DefaultCooldown is how long a circuit rests at first when nothing else is said.
const DefaultCooldown = 30 * time.Second

// NewPool makes an empty pool.
func NewPool(o PoolOptions) *Pool {
	p := &Pool{logger: o.Logger, onChange: o.Changed, onMet: o.Met, onOpen: o.Opened, epoch: time.Now(), random: rand.Float64, wallClock: time.Now}
	if p.logger == nil {
		p.logger = zap.NewNop()
	}
	p.SetCooldown(o.Cooldown)
	return p
}

// SetCooldown sets how long circuits that open from now on rest at first; the default when it is not above zero.
func (p *Pool) SetCooldown(d time.Duration) {
	if d <= 0 {
		d = DefaultCooldown
	}
	p.cooldown.Store(int64(d))
}

// Cooldown is how long a circuit rests at first.
func (p *Pool) Cooldown() time.Duration { return time.Duration(p.cooldown.Load()) }

// State gives the state of a seller; it is made at the first call for it. Ask for it when the seller is about to be dealt
// with, and for Known otherwise.
func (p *Pool) State(k SellerKey) *State {
	if s := p.Known(k); s != nil {
		return s
	}
	fresh := &State{key: k, pool: p}
	fresh.used.Store(p.stamp(p.wallClock()))
	s, there := p.sellers.LoadOrStore(k, fresh)
	if !there {
		p.size.Add(1)
		if p.onMet != nil {
			p.onMet(fresh)
		}
	}
	return s.(*State)
}

// Known gives the state of a seller, nil when it was never dealt with. It neither locks nor allocates.
func (p *Pool) Known(k SellerKey) *State {
	s, ok := p.sellers.Load(k)
	if !ok {
		return nil
	}
	return s.(*State)
}

// Size is how many sellers have a state.
func (p *Pool) Size() int { return int(p.size.Load()) }

// idleFor is how long nothing has to be heard of a seller before it may be forgotten.
const idleFor = time.Hour

// Forget drops the states of sellers that have been idle for an hour and that named does not know any more, and says how
// many they were. A state that somebody still holds goes on working, but is no longer the seller's.
func (p *Pool) Forget(now time.Time, named func(SellerKey) bool) int {
	dropped, at := 0, p.stamp(now)
	p.each(func(s *State) {
		idle := s.InFlight() == 0 && at-s.used.Load() >= int64(idleFor)
		if idle && !named(s.key) && p.sellers.CompareAndDelete(s.key, s) {
			p.size.Add(-1)
			p.refused.end(s.key)
			dropped++
		}
	})
	return dropped
}

func (p *Pool) each(visit func(*State)) {
	p.sellers.Range(func(_, s any) bool {
		visit(s.(*State))
		return true
	})
}

// stamp is a time as states keep it: nanoseconds from the pool's epoch, never 0.
func (p *Pool) stamp(t time.Time) int64 {
	if d := t.Sub(p.epoch); d != 0 {
		return int64(d)
	}
	return 1
}

// time is the time of a stamp; the zero time for 0.
func (p *Pool) time(stamp int64) time.Time {
	if stamp == 0 {
		return time.Time{}
	}
	return p.epoch.Add(time.Duration(stamp))
}

func (p *Pool) utc(stamp int64) *time.Time {
	if stamp == 0 {
		return nil
	}
	t := p.time(stamp).UTC()
	return &t
}

// second is the number of a stamp's second, never below 0.
func (p *Pool) second(stamp int64) int64 { return max(0, stamp/int64(time.Second)+1<<32) }

// changed tells of a circuit that has opened, for a reason, or closed: a seller's, or the one of a model there.
func (p *Pool) changed(s *State, model, reason string) {
	fields := []zap.Field{zap.String("seller", s.key.ID), zap.String("origin", s.key.Origin)}
	if model != "" {
		fields = append(fields, zap.String("model", model))
	}
	if reason == "" {
		p.logger.Info("route.circuit.closed", fields...)
	} else {
		p.logger.Warn("route.circuit.opened", append(fields, zap.String("reason", reason), zap.Time("dueAt", s.Due(model)))...)
		if p.onOpen != nil {
			p.onOpen(s, model, reason)
		}
	}
	if p.onChange != nil {
		p.onChange(s)
	}
}
