package seller

import (
	"bytes"
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/tokenbuddy/caddy-tokenbuddy/guestcall"
	"github.com/tokenbuddy/caddy-tokenbuddy/seller/acceptance"
	"github.com/tokenbuddy/caddy-tokenbuddy/wire"
)

// keepBegun is how long an order is kept whose settlement was begun, and past its end one that may have been paid without: buyers ask
// for a day, and may look for a human's payment for another one before.
const keepBegun = 48 * time.Hour

// collect makes an order one that is paid, or says why it is not. What may move money is written down before it does, and
// nothing is remembered as an answer before the money is there: a seller that says no and remembers it would keep money that
// came late, and one that says yes too early would give credit away. The method is asked while nothing of the books is held.
func (s *Seller) collect(ctx context.Context, b *Books, q wire.CompletePurchase) *refusal {
	p := &proof{seller: s, books: b, method: s.accepted[q.PaymentMethod], q: q}
	seen, refused := p.look()
	if seen == nil || refused != nil {
		return refused
	}
	v := b.verdict(q.PaymentMethod, "accept", acceptTime, func() acceptance.Verdict { return p.method.Accept(*seen, bytes.Clone(q.Proof)) })
	o, refused := p.begin(*seen, v)
	if o == nil || refused != nil {
		return refused
	}
	return p.cash(ctx, p.method.(acceptance.Settler), *o)
}

// proof is what a buyer shows for an order, until it is known whether that is paid.
type proof struct {
	seller *Seller
	books  *Books
	method acceptance.Acceptance // nil: the seller does not take it
	q      wire.CompletePurchase
}

// look gives the order where the method has to look at a proof of it.
func (p *proof) look() (*acceptance.Order, *refusal) {
	p.books.mu.Lock()
	defer p.books.mu.Unlock()
	own, refused := p.unpaid(time.Now().UTC().Truncate(time.Second))
	if own == nil {
		return nil, refused
	}
	o := own.offered(p.q.PurchaseID, p.q.OrderID)
	return &o, nil
}

// unpaid gives the order that the proof is shown for, where it is not paid yet. The books' mu is held.
func (p *proof) unpaid(now time.Time) (*order, *refusal) {
	b, q := p.books, &p.q
	if done := b.orders[hash(q.OrderID)]; done != nil && done.Token != nil {
		return nil, nil // in the meantime; the answer is remembered under its key
	}
	own, refused := b.payable(*q)
	if refused != nil || own.Settled != "" {
		return nil, refused
	}
	switch {
	case p.method == nil:
		return nil, p.seller.notTaken()
	case own.over(now) && !paidBefore(p.method):
		return nil, gone()
	case own.settling:
		return nil, unavailable("the payment is being settled; try again")
	case own.Proof != nil && *own.Proof != hash(string(q.Proof)):
		return nil, conflict("another payment of this order is being settled; send that again")
	case b.paidByAnother(own, now):
		return nil, conflict("the purchase is paid by another order, or being paid; complete that one")
	}
	return own, nil
}

// begin does what the method says of the proof, which it has seen with the order as it was then, and writes down where that has to be settled. Without an
// order there is nothing to settle.
func (p *proof) begin(seen acceptance.Order, v acceptance.Verdict) (*acceptance.Order, *refusal) {
	b := p.books
	b.buying.Lock()
	defer b.buying.Unlock()
	now, elsewhere := time.Now().UTC().Truncate(time.Second), false
	if settles(p.method) {
		begins.Lock() // until it is noted, or not begun: no other seller begins with the same meanwhile
		defer begins.Unlock()
		elsewhere = b.paidElsewhere(hash(p.q.OrderID), now)
	}
	o, undo, refused := p.judge(now, elsewhere, seen, v)
	if o == nil {
		return nil, refused
	}
	if err := b.save(); err != nil {
		b.mu.Lock()
		defer b.mu.Unlock()
		undo()
		b.warn(err)
		return nil, unavailable("the payment could not be written down; try again")
	}
	return o, nil
}

// judge takes the method's verdict. It gives the order where that has to be settled, which is noted then, and what takes that back.
func (p *proof) judge(now time.Time, elsewhere bool, seen acceptance.Order, v acceptance.Verdict) (_ *acceptance.Order, undo func(), _ *refusal) {
	b := p.books
	b.mu.Lock()
	defer b.mu.Unlock()
	own, refused := p.unpaid(now)
	switch {
	case own == nil:
		return nil, nil, refused
	case elsewhere:
		return nil, nil, conflict("the purchase is paid at another seller, or being paid; complete it there")
	case seen.Begun != (own.Proof != nil): // somebody else has shown it meanwhile
		return nil, nil, unavailable("the payment is being settled; try again")
	case v.Kind == acceptance.KindPaid:
		own.Settled = v.Reference // written down with the grant
		return nil, nil, nil
	case v.Kind == acceptance.KindToSettle && !settles(p.method):
		b.misbehaved(p.q.PaymentMethod, "accept", faultVerdict)
		return nil, nil, unavailable("the payment can't be settled; try again")
	case v.Kind == acceptance.KindToSettle:
	case own.over(now) && v.Kind == acceptance.KindRefused:
		return nil, nil, gone()
	default:
		return nil, nil, refusedBy(v)
	}
	shown, before := hash(string(p.q.Proof)), own.KeepUntil
	own.Proof, own.settling, own.Refused, own.KeepUntil = &shown, true, false, now.Add(keepBegun)
	b.note(change{Orders: []order{*own}})
	return &seen, func() {
		if own.settling = false; !seen.Begun {
			own.Proof, own.KeepUntil = nil, before
		}
	}, nil
}

const (
	// cashWait is how long a buyer is kept waiting for its payment to be cashed, and with it a server that is to stop.
	cashWait = 2 * time.Minute
	// cashTime is how long that may take before the method counts as one that does not return. An x402 facilitator has five minutes.
	cashTime = 6 * time.Minute
)

// cash has the method cash a payment. The buyer may leave, and is not kept waiting for ever; the payment goes on, and what has become of it is
// there when the buyer asks again.
func (p *proof) cash(ctx context.Context, method acceptance.Settler, o acceptance.Order) *refusal {
	b, name := p.books, p.q.PaymentMethod
	_, release, refused := p.seller.hold() // the request may be over before
	if refused != nil {
		p.cashed(acceptance.NotYet(""))
		return refused
	}
	var over atomic.Bool // it has returned, or was given up
	late := time.AfterFunc(cashTime, func() {
		if !over.Swap(true) {
			b.leftBehind(name, 1)
			b.misbehaved(name, "settle", guestcall.Blocked)
		}
	})
	answer := make(chan *refusal, 1)
	go func() {
		defer release()
		v := b.verdict(name, "settle", 0, func() acceptance.Verdict {
			return method.Settle(context.WithoutCancel(ctx), o, bytes.Clone(p.q.Proof))
		})
		late.Stop()
		if over.Swap(true) {
			b.leftBehind(name, -1)
		}
		answer <- p.cashed(v)
	}()
	wait := time.NewTimer(cashWait)
	defer wait.Stop()
	select {
	case refused := <-answer:
		return refused
	case <-wait.C:
	case <-ctx.Done():
	}
	return unavailable("the payment is being settled; try again")
}

// cashed writes down what has become of a payment that was to be cashed.
func (p *proof) cashed(v acceptance.Verdict) *refusal {
	b := p.books
	b.buying.Lock()
	defer b.buying.Unlock()
	b.mu.Lock()
	own := b.orders[hash(p.q.OrderID)]
	if own == nil {
		b.mu.Unlock()
		return unavailable("the order is gone; ask the seller")
	}
	own.settling = false
	switch v.Kind {
	case acceptance.KindPaid:
		own.Settled = v.Reference
		b.note(change{Orders: []order{*own}})
	case acceptance.KindRefused:
		own.Refused = true
		b.note(change{Orders: []order{*own}})
	case acceptance.KindOver:
		own.Proof, own.Refused, own.KeepUntil = nil, false, own.ExpiresAt
		b.note(change{Orders: []order{*own}})
	}
	b.mu.Unlock()
	if v.Kind != acceptance.KindPaid {
		b.logger.Info("seller.payment.open", zap.String("seller", b.seller), zap.String("method", p.q.PaymentMethod), zap.String("why", v.Reason))
		return refusedBy(v)
	}
	if err := b.save(); err != nil {
		b.warn(err)
		return unavailable("the payment could not be written down; try again")
	}
	return nil
}

// settles tells whether the proofs of a method have to be cashed.
func settles(method acceptance.Acceptance) bool {
	_, ok := method.(acceptance.Settler)
	return ok
}

// over tells whether the order's time is: what may have been paid has no end.
func (o *order) over(now time.Time) bool { return o.Proof == nil && !now.Before(o.ExpiresAt) }

func gone() *refusal {
	return &refusal{status: http.StatusGone, code: "order_expired", message: "the order has expired; create a new one"}
}

// paidByAnother tells whether a payment of the same purchase counts for another order: what is bound to the purchase would count for
// both. b.mu is held.
func (b *Books) paidByAnother(own *order, now time.Time) bool {
	for _, o := range b.orders {
		if o != own && o.Purchase == own.Purchase && o.mayBePaid(now) {
			return true
		}
	}
	return false
}

// mayBePaid tells whether a payment counts for the order, or may yet.
func (o *order) mayBePaid(now time.Time) bool {
	return (o.Proof != nil || o.Settled != "") && !now.After(o.KeepUntil)
}

// begins is held while a settlement is begun, by whichever seller of this process.
var begins sync.Mutex

// paidElsewhere tells whether a payment of an order's purchase counts at another seller of this process: at one origin, and with one
// address to be paid at, it would count for both.
func (b *Books) paidElsewhere(id digest, now time.Time) (paid bool) {
	b.mu.Lock()
	o := b.orders[id]
	if o == nil {
		b.mu.Unlock()
		return false
	}
	own := *o
	b.mu.Unlock()
	pool.Range(func(_, v any) bool {
		if other := v.(*Books); other != b {
			other.mu.Lock()
			defer other.mu.Unlock()
			for _, o := range other.orders {
				if o.Purchase == own.Purchase && o.Origin == own.Origin && o.mayBePaid(now) {
					paid = true
				}
			}
		}
		return !paid
	})
	return paid
}

// offered is the order as an acceptance sees it.
func (o *order) offered(purchaseID, orderID string) acceptance.Order {
	return acceptance.Order{
		PurchaseID: purchaseID, OrderID: orderID, Origin: o.Origin, AmountMicros: o.Amount, Payment: bytes.Clone(o.Payment), ExpiresAt: o.ExpiresAt,
		Begun: o.Proof != nil,
	}
}

// refusedBy is how a verdict is told. What is not known is never a refusal: a buyer would take it for one.
func refusedBy(v acceptance.Verdict) *refusal {
	switch v.Kind {
	case acceptance.KindOtherOrder:
		return conflict(v.Reason)
	case acceptance.KindRefused, acceptance.KindOver:
		return &refusal{status: http.StatusPaymentRequired, code: "payment_refused", param: "proof", message: v.Reason}
	}
	return unavailable(v.Reason)
}
