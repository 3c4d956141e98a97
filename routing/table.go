package routing

import (
	"sync"
	"sync/atomic"
	"time"
)

// TableOptions is what a config says about sellers and models.
type TableOptions struct {
	// Pinned are the sellers named in the config, in its order, each id once. One of them hides the registry's seller of the same id.
	Pinned []*Seller
	// Aliases maps names that clients ask for to a model's id, or to an alias of a seller's.
	Aliases map[string]string
	// Methods are the payment methods that are configured, in order of preference. A seller that takes none of them is no
	// candidate.
	Methods []string
	// DefaultSeller is stronger than the registry's. Empty: the registry's.
	DefaultSeller string

	// Pool knows the health of the sellers. Tables may share it; whoever makes it tells them of changes with Touch. Nil: one
	// of the table's own.
	Pool *Pool
	// Policy chooses among the candidates. Default: DefaultFirst.
	Policy Policy
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
	override atomic.Pointer[Policy]
	index    atomic.Pointer[Index]

	mu   sync.Mutex // held while an index is built or candidates are gathered
	turn int

	touching sync.Mutex // protects all following fields
	touched  map[string]bool
	timer    *time.Timer
	closed   bool
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
	t.Update(nil)
	return t
}

// Update builds the index anew from a document (nil: none) and puts it in the old one's place. It takes its time with many
// sellers, and is for the background: [Registry.Watch] calls it.
func (t *Table) Update(doc *Document) {
	t.mu.Lock()
	defer t.mu.Unlock()
	x := newIndex(&t.o, doc)
	t.turn++
	x.gatherAll(t.Policy(), t.turn)
	t.index.Store(x)
}

// State gives the state of a candidate's seller, which is about to be asked.
func (t *Table) State(c *Candidate) *State {
	return t.o.Pool.State(c.Seller.ID, c.Seller.Origin)
}

// Index gives the index as it is now. A request takes it once and keeps it to its end.
func (t *Table) Index() *Index { return t.index.Load() }

// Policy is the policy in force.
func (t *Table) Policy() Policy {
	if p := t.override.Load(); p != nil {
		return *p
	}
	return t.o.Policy
}

// Override puts another policy in force until the next call; nil gives the config's back.
func (t *Table) Override(p Policy) {
	if p == nil {
		t.override.Store(nil)
	} else {
		t.override.Store(&p)
	}
	t.Sweep()
}

// Order appends the candidates to be tried for a request to dst, the best first, as many as there is room for: those of the
// policy in force, but first the seller that served the conversation last, while it is fit. A request that builds on a
// response goes to that response's maker and nowhere else. Under [Manual] both count for nothing, since the operator has
// named the one seller.
func (t *Table) Order(q *Query, candidates *Candidates, dst []*Candidate) []*Candidate {
	policy := t.Policy()
	if _, manual := policy.(*Manual); manual {
		return policy.Order(q, candidates, dst)
	}
	if q.Maker != (SellerKey{}) {
		if c := candidates.FindKey(q.Maker); c != nil && len(dst) < cap(dst) {
			dst = append(dst, c)
		}
		return dst
	}
	from := len(dst)
	dst = policy.Order(q, candidates, dst)
	return prefer(q, candidates, dst, from)
}

// Sweep chooses anew which candidates are kept ready, and moves on the sample of others among them. It is for the
// background.
func (t *Table) Sweep() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.turn++
	t.index.Load().gatherAll(t.Policy(), t.turn)
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
		x.gatherModel(served, t.Policy(), t.turn, nil)
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
