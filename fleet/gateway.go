package fleet

import (
	"context"
	"crypto/rand"
	"errors"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

const (
	lookEvery = 200 * time.Millisecond // how often the shares in use are looked at
	atOnce    = 16                     // changes that are under way at once
)

// Options say who a gateway of a fleet is and how it spends.
type Options struct {
	Store   Store
	Gateway string // the ledger's identity, which no other gateway has
	Name    string // for people
	Version string // of the program; empty: not known
	Boot    string // random, of the process; empty: one is made
	Epoch   uint64 // one more with each start, durable before New

	HoldOut time.Duration // how long spending should go on without the store; zero: 30 s
	Wait    time.Duration // how long a request waits for a part of a budget at most; zero: 1 s

	// Durable waits until all requests that have ended before the call are settled, and durable in the ledger. It precedes each report of what
	// was spent, and gives how many entries the ledger has since.
	Durable func(context.Context) (entries uint64, err error)
	// Holder has the ledger ask Of for a holder's share, as for its first request. It is called after the start for those for whom the
	// store has something set aside since before; nil: that comes back with their first request.
	Holder func(group bool, name string)
	// Booked tells what a gateway has booked by its shipped entries; nil where none are shipped.
	Booked func(ctx context.Context, gateway string) (Booked, error)
	// Head is the last of the ledger's entries that the store has, and its hash; nil where none are shipped.
	Head func() (seq uint64, hash string)
	// Due is the first of these entries whose cost is taken back by one that the store does not have yet; 0: there is none. nil: nobody is asked.
	Due func() uint64
	// Own is the newest of the ledger's own entries that is durable, and its hash; 0: there is none. It is nil where they are shipped.
	Own func(ctx context.Context) (seq uint64, hash string, err error)
	// Digest is of the limits in the config, so that it is seen where those of gateways differ.
	Digest func() string
	// Happened, where set, is told of what operators may want to hear of at once, and why it is so, if there is a reason. It must not block.
	Happened func(what Happening, why string)

	Logger *zap.Logger
}

// Fleet is this gateway's part of a fleet.
type Fleet struct {
	o             Options
	store         Store
	holdOut, wait time.Duration
	log           *zap.Logger

	ctx     context.Context // until Close
	cancel  context.CancelFunc
	slots   chan struct{}
	awake   chan struct{} // there is a share to look at
	health  health
	counts  counts
	fenced  atomic.Bool
	told    atomic.Int64  // when StoreForgotten was, in nanoseconds of Unix time
	entries atomic.Uint64 // how many the ledger had when what was booked was last made durable
	closing atomic.Bool   // all goes back
	polling atomic.Bool
	beating chan struct{} // has room for one: words are said one after another
	loops   sync.WaitGroup
	asks    sync.WaitGroup

	mu     sync.Mutex // taken under a Share's, never the other way round
	shares map[string]*Share
	active []*Share            // in which something is going on
	turn   int                 // which of them are looked up in the store next
	line   string              // the store's own history
	turned time.Time           // when that was heard to be another one; zero: never
	closed bool                // nothing is asked any more but by those that ask already
	bye    bool                // goodbye was said; of whoever has the room in beating
	silent map[string]bool     // is said to be; beatOn's alone
	lasts  map[string]lastWord // of the gateways that are not forgotten, by key
}

// counts are what State counts.
type counts struct {
	changes, conflicts, unknown, forgotten, waits, refusedAway atomic.Int64
}

// New gives a fleet that does nothing by itself before Start.
func New(o Options) *Fleet {
	if o.Boot == "" {
		o.Boot = rand.Text()
	}
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	f := &Fleet{
		o: o, holdOut: o.HoldOut, wait: o.Wait, log: o.Logger, slots: make(chan struct{}, atOnce), awake: make(chan struct{}, 1), beating: make(chan struct{}, 1),
		shares: map[string]*Share{}, silent: map[string]bool{}, lasts: map[string]lastWord{},
	}
	if f.holdOut <= 0 {
		f.holdOut = 30 * time.Second
	}
	if f.wait <= 0 {
		f.wait = time.Second
	}
	f.health = health{wait: f.wait, log: o.Logger, happened: f.o.happened, probe: make(chan struct{}, 1)}
	f.store = &watched{o.Store, f}
	f.ctx, f.cancel = context.WithCancel(context.Background())
	return f
}

// Start has the gateway say that it is there, and give back what it does not need. It does not wait for the store.
func (f *Fleet) Start() {
	f.loops.Go(f.beatOn)
	f.loops.Go(f.lookOn)
}

// Close gives back what is not held, reports what is spent, says goodbye and ends. It does so until ctx ends; what was not given back
// then comes back with the next start. The ledger must still be open.
func (f *Fleet) Close(ctx context.Context) error {
	if f.closing.Swap(true) {
		return nil
	}
	for _, s := range f.all() {
		s.mu.Lock()
		s.fail(errClosed)
		s.mu.Unlock()
		s.kick()
	}
	f.mu.Lock()
	f.closed = true
	f.mu.Unlock()
	if f.fenced.Load() {
		f.cancel() // it is not believed anything any more
	}
	drained := make(chan struct{})
	go func() {
		f.asks.Wait()
		close(drained)
	}()
	var err error
	select {
	case <-drained:
		err = f.goodbye(ctx)
	case <-ctx.Done():
		err = ctx.Err()
	}
	f.cancel()
	<-drained
	f.loops.Wait()
	return err
}

// Of gives the share of a member or a group, always the same one. spent is what the ledger has booked for it by the names of days,
// weeks and months, what it has held for requests of an earlier process included.
func (f *Fleet) Of(group bool, name string, spent [periods]map[string]money.Micros) *Share {
	key := MemberKey(name)
	if group {
		key = GroupKey(name)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.shares[key]
	if s == nil {
		s = &Share{fleet: f, key: key}
		for i := range spent {
			s.booked[i] = maps.Clone(spent[i])
		}
		f.shares[key] = s
	}
	return s
}

func (f *Fleet) all() []*Share {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Collect(maps.Values(f.shares))
}

// look has the share looked at until nothing is going on in it.
func (f *Fleet) look(s *Share) {
	f.mu.Lock()
	f.active = append(f.active, s)
	f.mu.Unlock()
	select {
	case f.awake <- struct{}{}:
	default:
	}
}

// lookOn looks at the shares in which something is going on. While there are none it does nothing.
func (f *Fleet) lookOn() {
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	for {
		ticker.Stop()
		select {
		case <-f.ctx.Done():
			return
		case <-f.awake:
		}
		ticker.Reset(lookEvery)
		for more := true; more; more = f.lookAround(time.Now()) {
			select {
			case <-f.ctx.Done():
				return
			case <-ticker.C:
			}
		}
	}
}

// lookAround looks at each of them once.
func (f *Fleet) lookAround(now time.Time) (more bool) {
	f.mu.Lock()
	active := f.active
	f.active = nil
	f.mu.Unlock()
	kept := active[:0]
	for _, s := range active {
		if !s.look(now) {
			kept = append(kept, s)
		}
	}
	f.mu.Lock()
	f.active = append(kept, f.active...)
	more = len(f.active) > 0
	f.mu.Unlock()
	f.lookUp(kept)
	return more
}

// begin lets a goroutine ask, unless the fleet is closed.
func (f *Fleet) begin() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return false
	}
	f.asks.Add(1)
	return true
}

func (f *Fleet) end() { f.asks.Done() }

func (f *Fleet) durable(ctx context.Context) error {
	if f.o.Durable == nil {
		return nil
	}
	entries, err := f.o.Durable(ctx)
	if err != nil {
		return err
	}
	for had := f.entries.Load(); had < entries && !f.entries.CompareAndSwap(had, entries); had = f.entries.Load() {
		continue
	}
	return nil
}

// change makes an ask, as often as it takes until it is known to be made, or surely is not.
func (f *Fleet) change(key string, ask Ask) (Answer, error) {
	for unknown, wait := false, 20*time.Millisecond; ; wait = min(2*wait, time.Second) {
		select {
		case f.slots <- struct{}{}:
		case <-f.ctx.Done():
			return Answer{}, errClosed
		}
		f.heard(&ask)
		ctx, cancel := context.WithTimeout(f.ctx, attemptTime)
		answer, forgot, err := change(ctx, f.store, key, ask)
		cancel()
		<-f.slots
		switch {
		case err == nil:
			if forgot {
				f.counts.forgotten.Add(1)
				f.forgot()
				f.log.Error("fleet.forgotten", zap.String("key", key), zap.String("hint",
					"the store had lost a change that it had acknowledged; this gateway has told it again"))
			}
			return answer, nil
		case f.ctx.Err() != nil:
			return Answer{}, errClosed
		case errors.Is(err, ErrFenced):
			f.fence(key, err)
			return Answer{}, err
		case unanswered(err) && !notMade(err):
			unknown = true
			f.counts.unknown.Add(1)
		case !unknown:
			return Answer{}, err
		}
		f.health.ready(f.ctx)
		if !pause(f.ctx, wait) {
			return Answer{}, errClosed
		}
	}
}

// unanswered tells whether an error is of a store that has not answered.
func unanswered(err error) bool {
	return errors.Is(err, ErrAway) || errors.Is(err, ErrUnknown) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
}

// Fence has nothing spent here any more, for a reason that Fleet does not see itself.
func (f *Fleet) Fence(err error) { f.fence(GatewayKey(f.o.Gateway), err) }

// fence ends all spending: another process speaks for this gateway.
func (f *Fleet) fence(key string, err error) {
	if f.fenced.Swap(true) {
		return
	}
	f.o.happened(GatewayFenced, err)
	f.log.Error("fleet.fenced", zap.Error(err), zap.String("key", key), zap.String("gateway", f.o.Gateway), zap.String("hint",
		"nothing is spent of budgets here any more: where another process runs on this gateway's directory or a copy of it, that one goes on, and this one is to be stopped; "+
			"where neither does, stop the copy, and start the other again until it serves; a gateway that was forgotten begins with an empty ledger"))
	for _, s := range f.all() {
		s.mu.Lock()
		s.fail(ErrFenced)
		s.mu.Unlock()
	}
}

// heard says in an ask what this process knows of the store's own history.
func (f *Fleet) heard(ask *Ask) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if ask.Line = f.line; !f.turned.IsZero() {
		ask.Turned = max(1, time.Since(f.turned))
	}
}

// lineChanged has all keys speak at once: the store may have forgotten what it has acknowledged.
func (f *Fleet) lineChanged(line string) {
	f.mu.Lock()
	changed := f.line != "" && line != "" && f.line != line
	if line != "" {
		f.line = line
	}
	if changed {
		f.turned = time.Now()
	}
	f.mu.Unlock()
	if !changed {
		return
	}
	f.log.Warn("fleet.line.changed", zap.String("line", line), zap.String("hint", "the store has failed over, or was restored"))
	for _, s := range f.all() {
		s.mu.Lock()
		s.speak = s.op > 0
		s.mu.Unlock()
		s.kick()
	}
}
