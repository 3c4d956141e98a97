package purchase

import (
	"errors"
	"time"

	"go.uber.org/zap"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

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
	never := time.Time{}
	switch {
	case len(w.Methods) == 0:
		return nil, s.lacks(LacksMethod, never, "buy", "add a payment that the seller takes", ErrNoMethod)
	case amount <= 0:
		return nil, s.fail("buy", "set an amount above zero", errors.New("the amount of a purchase is zero"))
	case !enough:
		return nil, s.lacks(LacksAmount, never, "buy", "lower the request's output limit, or raise the amount of a purchase", ErrTooDear)
	}
	if err := s.distrust(now); err != nil {
		s.shutUntil(now.Add(shutFor))
		return nil, err
	}
	if err := s.desk.journal.Ready(); err != nil {
		if e, ok := errors.AsType[*NotNow](err); ok {
			return nil, s.notNow(e, now)
		}
		return nil, s.fail("buy", "", err)
	}
	method := s.method(w.Methods, amount, now).Name
	if limit := s.checkLimits(method, amount, now); limit != nil {
		s.overLimit(limit, now)
		return nil, s.overTheLimit(limit)
	}
	if next, ok := s.dealings.countPurchase(now); !ok {
		s.shutUntil(next)
		return nil, s.lacks(LacksMinute, next, "buy", "wait a minute", ErrTooOften)
	}
	f := newFlight(s, ledger.Purchase{
		ID: ledger.NewID(), Seller: w.SellerID, Origin: w.Origin, Model: w.Model, Method: method, AskedMicros: amount,
		AmountMicros: amount, Currency: "USD", CreatedAt: now.UTC(),
	})
	f.meet(w, now)
	if !f.start() {
		return nil, s.fail("buy", "", ErrClosed)
	}
	s.flight = f
	return f, nil
}

// distrust says why the seller gets no more money, if so. s.mu is held.
func (s *shelf) distrust(now time.Time) error {
	s.judge()
	if s.unsettled() {
		return s.lacks(LacksTrust, now.Add(shutFor), "buy", "wait until it is booked", ErrUnsettled)
	}
	if s.early() {
		return s.lacks(LacksClock, now.Add(shutFor), "buy", "put the clock of this machine right", ErrClockAhead)
	}
	if _, why := s.dealings.brake(); why != nil {
		return s.lacks(LacksTrust, time.Time{}, "buy", "it gets no more money until it is forgiven, or the process starts again", why)
	}
	return nil
}

// overTheLimit is the error of a request that a limit stands in the way of.
func (s *shelf) overTheLimit(limit *LimitError) error {
	return s.lacks(limitLacks[limit.Limit], limit.Resets, "buy", "", limit)
}

// reserves is a Journal in which something counts as spent that a purchase may still take. Its method does not wait.
type reserves interface {
	// Reserved is how much of what is spent that is.
	Reserved() money.Micros
}

// checkLimits spares a seller the question where a limit is spent already. What counts is checked when it is written.
func (s *shelf) checkLimits(method string, amount money.Micros, now time.Time) *LimitError {
	day, session := s.desk.journal.Spent()
	seller := s.desk.journal.SpentAt(s.seller.id)
	if j, ok := s.desk.journal.(reserves); ok {
		own := j.Reserved()
		day, session, seller = day-own, session-own, seller-own
	}
	limits, midnight := s.desk.limits(), now.UTC().Truncate(24*time.Hour).Add(24*time.Hour)
	for _, l := range []LimitError{
		{Limit: ledger.DailyLimit, LimitMicros: limits.Daily, SpentMicros: day, AmountMicros: amount, Resets: midnight},
		{Limit: ledger.SellerLimit, LimitMicros: limits.Seller, SpentMicros: seller, AmountMicros: amount, Resets: midnight},
		{Limit: ledger.SessionLimit, LimitMicros: limits.Session, SpentMicros: session, AmountMicros: amount},
	} {
		if l.LimitMicros >= 0 && l.SpentMicros.Add(amount) > l.LimitMicros {
			return &l
		}
	}
	return s.desk.spent.over(method, amount, now)
}

const budgetExceeded = "budget_exceeded"

// overLimit reports a purchase that was not begun: not each one, as every request may come to it. s.mu is held.
func (s *shelf) overLimit(err error, now time.Time) {
	if now.Sub(s.warned) < time.Minute {
		return
	}
	s.warned = now
	s.desk.log.Warn("purchase.budget.exceeded", zap.String("seller", s.seller.id), zap.Error(err))
	if s.desk.observer.Purchase != nil {
		s.desk.observer.Purchase(s.seller.id, budgetExceeded, 0)
	}
}

// fail gives an error of this seller: what is wanting is a purchase that succeeds.
func (s *shelf) fail(op, hint string, err error) error {
	return s.lacks(LacksPurchase, time.Time{}, op, hint, err)
}

// lacks gives an error of this seller that says what is wanting, and until when.
func (s *shelf) lacks(lack Lack, until time.Time, op, hint string, err error) error {
	return &PurchaseError{SellerID: s.seller.id, Lack: lack, Until: until, Op: op, Hint: hint, Err: err}
}

// notNow is the error of a request for which nothing is bought now. s.mu is held.
func (s *shelf) notNow(e *NotNow, now time.Time) error {
	until := now.Add(shutFor)
	if e.Until.After(until) {
		until = e.Until
	}
	s.shutUntil(until)
	hint := ""
	if e.lack() == LacksTrust {
		hint = "it gets no more money until it is forgiven"
	}
	return s.lacks(e.lack(), e.Until, "buy", hint, e)
}
