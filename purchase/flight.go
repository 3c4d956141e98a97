package purchase

import (
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/payment"
)

const (
	firstRetry = 500 * time.Millisecond // until a purchase in doubt is gone on with, doubling
	lastRetry  = 5 * time.Minute
)

// flight is the one purchase of a seller that is going on or in doubt, and the requests that wait for it. What is not the
// machine's is protected by the shelf's mu.
type flight struct {
	shelf   *shelf
	machine *machine // its goroutine's alone, once that is known how to reach the seller
	id      string
	method  string
	amount  money.Micros

	known   chan struct{} // closed once the machine knows how to reach the seller
	since   time.Time     // when it was begun, or taken up
	waiters []*waiter
	doubt   error   // set: nobody is to wait for it
	human   Outcome // what a human is asked to do, if so
}

// maxTimes is how many times the amount of a purchase may be bought for a request that needs more.
const maxTimes = 4

// amount is what is to be bought for a request: what it is likely to cost, or, once the seller has refused a token for that,
// what it can cost. It is not enough where more than that was refused for such a request before.
func (s *shelf) amount(c cost, refused bool, now time.Time) (amount money.Micros, enough bool) {
	had, known := s.short.had(c.bound, now)
	need := c.likely
	if refused || known {
		need = c.bound
	}
	per := s.desk.terms.Load().Amount
	amount = max(per, min(money.Micros(need), maxTimes*per))
	return amount, !known || int64(amount) > had
}

// begin starts a purchase, unless the seller or the operator's limits forbid it. s.mu is held.
func (s *shelf) begin(w Want, now time.Time, refused bool) (*flight, error) {
	amount, enough := s.amount(w.cost(), refused, now)
	switch {
	case len(w.Methods) == 0:
		return nil, s.fail("buy", "add a payment that the seller takes", ErrNoMethod)
	case amount <= 0:
		return nil, s.fail("buy", "set an amount above zero", errors.New("the amount of a purchase is zero"))
	case !enough:
		return nil, s.fail("buy", "lower the request's output limit, or raise the amount of a purchase", ErrTooDear)
	case s.useless():
		s.shutUntil(now.Add(shutFor))
		return nil, s.fail("buy", "it gets no more money until it is forgiven, or the process starts again", ErrUseless)
	}
	if err := s.desk.journal.Ready(); err != nil {
		return nil, s.fail("buy", "", err)
	}
	if err := s.desk.checkLimits(amount); err != nil {
		s.overLimit(err, now)
		return nil, err
	}
	if !s.countPurchase(now) {
		s.shutUntil(s.started[len(s.started)-1].Add(time.Minute))
		return nil, s.fail("buy", "wait a minute", ErrTooOften)
	}
	f := &flight{
		shelf: s, id: ledger.NewID(), method: w.Methods[0].Name, amount: amount, since: now,
		known: make(chan struct{}),
	}
	f.machine = newMachine(s.desk, ledger.Purchase{
		ID: f.id, Seller: w.SellerID, Origin: w.Origin, Model: w.Model, Method: f.method, AskedMicros: amount,
		AmountMicros: amount, Currency: "USD", CreatedAt: now.UTC(),
	})
	f.meet(w, now)
	if !s.desk.background(f.fly) {
		return nil, s.fail("buy", "", ErrClosed)
	}
	s.flight = f
	return f, nil
}

// checkLimits spares a seller the question where a limit is spent already. What counts is checked when it is written.
func (d *Desk) checkLimits(amount money.Micros) error {
	day, session := d.journal.Spent()
	limits := d.limits()
	for _, l := range []LimitError{
		{Limit: ledger.DailyLimit, LimitMicros: limits.Daily, SpentMicros: day, AmountMicros: amount},
		{Limit: ledger.SessionLimit, LimitMicros: limits.Session, SpentMicros: session, AmountMicros: amount},
	} {
		if l.LimitMicros >= 0 && l.SpentMicros.Add(amount) > l.LimitMicros {
			return &l
		}
	}
	return nil
}

// resume takes up a purchase that an earlier process has left. s.mu is held.
func (s *shelf) resume(p ledger.Purchase) {
	f := &flight{
		shelf: s, id: p.ID, method: p.Method, amount: p.AmountMicros, since: time.Now(), known: make(chan struct{}),
		doubt:   errors.New("it is not known yet how to reach the seller"),
		machine: newMachine(s.desk, p),
	}
	if s.desk.background(f.fly) && s.flight == nil {
		s.flight = f
	}
}

// meet tells the machine how to reach its seller, if it does not know yet and the purchase's method is still there. The
// shelf's mu is held.
func (f *flight) meet(w Want, now time.Time) {
	select {
	case <-f.known:
		return
	default:
	}
	for _, m := range w.Methods {
		if m.Name == f.method {
			f.machine.want, f.machine.method = w, m.Method
			f.since, f.doubt = now, nil
			close(f.known)
			return
		}
	}
	f.doubt = fmt.Errorf("the payment method %q of that purchase is not configured for the seller any more", f.method)
}

// fly takes the purchase to its end, however long that takes.
func (f *flight) fly() {
	d := f.shelf.desk
	if !f.findSeller() {
		f.close()
		return
	}
	for wait := firstRetry; ; wait = min(2*wait, lastRetry) {
		err := f.machine.run(d.ctx)
		switch {
		case err == nil:
			f.land()
			return
		case d.ctx.Err() != nil:
			f.close()
			return
		case errors.Is(err, errJournal):
			f.stall(err)
			return
		case !errors.Is(err, errPending):
			f.inDoubt(err)
		}
		_ = pause(d.ctx, wait)
	}
}

// findSeller waits until it is known how to reach the seller; false when the desk is closed before.
func (f *flight) findSeller() bool {
	s := f.shelf
	for {
		changed := s.desk.change()
		// Without terms no limit is known, and the purchase would fail for it.
		if r := s.desk.resolve; r != nil && s.desk.terms.Load().Amount > 0 {
			if w, ok := r(f.machine.p); ok {
				s.mu.Lock()
				f.meet(w, time.Now())
				s.mu.Unlock()
			}
		}
		select {
		case <-f.known:
			return true
		case <-s.desk.ctx.Done():
			return false
		case <-changed:
		}
	}
}

// tell gives all that wait the same error.
func (f *flight) tell(err error) {
	f.shelf.mu.Lock()
	defer f.shelf.mu.Unlock()
	for _, w := range f.waiters {
		w.told <- verdict{err: err}
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
	f.doubt, f.human = err, f.machine.human
	s.mu.Unlock()
	if first {
		fields := append(f.fields(), zap.Error(err))
		if f.human.Kind == payment.OutcomeNeedsHuman {
			fields = append(fields, zap.String("link", f.human.Link), zap.String("hint", f.human.Text))
		}
		s.desk.log.Warn("purchase.in_doubt", fields...)
	}
	f.tell(s.fail("buy", "nothing more is bought there until that is known", fmt.Errorf("%w: %w", ErrInDoubt, err)))
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

// land gives what came of the purchase to those that wait for it.
func (f *flight) land() {
	s, m := f.shelf, f.machine
	credit := money.Micros(0)
	if m.p.State == ledger.Granted {
		credit = m.p.Token.CreditMicros
	}
	f.report(credit)
	s.mu.Lock()
	if s.flight == f {
		s.flight = nil
	}
	switch {
	case m.p.State == ledger.Granted:
		s.shut.Store(0)
		t := newToken(*m.p.Token, s, s.bought.Add(1))
		s.purchases++
		s.purchased += credit
		s.remember(t)
		leases := make([]*Lease, len(f.waiters)) // begun before others can take from the token, told of once it is there for all
		for i, w := range f.waiters {
			leases[i] = t.share(w.cost)
		}
		s.put(t, time.Now().Add(s.desk.terms.Load().ExpiryMargin))
		for i, w := range f.waiters {
			w.told <- verdict{lease: leases[i]}
		}
		f.waiters = nil
	case m.p.State == ledger.Disputed || !m.p.Unpaid:
		// A token that was paid for and never came has served nothing either.
		never := new(token)
		never.state.Store(ended)
		s.remember(never)
	}
	s.mu.Unlock()
	f.tell(m.cause)
}

// report writes the end of the purchase down where operators look.
func (f *flight) report(credit money.Micros) {
	d, m := f.shelf.desk, f.machine
	outcome := string(m.p.State)
	limit := new(LimitError)
	switch {
	case m.p.State == ledger.Granted:
		d.log.Info("purchase.token.succeeded", append(f.fields(), zap.Int64("creditMicros", int64(credit)),
			zap.Time("expiresAt", m.p.Token.ExpiresAt))...)
	case errors.As(m.cause, &limit):
		outcome = budgetExceeded
		d.log.Warn("purchase.budget.exceeded", append(f.fields(), zap.Error(m.cause))...)
	default:
		d.log.Warn("purchase.failed", append(f.fields(), zap.String("state", outcome), zap.Error(m.cause))...)
	}
	if d.observer.Purchase != nil {
		d.observer.Purchase(m.p.Seller, outcome, credit)
	}
}

const budgetExceeded = "budget_exceeded"

// overLimit reports a purchase that was not begun: not each one, as every request may come to it. s.mu is held.
func (s *shelf) overLimit(err error, now time.Time) {
	if now.Sub(s.warned) < time.Minute {
		return
	}
	s.warned = now
	s.desk.log.Warn("purchase.budget.exceeded", zap.String("seller", s.seller.sellerID), zap.Error(err))
	if s.desk.observer.Purchase != nil {
		s.desk.observer.Purchase(s.seller.sellerID, budgetExceeded, 0)
	}
}

func (f *flight) fields() []zap.Field {
	return []zap.Field{
		zap.String("seller", f.shelf.seller.sellerID), zap.String("purchaseId", f.id), zap.Int64("amountMicros", int64(f.amount)),
	}
}

// fail gives an error of this seller.
func (s *shelf) fail(op, hint string, err error) error {
	return &PurchaseError{SellerID: s.seller.sellerID, Op: op, Hint: hint, Err: err}
}
