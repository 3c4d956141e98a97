package fleet

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// Books are what a gateway's ledger knows of its purchases.
type Books interface {
	Fate(ctx context.Context, id string) (Fate, error)
	// Counted gives what is paid of its purchases of a UTC day, or may be, and those that may be and have not ended.
	Counted(day string) (spent money.Micros, paying []Buy)
	// Ended gives the purchases of a UTC day that have ended and count.
	Ended(ctx context.Context, day string) ([]Buy, error)
}

// Fate is what a ledger knows of a purchase.
type Fate int

// The fates of purchases.
const (
	// FateUnknown: the ledger has none of that id. It never came so far there that it could be paid, or the ledger has lost it.
	FateUnknown Fate = iota
	FateOpen
	FatePaid   // it has ended, and counts as spent
	FateUnpaid // it has ended, and does not
)

// PurchasesOptions say whose purchases they are.
type PurchasesOptions struct {
	Store   Store
	Gateway string // the ledger's identity
	Boot    string // random, of the process
	Epoch   uint64 // one more with each start
	Books   Books
	// Restored is the epoch of the last process before the ledger was restored from a backup; 0: it was not.
	Restored uint64
	// Ahead is what this gateway may spend while the store is away: it is set aside, and counts as spent until it is given back.
	Ahead money.Micros
	// Lends tells that bought tokens are shared with the other gateways, and theirs with this one.
	Lends bool
	// Forgiven is told of sellers that an operator has forgiven, by way of whichever gateway. It must not block, and may be nil.
	Forgiven func(seller string)
	Logger   *zap.Logger // nil: nothing is logged
}

// Purchases hold what is spent on purchases to limits over all gateways. Each is counted in the store before it is prepared, and once more
// before it is paid, and there is none while the store is away but from what was set aside for that.
type Purchases struct {
	o PurchasesOptions

	changing chan struct{} // holds one while the tab is changed for what was left

	mu      sync.Mutex // protects all following fields
	limits  *BuyLimits // nil: not known yet
	session uint64
	day     string // of what is spent
	spent   [4]money.Micros
	tab     *tab // of which that is, which never changes; nil: none was seen
	away    bool
	gathers time.Time // until then all have the time to say what they have bought; zero: it is said

	ahead    money.Micros      // is left of what is set aside
	aheadDay string            // of which day's limits that is
	asked    time.Time         // when it was asked for
	used     map[string]*taken // what was taken of it, by purchase id
	ends     map[string]bool   // purchases that have ended, and whether they were paid, and the store does not know yet
	words    []word            // about sellers, that the store does not know yet
	speaks   bool              // for the gateway: what an earlier process has left is settled
	bought   map[string]string // by origin: another gateway's purchase that this one was told of after it had ended

	forgiven map[string]uint64 // how often sellers were, when it was looked last; keepUp's alone

	kick   chan struct{}
	ctx    context.Context
	cancel context.CancelFunc
	work   sync.WaitGroup
}

// taken is a purchase from what was set aside.
type taken struct {
	Buy
	day         string
	paying      bool // money may have left
	ended, paid bool
}

// NewPurchases gives purchases that Start brings to life.
func NewPurchases(o PurchasesOptions) *Purchases {
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	p := &Purchases{o: o, used: make(map[string]*taken), ends: make(map[string]bool), bought: make(map[string]string), kick: make(chan struct{}, 1), changing: make(chan struct{}, 1)}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	return p
}

// Start settles what an earlier process has left, and keeps up with the others until Close.
func (p *Purchases) Start() { p.work.Go(p.keepUp) }

// Close gives back what is set aside.
func (p *Purchases) Close() {
	p.cancel()
	p.work.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), changeTime)
	defer cancel()
	p.mu.Lock()
	p.o.Ahead = 0
	p.mu.Unlock()
	for err := p.settle(ctx); err != nil && !errors.Is(err, ErrFenced) && pause(ctx, probeEvery); { // else it counts as spent until this gateway is back
		err = p.settle(ctx)
	}
}

// The keys of purchases.
const tabKey = "p/spent"

// asideAgain is between two tries to have set aside what the limits have not left.
const asideAgain = time.Minute

// tabEvery is how often a gateway looks at what others have spent, and lookBackEvery how often at what it has left itself.
const (
	tabEvery      = 5 * time.Second
	lookBackEvery = 10 * time.Minute
)

func (p *Purchases) keepUp() {
	t := time.NewTicker(tabEvery)
	defer t.Stop()
	for looked := (time.Time{}); ; {
		ctx, cancel := context.WithTimeout(p.ctx, 2*changeTime)
		if p.speak(ctx) == nil && time.Since(looked) >= lookBackEvery && p.lookBack(ctx) == nil {
			looked = time.Now()
		}
		if !looked.IsZero() {
			_ = p.settle(ctx) // it is tried again
			_ = p.hear(ctx)
		}
		cancel()
		select {
		case <-p.ctx.Done():
			return
		case <-t.C:
		case <-p.kick:
		}
	}
}

// turn waits until nobody else changes the tab for what was left: nobody does until done is called.
func (p *Purchases) turn(ctx context.Context) (done func(), err error) {
	select {
	case p.changing <- struct{}{}:
		return func() { <-p.changing }, nil
	case <-ctx.Done():
		return nil, ErrAway
	}
}

// SetLimits says what the limits are, for what is set aside.
func (p *Purchases) SetLimits(l BuyLimits) {
	p.mu.Lock()
	p.limits, p.asked = &l, time.Time{}
	p.mu.Unlock()
	p.soon()
}

func (p *Purchases) soon() {
	select {
	case p.kick <- struct{}{}:
	default:
	}
}

// Away tells whether nothing can be bought, as the store is away, or was and not all have spoken since, and nothing is set aside.
func (p *Purchases) Away() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return (p.away || time.Now().Before(p.gathers)) && p.ahead <= 0
}

func (p *Purchases) isAway() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.away
}

// Spent gives what counts of all gateways' purchases today and in this session, as it was a moment ago.
func (p *Purchases) Spent() (day, session money.Micros) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.day == today() {
		day = p.spent[DailyLimit]
	}
	return day, p.spent[SessionLimit]
}

// SpentAt gives what counts of all gateways' purchases from a seller today, as it was a moment ago.
func (p *Purchases) SpentAt(sellerID string) money.Micros {
	p.mu.Lock()
	seen := p.tab
	p.mu.Unlock()
	if seen == nil {
		return 0
	}
	return seen.sums(today(), sellerID, "")[SellerLimit]
}

func today() string { return time.Now().UTC().Format(time.DateOnly) }

// Take counts a purchase against the limits, before it is prepared and, paying, before its money may leave. A *LimitError tells
// which one it would pass, ErrAway that the store is away. It may be called again for the same one, and counts it once.
func (p *Purchases) Take(ctx context.Context, b Buy, l BuyLimits, paying bool) error {
	day := today()
	p.mu.Lock()
	p.limits = &l
	if u := p.used[b.ID]; u != nil && (u.paying || !paying || u.day == day) { // else it counts anew
		u.paying = u.paying || paying
		p.mu.Unlock()
		return nil
	}
	delete(p.ends, b.ID)
	p.mu.Unlock()
	p.learnSession(ctx)
	wants := claimOf(p.o.Gateway, day, b, paying)
	var err error
	for range 2 { // once more where the store has to hear first who speaks
		if err = p.speak(ctx); err == nil {
			err = p.take(ctx, b.ID, wants, l)
		}
		if !errors.Is(err, errUnheard) {
			break
		}
	}
	if err != nil && !errors.Is(err, ErrAway) {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if err == nil {
		delete(p.used, b.ID) // it counts by itself
		return nil
	}
	if ctx.Err() != nil || paying || p.ahead < b.Amount || p.aheadDay != day {
		return err
	}
	if over := p.tab.over(day, b, l); over != nil {
		return over
	}
	p.ahead -= b.Amount
	p.used[b.ID] = &taken{Buy: b, day: day}
	p.o.Logger.Info("fleet.purchases.ahead", zap.String("purchaseId", b.ID), zap.Int64("amountMicros", int64(b.Amount)), zap.Int64("leftMicros", int64(p.ahead)))
	return nil
}

// End says that a purchase has ended: paid, it counts for good, else no more. The store hears of it in the background.
func (p *Purchases) End(b Buy, paid bool) {
	p.mu.Lock()
	if u := p.used[b.ID]; u != nil {
		u.ended, u.paid = true, paid
	}
	p.ends[b.ID] = paid
	p.words = append(p.words, word{seller: b.Seller, origin: b.Origin, over: b.ID, lends: paid && p.o.Lends})
	p.mu.Unlock()
	p.soon()
}

// change changes the tab, and learns from it. What may have been made is made again, until it is known.
func (p *Purchases) change(ctx context.Context, f func(t *tab) error) error {
	p.mu.Lock()
	session := p.session
	p.mu.Unlock()
	day := today()
	var spent [4]money.Micros
	var seen *tab
	var left time.Duration
	err := p.make(ctx, tabKey, func(at Moment, old []byte) ([]byte, error) {
		return changeTab(at, old, session, func(t *tab) error {
			heard, err := t.hears(p.o.Gateway, p.o.Epoch, p.o.Boot, at.Line)
			switch {
			case err != nil:
				return err
			case !heard:
				return errUnheard
			}
			err = f(t)
			spent, seen, left = t.sums(day, "", ""), t, t.gathers
			return err
		})
	})
	overLimit, gathers := errors.As(err, new(*LimitError)), errors.Is(err, errGathers)
	p.note(err != nil && !overLimit && !gathers && ctx.Err() == nil, err)
	if gathers {
		p.mu.Lock()
		p.gathers = time.Now().Add(left)
		p.mu.Unlock()
	}
	if err == nil || overLimit {
		p.mu.Lock()
		p.day, p.spent, p.tab = day, spent, seen
		p.mu.Unlock()
	}
	if errors.Is(err, errUnheard) {
		p.unheard()
	}
	return err
}

// unheard has the store be told again that this process speaks for its gateway. What it had set aside is forgotten as well.
func (p *Purchases) unheard() {
	p.mu.Lock()
	p.speaks, p.ahead, p.asked = false, 0, time.Time{}
	p.mu.Unlock()
	p.soon()
}

// errUnheard: the store has forgotten that this process speaks for its gateway, as after a failover or a restore: it is to be told again.
var errUnheard = fmt.Errorf("%w: it has forgotten this process", ErrAway)

// note keeps whether the store is there.
func (p *Purchases) note(away bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if away == p.away || p.ctx.Err() != nil {
		return
	}
	p.away = away
	if away {
		p.o.Logger.Warn("fleet.purchases.away", zap.Error(err), zap.Int64("aheadMicros", int64(p.ahead)),
			zap.String("hint", "nothing is bought until the store is back, but for what was set aside"))
	} else {
		p.o.Logger.Info("fleet.purchases.back")
	}
}

// make makes a change, and again where it is not known whether it was made. Every error but those of f is ErrAway.
func (p *Purchases) make(ctx context.Context, key string, f func(Moment, []byte) ([]byte, error)) error {
	var own error
	for try := 1; ; try++ {
		once, cancel := context.WithTimeout(ctx, changeTime)
		err := p.o.Store.Change(once, key, func(at Moment, old []byte) (next []byte, err error) {
			next, own = f(at, old)
			return next, own
		})
		cancel()
		switch {
		case err == nil || own != nil && errors.Is(err, own):
			return err
		case !errors.Is(err, ErrAway) && !errors.Is(err, ErrUnknown):
			return errors.Join(ErrAway, ErrUnknown, err)
		case !errors.Is(err, ErrUnknown) || try == tries || ctx.Err() != nil:
			return errors.Join(ErrAway, err)
		}
		pause(ctx, tryAgain)
	}
}

const (
	tries    = 3
	tryAgain = 100 * time.Millisecond
)

// learnSession learns which session it is. One that was just begun may be learnt of a moment later.
func (p *Purchases) learnSession(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, changeTime)
	defer cancel()
	_ = p.o.Store.Load(ctx, func(_ string, value []byte) error {
		s, err := readSession(value)
		if err != nil {
			return err
		}
		p.mu.Lock()
		p.session = max(p.session, s.N)
		p.mu.Unlock()
		return nil
	}, SessionKey)
}
