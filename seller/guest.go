package seller

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/tokenbuddy/caddy-tokenbuddy/guestcall"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/seller/acceptance"
	"github.com/tokenbuddy/caddy-tokenbuddy/wire"
)

// A way of being paid may be somebody else's: it may panic, and not return. It is called on a goroutine of its own, while nothing of the books is held.
const (
	acceptTime = 5 * time.Second // for what does no I/O
	maxStuck   = 64              // calls that have not returned by then: a method is asked no more until some have
	maxReason  = 500             // bytes of what it gives for a reason: a buyer reads no refusal of more than 64 KiB
)

// The faults of a way of being paid, beside those of any guest.
const (
	faultBusy  guestcall.Fault = "has not returned from earlier calls"
	faultOffer guestcall.Fault = "made no offer"

	faultVerdict guestcall.Fault = "gave a verdict that is none, or has to be settled, which it can't"
)

// guarded calls a method, for as long as it is given; a limit of 0 is none. It gives nothing of one that misbehaves, which is told.
func guarded[T any](b *Books, method, step string, limit time.Duration, f func() (T, error)) (value T, ok bool, err error) {
	if b.leftBehind(method, 0) >= maxStuck {
		b.misbehaved(method, step, faultBusy)
		return value, false, nil
	}
	ctx := context.Background()
	if limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, limit)
		defer cancel()
	}
	out := guestcall.Do(ctx, 0, f, func(late bool) {
		if late {
			b.leftBehind(method, -1)
		}
	})
	switch out.Fault {
	case "":
		return out.Value, true, out.Err
	case guestcall.Blocked:
		b.leftBehind(method, 1)
	}
	b.misbehaved(method, step, out.Fault, zap.ByteString("stack", out.Stack)) // what a panic says may be a secret
	return value, false, nil
}

// leftBehind gives how many calls of a method have not returned in time, after as many more.
func (b *Books) leftBehind(method string, more int) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stuck[method] += more
	return b.stuck[method]
}

func (b *Books) misbehaved(method, step string, fault guestcall.Fault, more ...zap.Field) {
	b.logger.Error("seller.payment.misbehaved", append([]zap.Field{
		zap.String("seller", b.seller), zap.String("method", method), zap.String("step", step), zap.String("fault", string(fault)),
	}, more...)...)
}

// verdict has a method look at a proof, or cash it. Of one that misbehaves nothing is known: a payment whose settlement was begun is not lost.
func (b *Books) verdict(method, step string, limit time.Duration, f func() acceptance.Verdict) acceptance.Verdict {
	v, ok, _ := guarded(b, method, step, limit, func() (acceptance.Verdict, error) { return f(), nil })
	if !ok {
		return acceptance.NotYet("it is not known yet whether the order is paid")
	}
	v.Reason = strings.ToValidUTF8(v.Reason[:min(len(v.Reason), maxReason)], "")
	if v.Kind > acceptance.KindOver {
		b.misbehaved(method, step, faultVerdict)
	}
	if v.Kind == acceptance.KindPaid && !wire.FitID(v.Reference) {
		v.Reference = newID("paid_") // it is what a paid order is told by
	}
	return v
}

// offer has a method say what its order needs; nil where it can't.
func (b *Books) offer(name string, method acceptance.Acceptance, o acceptance.Order) json.RawMessage {
	offer, ok, err := guarded(b, name, "offer", acceptTime, func() (json.RawMessage, error) { return method.Offer(o) })
	switch {
	case !ok:
		return nil
	case err != nil:
		b.misbehaved(name, "offer", faultOffer, zap.Error(err))
		return nil
	case offer == nil:
		return json.RawMessage("{}")
	case len(offer) > maxPurchaseBody || !json.Valid(offer):
		b.misbehaved(name, "offer", faultOffer, zap.Error(errors.New("it is not JSON, or longer than 64 KiB")))
		return nil
	}
	return offer
}

// leastOrder is the least order that a method takes; of one that does not say it, none is large enough.
func (b *Books) leastOrder(name string, method acceptance.Acceptance) money.Micros {
	l, ok := method.(acceptance.Least)
	if !ok {
		return 0
	}
	least, ok, _ := guarded(b, name, "least", acceptTime, func() (money.Micros, error) { return l.Least(), nil })
	if !ok {
		return money.Max
	}
	return least
}
