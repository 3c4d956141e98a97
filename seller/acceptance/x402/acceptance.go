// Package x402 takes USDC by the x402 protocol: it checks a signed authorization, has a facilitator cash it, and reads from the
// chain what became of it where the facilitator's answer was lost.
package x402

import (
	"context"
	"encoding/json"
	"net/http"
	"reflect"
	"strconv"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/payment/x402"
	"github.com/tokenbuddy/caddy-tokenbuddy/payment/x402/eip3009"
	"github.com/tokenbuddy/caddy-tokenbuddy/payment/x402/node"
	"github.com/tokenbuddy/caddy-tokenbuddy/seller/acceptance"
	"github.com/tokenbuddy/caddy-tokenbuddy/wire"
)

const (
	// offered is how long a buyer may let an authorization live, in seconds.
	offered = 300
	// margin is how long it must still live to be worth cashing.
	margin = 6 * time.Second
	// longest is how long it may still live, clocks that differ included. A purchase that was paid is remembered for a day at the least:
	// what lives on after that could be shown once more, for a new purchase of the same id, and the chain would say that it is paid.
	longest = time.Hour
	// staleAfter is how old the chain's latest block may be where its silence is to mean something.
	staleAfter = time.Minute
)

// Acceptance takes USDC.
type Acceptance struct {
	Config

	payTo       eip3009.Address
	domain      eip3009.Domain
	facilitator string
	node        node.Node
	client      *http.Client
	timeout     time.Duration
}

// CaddyModule returns the Caddy module information.
func (*Acceptance) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: acceptance.Namespace + ".x402", New: func() caddy.Module { return new(Acceptance) }}
}

// Least is a cent.
func (*Acceptance) Least() money.Micros { return money.USD / 100 }

// Offer is the requirement of an order.
func (a *Acceptance) Offer(o acceptance.Order) (json.RawMessage, error) {
	want, err := json.Marshal(x402.Requirement{
		Scheme: "exact", Network: a.Network, Amount: strconv.FormatInt(int64(o.AmountMicros), 10), Asset: a.domain.Contract.String(),
		PayTo: a.payTo.String(), MaxTimeoutSeconds: offered, Extra: x402.Extra{Name: a.domain.Name, Version: a.domain.Version},
	})
	if err != nil {
		return nil, err
	}
	resource, err := json.Marshal(map[string]string{
		"url": o.Origin + wire.PurchaseCompletePath, "description": "credit", "mimeType": "application/json",
	})
	if err != nil {
		return nil, err
	}
	return json.Marshal(x402.Required{Version: x402.Version, Resource: resource, Accepts: []json.RawMessage{want}})
}

// Accept checks all that needs nobody else: that the payment is for this purchase, as it was offered, in time, and signed.
func (a *Acceptance) Accept(o acceptance.Order, proof json.RawMessage) acceptance.Verdict {
	auth, sig, accepted, err := x402.ReadPayload(proof)
	if err != nil {
		return acceptance.Refused("the proof is not an x402 payment of version 2")
	}
	want, raw, err := wanted(o)
	if err != nil {
		return acceptance.Refused("the order was not offered for x402")
	}
	domain, err := x402.Domain(want.Network, &x402.Token{Address: want.Asset, Name: want.Extra.Name, Version: want.Extra.Version})
	elsewhere := domain.ChainID != a.domain.ChainID || domain.Contract != a.domain.Contract // the config is another one by now
	switch {
	case err != nil:
		return acceptance.Refused("the order was not offered for x402")
	case elsewhere && o.Begun: // what was cashed there no other chain knows of
		return acceptance.NotYet("the payment was begun in a token or on a network that this seller takes no more; ask the seller")
	case elsewhere:
		return acceptance.Refused("the order was offered in a token or on a network that this seller takes no more")
	}
	payTo, err := eip3009.ParseAddress(want.PayTo)
	now := time.Now()
	after, fits := auth.ValidAfter.Uint64()
	switch {
	case err != nil || auth.To != payTo || auth.Value.String() != want.Amount || !sameJSON(accepted, raw):
		return acceptance.Refused("the payment is not what the order asks for")
	case auth.Nonce != x402.Nonce(o.Origin, o.PurchaseID):
		return acceptance.OtherOrder("the payment was made for another purchase, or another seller")
	case !fits || int64(after) >= now.Unix():
		return acceptance.Refused("the authorization is not valid yet")
	case !o.Begun && !now.Add(margin).Before(auth.Ends()):
		return acceptance.Refused("the authorization is over, or has less than 6 seconds left")
	case !o.Begun && auth.Ends().After(now.Add(longest)):
		return acceptance.Refused("the authorization lives too long: sign it for 5 minutes at the most")
	}
	if from, err := eip3009.Recover(auth.Digest(domain), sig); err != nil || from != auth.From {
		return acceptance.Refused("the signature is not the payer's")
	}
	return acceptance.ToSettle()
}

// offer is what was offered, read.
type offer struct {
	x402.Requirement
	resource json.RawMessage
}

// wanted reads the requirement that was offered.
func wanted(o acceptance.Order) (want offer, raw json.RawMessage, err error) {
	var required x402.Required
	if err := wire.Decode(o.Payment, &required); err != nil || len(required.Accepts) != 1 {
		return offer{}, nil, errUnknown
	}
	want.resource = required.Resource
	want.Requirement, err = x402.ParseRequirement(required.Accepts[0])
	return want, required.Accepts[0], err
}

func sameJSON(a, b json.RawMessage) bool {
	var x, y any
	return json.Unmarshal(a, &x) == nil && json.Unmarshal(b, &y) == nil && reflect.DeepEqual(x, y)
}

// Settle has the payment cashed. One that was begun before is looked for on the chain first.
func (a *Acceptance) Settle(ctx context.Context, o acceptance.Order, proof json.RawMessage) acceptance.Verdict {
	ctx, cancel := context.WithTimeout(ctx, a.timeout)
	defer cancel()
	auth, sig, _, err := x402.ReadPayload(proof)
	if err != nil {
		return acceptance.Refused("the proof is not an x402 payment of version 2")
	}
	// The facilitator gets what was looked at, and nothing else of the buyer's: it may read JSON in another way, and cash what is not there.
	asked, accepted, err := wanted(o)
	if err == nil {
		proof, err = x402.WritePayload(auth, sig, asked.resource, accepted)
	}
	if err != nil {
		return acceptance.Refused("the order was not offered for x402")
	}
	if o.Begun {
		if v, known := a.look(ctx, auth); known {
			return v
		}
		if !time.Now().Add(margin).Before(auth.Ends()) {
			return a.over(ctx, auth)
		}
	}
	v, err := a.verify(ctx, proof, accepted)
	switch {
	case err != nil:
		return acceptance.NotYet("the facilitator can't be asked just now")
	case !v.ok():
		return a.refused(ctx, auth, "the facilitator does not take the payment")
	}
	v, err = a.settle(ctx, proof, accepted)
	switch {
	case err != nil:
		return a.unclear(ctx, auth)
	case v.ok():
		if transaction, sure := v.cashed(a.Network, auth); sure {
			return acceptance.Paid(transaction)
		}
		return a.unclear(ctx, auth)
	case v.Transaction != "" || v.ErrorReason == "settlement_pending":
		return a.unclear(ctx, auth)
	}
	return a.refused(ctx, auth, "the facilitator could not cash the payment")
}

// look asks the chain whether the payment has reached us. It is known when its nonce was used, one way or the other.
func (a *Acceptance) look(ctx context.Context, auth eip3009.Authorization) (v acceptance.Verdict, known bool) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	used, latest, _, err := a.used(ctx, auth, "latest")
	if err != nil || !used {
		return acceptance.Verdict{}, false
	}
	paid, transaction, err := a.node.Paid(ctx, a.domain.Contract, auth, latest)
	switch {
	case err != nil:
		return acceptance.NotYet("the payment has moved, and its transaction can't be found just now"), true
	case !paid:
		return acceptance.Refused("the nonce of the payment was used for something else"), true
	}
	return acceptance.Paid(transaction), true
}

func (a *Acceptance) used(ctx context.Context, auth eip3009.Authorization, tag string) (used bool, block node.Quantity, at time.Time, err error) {
	// One that hangs is not to take the facilitator's time as well.
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if err := a.node.SameChain(ctx, a.domain.ChainID); err != nil {
		return false, 0, time.Time{}, err
	}
	if block, at, err = a.node.Block(ctx, tag); err != nil {
		return false, 0, time.Time{}, err
	}
	used, err = a.node.Used(ctx, a.domain.Contract, auth.From, auth.Nonce, block)
	return used, block, at, err
}

// unclear is a settlement whose end nobody has told: paid where the chain says so, else the buyer is to ask again.
func (a *Acceptance) unclear(ctx context.Context, auth eip3009.Authorization) acceptance.Verdict {
	if v, known := a.look(context.WithoutCancel(ctx), auth); known {
		return v
	}
	return acceptance.NotYet("it is not known yet whether the payment was cashed")
}

// refused is a payment that the facilitator refuses. Its reasons do not prove who is at fault, and it may be an answer to
// what was cashed before: where the chain knows better it counts, and where it can't be asked nothing is known.
func (a *Acceptance) refused(ctx context.Context, auth eip3009.Authorization, reason string) acceptance.Verdict {
	if v, known := a.look(ctx, auth); known {
		return v
	}
	if used, _, at, err := a.used(ctx, auth, "latest"); err != nil || used || time.Since(at) > staleAfter {
		return acceptance.NotYet("it is not known yet whether the payment was cashed")
	}
	return acceptance.Refused(reason)
}

// over is a payment that was begun and can't be cashed any more. It has not been cashed only when a final block says so.
func (a *Acceptance) over(ctx context.Context, auth eip3009.Authorization) acceptance.Verdict {
	used, _, at, err := a.used(ctx, auth, "finalized")
	if err != nil || used || at.Before(auth.Ends()) {
		return acceptance.NotYet("it is not known yet whether the payment was cashed in time")
	}
	return acceptance.Over("the authorization has ended without being cashed")
}

var (
	_ acceptance.Acceptance = (*Acceptance)(nil)
	_ acceptance.Settler    = (*Acceptance)(nil)
	_ acceptance.Least      = (*Acceptance)(nil)
	_ caddy.Provisioner     = (*Acceptance)(nil)
	_ caddy.CleanerUpper    = (*Acceptance)(nil)
	_ caddyfile.Unmarshaler = (*Acceptance)(nil)
)
