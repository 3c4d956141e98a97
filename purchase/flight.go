package purchase

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/payment"
)

const (
	firstRetry = 500 * time.Millisecond // until a purchase in doubt is gone on with, doubling
	lastRetry  = 5 * time.Minute

	notNowAgain = 2 * time.Second // between tries of what was not to be a moment ago, at most
	trackAgain  = 5 * time.Second // between looks at what is being paid while its order comes to its end, at most
)

// flight is the one purchase of a seller that is going on or in doubt, and the requests that wait for it. What is not the
// machine's is protected by the shelf's mu.
type flight struct {
	shelf   *shelf
	machine *machine // its goroutine's alone, once that is known how to reach the seller
	id      string
	method  string
	model   string
	created time.Time

	orders chan order    // what operators want of it
	known  chan struct{} // closed once the machine knows how to reach the seller
	gone   chan struct{} // closed once it has ended, or goes on no more in this process
	busy   bool          // it is not known yet, and the machine is its goroutine's for a moment

	since    time.Time // when it was begun, or taken up
	waiters  []*waiter
	ahead    bool  // it was begun for no request, as a token comes to its end
	loan     Loan  // what of another gateway's token would do beside
	doubt    error // set: nobody is to wait for it
	waitsFor error // what it waits for, whether or not others wait for it
	shown    standing
	human    payment.Outcome // what a human is asked to do, if so
	told     bool            // the operator knows that it is in doubt; its goroutine's alone

	refusedAt time.Time // when the seller has first refused the proof; its goroutine's alone
}

// resume takes up a purchase that an earlier process has left. s.mu is held.
func (s *shelf) resume(p ledger.Purchase) {
	f := newFlight(s, p)
	f.doubt = errors.New("it is not known yet how to reach the seller")
	if f.start() && s.flight == nil {
		s.flight = f
	}
}

func newFlight(s *shelf, p ledger.Purchase) *flight {
	return &flight{
		shelf: s, id: p.ID, method: p.Method, model: p.Model, created: p.CreatedAt, since: time.Now(),
		known: make(chan struct{}), machine: newMachine(s.desk, p), orders: make(chan order), gone: make(chan struct{}),
		shown: standing{awaits: p.Awaits, reference: p.Reference, updated: p.UpdatedAt},
	}
}

// start sets the purchase going; false where the desk is closed. The shelf's mu is held.
func (f *flight) start() bool {
	d := f.shelf.desk
	if !d.background(f.fly) {
		return false
	}
	d.methods.purchase(f.method, 1)
	d.mu.Lock()
	d.flights[f.id] = f
	d.mu.Unlock()
	return true
}

// cashingFor is how long requests wait for a seller that refuses the proof: it may be better a moment later.
const cashingFor = 3 * time.Second

// fly takes the purchase to its end, however long that takes.
func (f *flight) fly() {
	d := f.shelf.desk
	defer func() {
		d.mu.Lock()
		delete(d.flights, f.id)
		d.mu.Unlock()
		close(f.gone)
		d.methods.purchase(f.method, -1)
	}()
	if !f.findSeller() {
		return
	}
	for wait, waits := firstRetry, f.machine.p.State == ""; ; wait = min(2*wait, lastRetry) {
		if waits && f.lent() { // another gateway has bought
			return
		}
		renewed := d.renewal() // before the method is asked: one that comes meanwhile was not
		err := f.machine.run(d.ctx)
		waits = f.machine.p.State == "" && errors.Is(err, ErrElsewhere)
		f.show()
		if f.over(err) {
			return
		}
		if wait = f.tellWaiters(err, wait); waits && f.shelf.lends() {
			wait = lentAgain
		}
		if f.pause(f.machine.inTime(wait), renewed) {
			wait = firstRetry / 2 // somebody has helped
		}
		f.refresh()
	}
}

// tellWaiters keeps what the purchase waits for, or sends those away who are to wait for it no longer. It gives how long it waits, which was to be wait.
func (f *flight) tellWaiters(err error, wait time.Duration) time.Duration {
	switch {
	case errors.As(err, new(*NotNow)):
		f.note(err)
		return min(wait, notNowAgain)
	case errors.Is(err, errPending):
		f.note(err)
	case errors.Is(err, errApprove):
		f.inDoubt(err)
		return min(lastRetry, max(firstRetry, time.Until(f.machine.waitsUntil())))
	case errors.Is(err, errCashing), errors.Is(err, errCashed):
		if f.refusedAt.IsZero() {
			f.refusedAt = time.Now()
		}
		f.note(err)
		if left := cashingFor - time.Since(f.refusedAt); left > 0 {
			return min(wait, max(left, firstRetry))
		}
		f.inDoubt(err)
	default:
		f.inDoubt(err)
	}
	return wait
}

// over tells whether the purchase goes on no more in this process, by what its machine has come to, and does what that brings.
func (f *flight) over(err error) bool {
	notNow, isNotNow := errors.AsType[*NotNow](err)
	switch {
	case err == nil:
		f.land()
	case f.shelf.desk.ctx.Err() != nil:
		f.close()
	case errors.Is(err, errJournal):
		f.stall(err)
	case isNotNow && f.machine.p.State == "" && !errors.Is(err, ErrElsewhere):
		f.unbegun(notNow)
	default:
		return false
	}
	return true
}

// inTime is a wait after which what is paid meanwhile can still be shown: a twentieth of the time that the order has left. After
// its end it is as long as it was to be.
func (m *machine) inTime(wait time.Duration) time.Duration {
	left := time.Until(m.quote().ExpiresAt)
	if m.p.State != ledger.Paying && m.p.State != ledger.NeedsHuman || left <= 0 {
		return wait
	}
	return min(wait, max(left/20, min(left, trackAgain), firstRetry))
}

// pause waits for a while, or until somebody has helped: an operator's order was carried out, or the config is another.
func (f *flight) pause(wait time.Duration, renewed <-chan struct{}) (helped bool) {
	ctx := f.shelf.desk.ctx
	t := time.NewTimer(wait/2 + jitter(wait/2))
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	case o := <-f.orders:
		err := f.obey(ctx, o)
		f.show()
		o.done <- err
		return true
	case <-renewed:
		return true
	}
	return false
}

// note keeps what the purchase waits for, for onlookers. Requests go on waiting.
func (f *flight) note(err error) {
	f.shelf.mu.Lock()
	f.waitsFor = err
	f.shelf.mu.Unlock()
}

// tell gives all that wait the same error.
func (f *flight) tell(err error) {
	f.shelf.mu.Lock()
	defer f.shelf.mu.Unlock()
	for _, w := range f.waiters {
		w.told <- leased{err: err}
	}
	f.waiters = nil
}

// close leaves the purchase where it is, as the process ends.
func (f *flight) close() {
	f.shelf.mu.Lock()
	f.doubt = ErrClosed
	f.shelf.mu.Unlock()
	f.tell(f.shelf.fail("buy", "it goes on at the next start", ErrClosed))
}

// inDoubt sends those that wait away. The purchase goes on, and no other is begun at this seller.
func (f *flight) inDoubt(err error) {
	s := f.shelf
	s.mu.Lock()
	first := f.doubt == nil
	f.doubt, f.waitsFor, f.human = err, err, f.machine.human
	s.mu.Unlock()
	if first {
		f.tellDoubt(err)
	}
	f.tell(f.doubtful("nothing more is bought there until that is known", err))
}

// tellDoubt tells the operator of a purchase that does not go on as it should. An observer hears of each once; the log also where another
// doubt follows an approval.
func (f *flight) tellDoubt(why error) {
	d := f.shelf.desk
	f.shelf.mu.Lock()
	o := f.look()
	f.shelf.mu.Unlock()
	fields, hint := append(f.fields(), zap.Error(why)), o.Hint
	if o.Link != "" { // who has it may approve of the payment: it stands in no log
		hint = strings.TrimPrefix(hint+"; its link: caddy tokenbuddy purchases show "+f.id, "; ")
	}
	if hint != "" {
		fields = append(fields, zap.String("hint", hint))
	}
	d.log.Warn("purchase.in_doubt", fields...)
	if d.observer.Doubted != nil && !f.told {
		d.observer.Doubted(f.machine.p, why, hint)
	}
	f.told = true
}

// doubtful is the error of a request that does not wait for a purchase in doubt. The shelf's mu is held, or the purchase is the
// caller's.
func (f *flight) doubtful(hint string, doubt error) error {
	lack := LacksDoubt
	if f.human.Kind == payment.OutcomeNeedsHuman || errors.Is(doubt, errApprove) {
		lack = LacksHuman
	}
	return f.shelf.lacks(lack, time.Time{}, "buy", hint, fmt.Errorf("%w: %w", ErrInDoubt, doubt))
}

// stall leaves the purchase where it is: the ledger takes nothing any more. Where it never knew of the purchase, another may
// be tried.
func (f *flight) stall(err error) {
	s := f.shelf
	s.mu.Lock()
	f.doubt = err
	if f.machine.p.State == "" && s.flight == f {
		s.flight = nil
	}
	s.mu.Unlock()
	s.desk.log.Warn("purchase.failed", append(f.fields(), zap.Error(err))...)
	f.tell(s.fail("buy", "the process has to start again", err))
}

// unbegun forgets a purchase that was not begun, as it was not to be now.
func (f *flight) unbegun(e *NotNow) {
	s := f.shelf
	s.mu.Lock()
	f.doubt = e
	if s.flight == f {
		s.flight = nil
	}
	err := s.notNow(e, time.Now())
	s.dealings.uncount(f.machine.p.CreatedAt)
	s.mu.Unlock()
	f.tell(err)
}

// land gives what came of the purchase to those that wait for it.
func (f *flight) land() {
	s, m := f.shelf, f.machine
	credit := money.Micros(0)
	if m.p.State == ledger.Granted {
		credit = m.p.Token.CreditMicros
	}
	f.report(credit)
	if len(m.p.Intent) > 0 {
		m.guest.ended(m.quote(), bytes.Clone(m.p.Intent))
	}
	s.mu.Lock()
	if s.flight == f {
		s.flight = nil
	}
	switch {
	case m.p.State == ledger.Granted:
		f.shelve()
	case m.p.State == ledger.Disputed || !m.p.Unpaid:
		s.dealings.count(&life{id: m.p.ID, paid: m.p.AmountMicros}) // what never came has served nothing either
		if m.withheld {
			s.dealings.withhold(f.id)
		}
	}
	if m.p.Unpaid {
		s.desk.spent.freed(m.p.Method)
	}
	cause := m.cause
	if errors.Is(cause, ErrPayee) {
		s.payee = m.p.Method
	}
	if m.methodFailed {
		s.setAside(m.p.Method, time.Now())
	}
	limit, limited := errors.AsType[*LimitError](cause)
	if limited {
		s.desk.spent.keep(m.p.Method, limit, time.Now())
		cause = s.overTheLimit(limit)
	}
	if f.ahead && (m.methodFailed || limited && limit.Limit == ledger.MethodLimit) {
		s.aheadByNext(f, time.Now())
	}
	s.mu.Unlock()
	f.tell(cause)
}

// shelve puts the token that was granted onto the shelf, and gives each that waits a lease of it. The shelf's mu is held.
func (f *flight) shelve() {
	s, p := f.shelf, &f.machine.p
	s.shut.Store(0)
	s.hung = false
	if s.payee == p.Method || !s.desk.methods.offers(s.payee) {
		s.payee = ""
	}
	bought := *p.Token
	bought.PaidMicros = p.AmountMicros
	t := newToken(bought, s, s.bought.Add(1))
	t.wanted = int64(p.AskedMicros)
	s.purchases++
	s.purchased += bought.CreditMicros
	s.newest = t
	if bought.CreditMicros < p.AmountMicros/10 {
		s.dealings.count(t.life) // whatever it serves
	}
	leases := make([]*Lease, len(f.waiters)) // begun before others can take from the token, told of once it is there for all
	for i, w := range f.waiters {
		leases[i] = t.lend(w.cost)
	}
	deadline := time.Now().Add(s.desk.terms.Load().ExpiryMargin)
	t.stillborn = len(leases) == 0 && !t.expires.IsZero() && !t.expires.After(deadline.Add(patience))
	s.put(t, deadline)
	for i, w := range f.waiters {
		w.told <- leased{lease: leases[i]}
	}
	f.waiters = nil
}

func (f *flight) fields() []zap.Field {
	return []zap.Field{
		zap.String("seller", f.shelf.seller.id), zap.String("purchaseId", f.id), zap.Int64("amountMicros", f.machine.amount.Load()),
	}
}
