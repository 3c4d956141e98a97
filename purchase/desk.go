// Package purchase owns buying: the payment methods, the two-step purchase and its recovery, the tokens in use, and that
// the spending limits hold. It never touches a response to a client.
//
// A Desk has a shelf of tokens for each seller. A request leases a token from it, without a lock where one is there; else
// it waits for the seller's one purchase, which is a machine that goes on whoever waits for it.
package purchase

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// Journal is what the desk needs of the ledger; *ledger.Ledger is one. What it says is durable when a call returns.
type Journal interface {
	// Ready is nil while purchases may be begun.
	Ready() error
	Advance(ctx context.Context, p ledger.Purchase, limits ledger.Limits) error
	OpenPurchases() []ledger.Purchase
	Tokens() []ledger.Token
	// DropToken ends a token. ErrStillGood: it is for others, and no credit of it is here any more; it is asked again later.
	DropToken(ctx context.Context, id, reason string) error
	Spent() (day, session money.Micros)
	// SpentAt is what counts today (UTC) of what a seller got, whatever its origin.
	SpentAt(sellerID string) money.Micros
}

// Terms are what the operator allows.
type Terms struct {
	Amount       money.Micros  // of one purchase; up to four times it where the request at hand needs more
	RebuyBelow   money.Micros  // a token with less than this serves only where no other can be bought; half its credit, where it never had more
	DailyLimit   money.Micros  // of a UTC day; negative: none; zero: nothing may be spent
	SessionLimit money.Micros  // since the process started; negative: none; zero: nothing may be spent
	SellerLimit  money.Micros  // of a UTC day at one seller; negative: none; zero: nothing may be spent
	ExpiryMargin time.Duration // a token that expires sooner is not used again
	ApproveFrom  money.Micros  // a purchase of as much or more waits for an operator; zero: none does for that
	ApproveFirst bool          // so does each one at a seller (by id and origin) that has never granted a token
}

// Want says what a request needs a token for.
type Want struct {
	SellerID  string
	Origin    string // scheme://host[:port]: with the id, it is the seller
	BaseURL   string // where the purchase protocol's paths begin
	Query     string // goes with each request; without a question mark
	Model     string
	Methods   []NamedMethod // those that the seller takes, in our order of preference
	Transport http.RoundTripper
	// Likely is what the request will probably cost: tokens are chosen and bought by it.
	Likely money.Micros
	// Bound is the most that it can cost: what is bought after a seller has refused a token for want of credit covers it.
	Bound money.Micros
	// NoPurchase: a token that is there will do, however little is on it, and none is bought.
	NoPurchase bool
	// Others: another seller can serve the request. Where the last purchase here kept a request waiting in vain, this one does not
	// wait for the next: it goes on in the background, and serves later requests.
	Others bool
}

func (w *Want) seller() sellerKey { return sellerKey{w.SellerID, w.Origin} }

// Desk is where tokens are bought and kept. Its methods may be called from many goroutines.
type Desk struct {
	journal  Journal
	log      *zap.Logger
	observer Observer
	opened   func(sellerID string)
	resolve  func(ledger.Purchase) (Want, bool)
	methods  *methods
	spent    spentMethods
	health   health

	terms   atomic.Pointer[Terms]
	shelves atomic.Pointer[map[sellerKey]*shelf] // the map never changes
	woken   chan struct{}

	ctx    context.Context // ends at Close
	cancel context.CancelFunc
	work   sync.WaitGroup

	mu      sync.Mutex // protects the following fields, and shelves while one is added
	sellers map[string]*dealings
	flights map[string]*flight // the purchases that have not ended, by id
	closed  bool
	changed chan struct{} // closed, and made anew, when Resolve may know more
	renewed chan struct{} // closed, and made anew, when a config has come into force
}

// NewDesk opens a desk with the tokens that the journal has. Nothing is bought before SetTerms, and nothing that an earlier
// process has left is gone on with before Start.
func NewDesk(j Journal, o DeskOptions) *Desk {
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	d := &Desk{
		journal: j, log: o.Logger, observer: o.Observer, opened: o.Opened, resolve: o.Resolve, woken: make(chan struct{}, 1),
		changed: make(chan struct{}), renewed: make(chan struct{}), sellers: make(map[string]*dealings), flights: make(map[string]*flight),
	}
	d.health.sights = make(map[string]sight)
	d.methods = &methods{desk: d, names: make(map[string]*methodName), warned: make(map[string]time.Time)}
	d.ctx, d.cancel = context.WithCancel(context.Background())
	d.terms.Store(new(Terms))
	d.shelves.Store(new(map[sellerKey]*shelf))
	d.takeOver(o.Past)
	for _, t := range j.Tokens() {
		s := d.shelf(sellerKey{t.Seller, t.Origin})
		one := newToken(t, s, 0)
		one.takeOver(o.Past.tokens[t.PurchaseID])
		s.mu.Lock()
		s.put(one, time.Time{})
		s.mu.Unlock()
	}
	return d
}

// Start takes up the purchases that an earlier process has left open, and books the rest of tokens whose time is over, in
// the background until ctx ends or Close.
func (d *Desk) Start(ctx context.Context) {
	context.AfterFunc(ctx, d.cancel)
	for _, p := range d.journal.OpenPurchases() {
		s := d.shelf(sellerKey{p.Seller, p.Origin})
		s.mu.Lock()
		s.resume(p)
		s.mu.Unlock()
	}
	d.background(d.sweepOften)
	d.background(d.watchWallets)
}

// Close ends what the desk does in the background, and waits for it, but for calls of payment methods that do not return. A
// purchase that was going on is durable as far as it came, and is taken up at the next start.
func (d *Desk) Close() {
	d.mu.Lock()
	d.closed = true
	d.mu.Unlock()
	d.cancel()
	d.work.Wait()
	for _, s := range *d.shelves.Load() { // what has ended since the last sweep is in no ledger at the next start
		s.mu.Lock()
		s.judge()
		s.mu.Unlock()
	}
}

// background runs f until it returns; it tells whether the desk is still open.
func (d *Desk) background(f func()) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return false
	}
	d.work.Go(f)
	return true
}

// SetTerms puts the operator's terms in force for all that comes after.
func (d *Desk) SetTerms(t Terms) {
	d.terms.Store(&t)
	d.SellersChanged()
	d.mu.Lock()
	defer d.mu.Unlock()
	close(d.renewed)
	d.renewed = make(chan struct{})
}

// SellersChanged says that Resolve may know more than before. It does not wait for what comes of it.
func (d *Desk) SellersChanged() {
	d.mu.Lock()
	defer d.mu.Unlock()
	close(d.changed)
	d.changed = make(chan struct{})
}

// change is closed at the next SetTerms or SellersChanged.
func (d *Desk) change() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.changed
}

// renewal is closed at the next SetTerms.
func (d *Desk) renewal() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.renewed
}

func (d *Desk) limits() ledger.Limits {
	t := d.terms.Load()
	return ledger.Limits{Daily: t.DailyLimit, Session: t.SessionLimit, Seller: t.SellerLimit}
}

// shelf gives the seller's shelf, and makes it where there is none.
func (d *Desk) shelf(k sellerKey) *shelf {
	if s := (*d.shelves.Load())[k]; s != nil {
		return s
	}
	s, added := d.addShelf(k)
	if added && d.opened != nil {
		d.opened(k.id)
	}
	return s
}

func (d *Desk) addShelf(k sellerKey) (s *shelf, added bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	all := *d.shelves.Load()
	if s := all[k]; s != nil {
		return s, false
	}
	more := make(map[sellerKey]*shelf, len(all)+1)
	maps.Copy(more, all)
	s = newShelf(d, k, d.dealingsWith(k.id))
	more[k] = s
	d.shelves.Store(&more)
	return s, true
}

// Lease gives the smallest token that covers what the request is likely to cost, or buys one: one purchase at a seller serves
// all that wait for it, for 10 seconds at most. Where nothing can be bought, what is left serves, however little: it is
// the seller who knows whether it suffices. The error is a *PurchaseError, and a *LimitError too where a limit stands in the
// way; Lacking says what the request wants for.
//
// Where a purchase is not wanted, it gives a token that is there, or an error that is ErrNoCredit.
func (d *Desk) Lease(ctx context.Context, w Want) (*Lease, error) {
	return d.lease(ctx, w, nil)
}

// Rebuy gives another token after the seller has refused the one of old for want of credit, which it marks as Refused does: one that covers all that the
// request can cost, as the seller may hold back as much. What is left of others serves where none can be bought.
// What it buys covers the request's bound, up to four times the amount of a purchase. It buys once for all that hold the
// refused token; one that was bought since old was leased serves without. old stays to be returned by its owner.
func (d *Desk) Rebuy(ctx context.Context, w Want, old *Lease) (*Lease, error) {
	d.Refused(old, nil)
	w.Likely = max(w.Likely, w.Bound)
	return d.lease(ctx, w, old)
}

// Take is Lease where nothing has to be waited for: nil where no token is there. Who is to be paid, and how, need not be said.
func (d *Desk) Take(w Want) *Lease {
	s, terms := d.shelf(w.seller()), d.terms.Load()
	s.usedFor(w.Model)
	l := s.take(w.cost(), time.Now().Add(terms.ExpiryMargin), terms.RebuyBelow)
	if l == nil {
		return nil
	}
	if e := d.log.Check(zap.DebugLevel, "token.cache.hit"); e != nil {
		e.Write(zap.String("seller", w.SellerID), zap.String("tokenId", l.TokenID()), zap.Int64("balanceMicros", int64(l.Balance())))
	}
	return l
}

func (d *Desk) lease(ctx context.Context, w Want, old *Lease) (*Lease, error) {
	if l := d.Take(w); l != nil {
		return l, nil
	}
	c := w.cost()
	s, terms := d.shelf(w.seller()), d.terms.Load()
	if e := d.log.Check(zap.DebugLevel, "token.cache.miss"); e != nil {
		fields := s.miss(c, time.Now().Add(terms.ExpiryMargin), terms.RebuyBelow)
		e.Write(append(fields, zap.String("seller", w.SellerID), zap.String("model", w.Model))...)
	}
	if old == nil {
		if l := s.takeGuessed(c, time.Now().Add(terms.ExpiryMargin), min(terms.RebuyBelow, terms.Amount/2)); l != nil {
			return l, nil
		}
	}
	if w.NoPurchase {
		if l := s.makeDo(ctx, w, old); l != nil {
			return l, nil
		}
		return nil, d.refused(s.lacks(LacksCredit, time.Time{}, "lease", "", ErrNoCredit))
	}
	l, err := s.buy(ctx, w, old)
	if err == nil || ctx.Err() != nil {
		return l, err
	}
	if l := s.takeAny(c, time.Now().Add(terms.ExpiryMargin), old); l != nil {
		l.want = err
		return l, nil
	}
	return nil, d.refused(err)
}

// refused counts a request that gets no token.
func (d *Desk) refused(err error) error {
	if e, ok := errors.AsType[*PurchaseError](err); d.observer.Refused != nil && ok {
		d.observer.Refused(e.SellerID, e.Lack)
	}
	return err
}

// cost is what a request takes of a token, in micros.
type cost struct {
	likely int64
	bound  int64 // not below likely
}

// nothing tells whether the request can cost nothing: no token is bought for it where one is there, however little is on that.
func (c cost) nothing() bool { return c.bound == 0 }

// cost keeps what a request says of itself between nothing and money.Max: sums of more would overflow.
func (w *Want) cost() cost {
	likely := min(max(0, w.Likely), money.Max)
	return cost{int64(likely), int64(min(max(likely, w.Bound), money.Max))}
}

// Covers tells whether Lease would give a token without a purchase: one that is likely to suffice, or, where no other can be
// bought, one that may.
func (d *Desk) Covers(w Want) bool {
	s := (*d.shelves.Load())[w.seller()]
	if s == nil {
		return false
	}
	c, deadline := w.cost(), time.Now().Add(d.terms.Load().ExpiryMargin)
	t, _ := s.choose(c, deadline, 0)
	return t != nil || s.largest(c, deadline, nil) != nil || !c.nothing() && s.spare.Load() > 0
}

// Refused says that the seller refused the lease's token for want of credit. The token stays for smaller requests: what is
// usable of it is what the seller says, where it does, and a request that may cost as much does not get it again, unless
// fewer others are using it than now. Only the first call for a lease counts, and none once its token is out of use.
func (d *Desk) Refused(l *Lease, usable *money.Micros) {
	if l.account() || !l.refused.CompareAndSwap(false, true) || l.token.state.Load() != live {
		return
	}
	had, short, covered := l.token.refuse(l.cost, usable)
	s := l.token.shelf
	if covered {
		s.dealings.count(l.token.life)
	}
	if !short { // the seller has other reasons
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.short.add(l.cost.bound, had, time.Now())
}

// Drop takes the lease's token out of use at once: the seller does not know it. What is left on it is booked as waste, with
// the reason (ours, not a stranger's text), in the background, once every lease of it is back.
func (d *Desk) Drop(l *Lease, reason string) {
	t := l.token
	if l.account() {
		return
	}
	t.refused.Store(true)
	t.shelf.mu.Lock()
	defer t.shelf.mu.Unlock()
	t.shelf.retire(t, reason)
}

// ExpiryMargin is by how much sooner a token has had its time than it expires.
func (d *Desk) ExpiryMargin() time.Duration { return d.terms.Load().ExpiryMargin }
