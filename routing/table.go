package routing

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/tokenbuddy/caddy-tokenbuddy/dialect"
	"github.com/tokenbuddy/caddy-tokenbuddy/selection"
)

// TableOptions is what a config says about sellers and models.
type TableOptions struct {
	// Pinned are the sellers named in the config, in its order, each id once. One of them hides the registry's seller of the same id.
	Pinned []*Seller
	// Aliases maps names that clients ask for to a model's id, or to an alias of a seller's.
	Aliases map[string]string
	// Excluded are the ids of sellers that get no requests.
	Excluded map[string]bool
	// Methods are the payment methods that are configured, in order of preference. A seller that takes none of them is no
	// candidate.
	Methods []string
	// DefaultSeller is stronger than the registry's. Empty: the registry's.
	DefaultSeller string

	// Pool knows the health of the sellers. Tables may share it; whoever makes it tells them of changes with Touch. Nil: one
	// of the table's own.
	Pool *Pool
	// Policy chooses among the candidates. Default: DefaultFirst.
	Policy selection.Policy
	// Trouble, where set, is told of each fault of a policy that is a guest: its module's id and whether it was asked to "order"
	// or to "gather". It is called on the way of requests.
	Trouble func(module, call string)
	// Funds know where credit is and where more can be bought. Nil: every seller can be bought from, and there is no credit
	// anywhere.
	Funds Funds
	// Exclusions are the sellers that are left out for a model and path. Tables may share them. Nil: none ever is.
	Exclusions *Exclusions
}

// Table is one config's view of the sellers: it keeps the index up to date with the registry, and the candidates that are
// kept ready up to date with the sellers' health.
type Table struct {
	o        TableOptions
	own      *choice
	override atomic.Pointer[choice] // nil: own is in force
	index    atomic.Pointer[Index]

	mu   sync.Mutex // held while an index is built or candidates are gathered
	turn int
	// byHand are the models that the config names of the pinned sellers that list others as well, by the seller's id.
	byHand map[string][]Model
	// unlisted are those of them that the seller's own list has not.
	unlisted map[string][]string
	// unread says why the own list of a pinned seller could not be read last.
	unread map[string]string

	forbidden forbidden

	touching sync.Mutex // protects all following fields
	touched  map[string]bool
	timer    *time.Timer
	closed   bool
	asking   bool // a guest is being asked for its choices
	askAgain bool // as soon as that is done
}

// choice is a policy and how it chooses.
type choice struct {
	policy selection.Policy
	strategy
	unaffine bool
}

// choice makes a policy ready to choose for this table.
func (t *Table) choice(p selection.Policy) *choice {
	c := &choice{policy: p}
	u, says := p.(selection.Unaffine)
	if s, builtIn := p.(strategy); builtIn {
		c.strategy, c.unaffine = s, says && u.NoAffinity()
		return c
	}
	g := &guard{module: moduleID(p), logger: t.o.Pool.logger, hook: t.o.Trouble}
	c.strategy = newGuest(p, g)
	if says { // while a config is loaded: a panic here would end the process
		c.unaffine, _ = guarded(g, "affinity", orderTime, u.NoAffinity)
	}
	return c
}

func moduleID(p selection.Policy) string {
	if m, ok := p.(caddy.Module); ok {
		return string(m.CaddyModule().ID)
	}
	return fmt.Sprintf("%T", p)
}

// inForce is what chooses now.
func (t *Table) inForce() *choice {
	if c := t.override.Load(); c != nil {
		return c
	}
	return t.own
}

// NewTable makes a table that knows the pinned sellers and waits for a document. The options are not to be changed
// afterwards.
func NewTable(o TableOptions) *Table {
	if o.Policy == nil {
		o.Policy = DefaultFirst{}
	}
	t := &Table{o: o, touched: make(map[string]bool)}
	if o.Pool == nil {
		touch := func(s *State) { t.Touch(s.ID()) }
		t.o.Pool = NewPool(PoolOptions{Changed: touch, Met: touch})
	}
	t.own = t.choice(t.o.Policy)
	t.Update(nil)
	return t
}

// Update builds the index anew from a document (nil: none) and puts it in the old one's place. It takes its time with many
// sellers, and is for the background: [Registry.Watch] calls it.
func (t *Table) Update(doc *Document) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.update(doc)
}

// update is Update; t.mu is held.
func (t *Table) update(doc *Document) {
	x := newIndex(&t.o, doc)
	t.turn++
	x.gatherAll(t.inForce(), t.turn)
	t.index.Store(x)
	t.askGuest()
}

// State gives the state of a candidate's seller, which is about to be asked.
func (t *Table) State(c *Candidate) *State {
	return t.o.Pool.State(c.Seller.Key())
}

// Index gives the index as it is now. A request takes it once and keeps it to its end.
func (t *Table) Index() *Index { return t.index.Load() }

// Policy is the policy in force.
func (t *Table) Policy() selection.Policy { return t.inForce().policy }

// Override puts another policy in force until the next call; nil gives the config's back.
func (t *Table) Override(p selection.Policy) {
	if p == nil {
		t.override.Store(nil)
	} else {
		t.override.Store(t.choice(p))
	}
	t.Sweep()
}

// Order appends the candidates to be tried for a request to dst, the best first, as many as there is room for: those of the
// policy in force, but first the seller that served the conversation last, while it is fit and the policy has named it. A
// request that builds on a response goes to that response's maker and nowhere else. Under a policy that wants no affinity, as
// [Manual], both count for nothing, since the operator has named the one seller.
//
// Where nothing is appended, [Table.Absence] says why.
func (t *Table) Order(q *Query, candidates *Candidates, dst []*Candidate) []*Candidate {
	chooses := t.inForce()
	if chooses.unaffine {
		return chooses.order(q, candidates, dst)
	}
	if q.Maker != (SellerKey{}) {
		if c := candidates.FindKey(q.Maker); c != nil && len(dst) < cap(dst) {
			dst = append(dst, c)
		}
		return dst
	}
	from := len(dst)
	dst = chooses.order(q, candidates, dst)
	_, isGuest := chooses.strategy.(*guest) // the built-in ones name every seller, though not all are ready
	return prefer(q, candidates, dst, from, isGuest)
}

// Sweep chooses anew which candidates are kept ready, and moves on the sample of others among them. It is for the
// background.
func (t *Table) Sweep() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.turn++
	t.index.Load().gatherAll(t.inForce(), t.turn)
	t.askGuest()
}

// askGuest has a guest asked, in the background, for those of the models that have more candidates than are kept ready. Until
// it has answered its last choice stays, or the registry's order.
func (t *Table) askGuest() {
	g, ok := t.inForce().strategy.(*guest)
	if !ok || !g.gathers {
		return
	}
	t.touching.Lock()
	defer t.touching.Unlock()
	if t.asking || t.closed {
		t.askAgain = true
		return
	}
	t.asking = true
	go t.askAll(g)
}

// askAll asks a guest for one model after another, without a lock: it may take its time, or not come back.
func (t *Table) askAll(g *guest) {
	x := t.index.Load()
	g.forget(x)
models:
	for served, m := range x.models {
		for i, c := range m.lists() {
			if c.Len() <= MaxReady {
				continue
			}
			q := Query{Served: served, Protocol: dialect.Protocols[i], Ceiling: usualRequest, Now: time.Now()}
			changed, ok := g.choose(&q, c)
			if !ok || t.isClosed() || t.index.Load() != x || t.inForce().strategy != strategy(g) {
				break models
			}
			if changed {
				t.mu.Lock()
				x.gather(c, g, t.turn, nil)
				t.mu.Unlock()
			}
		}
	}
	t.touching.Lock()
	again := t.askAgain && !t.closed
	t.asking, t.askAgain = false, false
	t.touching.Unlock()
	if again {
		t.askGuest()
	}
}

func (t *Table) isClosed() bool {
	t.touching.Lock()
	defer t.touching.Unlock()
	return t.closed
}

// Exclude leaves a candidate out for the path of a request for ten minutes, because its seller does not know the model.
func (t *Table) Exclude(c *Candidate, path string) {
	if t.o.Exclusions != nil {
		t.o.Exclusions.Add(c.Seller.Key(), c.Model, path, time.Now())
		t.Touch(c.Seller.ID)
	}
}

// touchDelay is how long changes of sellers are collected before candidates are gathered.
const touchDelay = 50 * time.Millisecond

// Touch says that a seller's circuit has changed, or that it has a state or a purse now: the candidates of its models are soon gathered anew, in the
// background. It does not wait for that, and may be called on the way of a request.
func (t *Table) Touch(sellerID string) {
	t.touching.Lock()
	defer t.touching.Unlock()
	if t.closed {
		return
	}
	t.touched[sellerID] = true
	if t.timer == nil {
		t.timer = time.AfterFunc(touchDelay, t.gatherTouched)
	}
}

func (t *Table) gatherTouched() {
	t.touching.Lock()
	touched := t.touched
	t.touched, t.timer = make(map[string]bool), nil
	t.touching.Unlock()

	t.mu.Lock()
	defer t.mu.Unlock()
	x, models := t.index.Load(), make(map[string]bool)
	for id := range touched {
		if s := x.Seller(id); s != nil {
			for i := range s.Models {
				models[s.Models[i].ID] = true
			}
		}
	}
	for served := range models {
		x.gatherModel(served, t.inForce(), t.turn, nil)
	}
}

// Close ends what goes on in the background. The table can still be asked.
func (t *Table) Close() {
	t.touching.Lock()
	defer t.touching.Unlock()
	t.closed = true
	if t.timer != nil {
		t.timer.Stop()
	}
}
