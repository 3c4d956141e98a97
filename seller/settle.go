package seller

import (
	"context"
	"net/http"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/tokenbuddy/caddy-tokenbuddy/seller/acceptance"
	"github.com/tokenbuddy/caddy-tokenbuddy/wire"
)

// keepBegun is how long an order is kept whose settlement was begun, and past its end one that may have been paid without: buyers ask
// for a day, and may look for a human's payment for another one before.
const keepBegun = 48 * time.Hour

// settle makes an order one that is paid, or says why it is not. What may move money is written down before it does, and
// nothing is remembered as an answer before the money is there: a seller that says no and remembers it would keep money that
// came late, and one that says yes too early would give credit away.
func (s *Seller) settle(ctx context.Context, b *Books, q wire.CompletePurchase) *refusal {
	method := s.accepted[q.PaymentMethod]
	o, refused := s.begin(b, method, q)
	if o == nil || refused != nil {
		return refused
	}
	// The buyer may leave; the payment goes on, and is there when it asks again.
	v := b.verdict(q.PaymentMethod, func() acceptance.Verdict {
		return method.(acceptance.Settler).Settle(context.WithoutCancel(ctx), *o, q.Proof)
	})

	b.buying.Lock()
	defer b.buying.Unlock()
	b.mu.Lock()
	own := b.orders[hash(q.OrderID)]
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
		b.logger.Info("seller.payment.open", zap.String("seller", b.seller), zap.String("method", q.PaymentMethod), zap.String("why", v.Reason))
		return refusedBy(v)
	}
	if err := b.save(); err != nil {
		b.warn(err)
		return unavailable("the payment could not be written down; try again")
	}
	return nil
}

// begin looks at the proof, and where it has to be settled writes that down. Without an order there is nothing to settle.
func (s *Seller) begin(b *Books, method acceptance.Acceptance, q wire.CompletePurchase) (*acceptance.Order, *refusal) {
	b.buying.Lock()
	defer b.buying.Unlock()
	now, elsewhere := time.Now().UTC().Truncate(time.Second), false
	if _, settles := method.(acceptance.Settler); settles {
		begins.Lock() // until it is noted, or not begun: no other seller begins with the same meanwhile
		defer begins.Unlock()
		elsewhere = b.paidElsewhere(hash(q.OrderID), now)
	}
	o, undo, refused := s.look(b, method, q, now, elsewhere)
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

// look has the method look at the proof. It gives the order where that has to be settled, which is noted then, and what takes that back.
func (s *Seller) look(b *Books, method acceptance.Acceptance, q wire.CompletePurchase, now time.Time, elsewhere bool) (_ *acceptance.Order, undo func(), _ *refusal) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if done := b.orders[hash(q.OrderID)]; done != nil && done.Token != nil {
		return nil, nil, nil // in the meantime; the answer is remembered under its key
	}
	own, refused := b.payable(q)
	if refused != nil || own.Settled != "" {
		return nil, nil, refused
	}
	proof := hash(string(q.Proof))
	expired := own.Proof == nil && !now.Before(own.ExpiresAt) // what may have been paid has no end
	switch {
	case method == nil:
		return nil, nil, s.notTaken()
	case expired && !paidBefore(method):
		return nil, nil, gone()
	case own.settling:
		return nil, nil, unavailable("the payment is being settled; try again")
	case own.Proof != nil && *own.Proof != proof:
		return nil, nil, conflict("another payment of this order is being settled; send that again")
	case b.paidByAnother(own, now):
		return nil, nil, conflict("the purchase is paid by another order, or being paid; complete that one")
	case elsewhere:
		return nil, nil, conflict("the purchase is paid at another seller, or being paid; complete it there")
	}
	o := own.offered(q.PurchaseID, q.OrderID)
	switch v := b.verdict(q.PaymentMethod, func() acceptance.Verdict { return method.Accept(o, q.Proof) }); {
	case v.Kind == acceptance.KindPaid:
		own.Settled = v.Reference // written down with the grant
		return nil, nil, nil
	case v.Kind == acceptance.KindToSettle:
	case expired && v.Kind == acceptance.KindRefused:
		return nil, nil, gone()
	default:
		return nil, nil, refusedBy(v)
	}
	before := own.KeepUntil
	own.Proof, own.settling, own.Refused, own.KeepUntil = &proof, true, false, now.Add(keepBegun)
	b.note(change{Orders: []order{*own}})
	return &o, func() {
		if own.settling = false; !o.Begun {
			own.Proof, own.KeepUntil = nil, before
		}
	}, nil
}

// verdict calls an acceptance, which may be somebody else's. Of one that panics nothing is known: neither does it hold the books up, nor
// is a payment lost whose settlement was begun.
func (b *Books) verdict(method string, call func() acceptance.Verdict) (v acceptance.Verdict) {
	defer func() {
		if recover() != nil { // what it says may be a secret
			b.logger.Error("seller.payment.panicked", zap.String("seller", b.seller), zap.String("method", method), zap.ByteString("stack", debug.Stack()))
			v = acceptance.NotYet("it is not known yet whether the order is paid")
		}
	}()
	if v = call(); v.Kind == acceptance.KindPaid && v.Reference == "" {
		v.Reference = newID("paid_") // it is what a paid order is told by
	}
	return v
}

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
		PurchaseID: purchaseID, OrderID: orderID, Origin: o.Origin, AmountMicros: o.Amount, Payment: o.Payment, ExpiresAt: o.ExpiresAt,
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

// origin is where the buyer has reached the seller: what its URL says, else what the request does; as gateways know it.
func (s *Seller) origin(r *http.Request) string {
	if s.site != "" {
		return s.site
	}
	at := "http://" + r.Host
	if r.TLS != nil {
		at = "https://" + r.Host
	}
	if _, origin, err := wire.ParseURL(at); err == nil {
		return origin
	}
	return strings.ToLower(at)
}
