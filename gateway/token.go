package gateway

import (
	"context"
	"errors"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/purchase"
	"github.com/tokenbuddy/caddy-tokenbuddy/relay"
	"github.com/tokenbuddy/caddy-tokenbuddy/routing"
)

// obtainToken leases a token for the seller; one is bought where none is there.
func (a *attempt) obtainToken(refused, again *purchase.Lease) routing.Outcome {
	if again != nil {
		a.lease = again
		return routing.Outcome{}
	}
	if own, ok := a.rq.gw.account(a.candidate.Seller); ok {
		a.lease = purchase.Account(own.Value)
		return routing.Outcome{}
	}
	likely, bound := a.rq.likely(a.candidate), a.rq.bound(a.candidate)
	if refused == nil {
		seller := a.candidate.Seller
		a.lease = a.rq.gw.desk.Take(purchase.Want{SellerID: seller.ID, Origin: seller.Origin, Model: a.candidate.Model, Likely: likely, Bound: bound})
		if a.lease != nil {
			return routing.Outcome{}
		}
	}
	want := a.rq.gw.want(a.candidate, likely, bound)
	want.NoPurchase, want.Others = a.noPurchase, a.others
	return a.awaitToken(want, refused)
}

// awaitToken leases a token where none was there just now.
func (a *attempt) awaitToken(want purchase.Want, refused *purchase.Lease) routing.Outcome {
	client := a.rq.r.Context()
	ctx, cancel := context.WithCancel(client)
	defer cancel()
	defer context.AfterFunc(a.rq.gw.shutdown, cancel)()
	if !a.rq.ask.Stream {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, a.rq.timeLeft())
		defer cancel()
	}
	begun := time.Now()
	if refused != nil {
		a.lease, a.err = a.rq.gw.desk.Rebuy(ctx, want, refused)
	} else {
		a.lease, a.err = a.rq.gw.desk.Lease(ctx, want)
	}
	a.tracePurchase(begun)
	a.lack, a.until = purchase.Lacking(a.err)
	switch {
	case a.err == nil:
		return routing.Outcome{}
	case client.Err() != nil:
		return routing.Outcome{Kind: routing.ClientGone}
	}
	switch a.lack {
	case purchase.LacksDay, purchase.LacksSession, purchase.LacksSeller, purchase.LacksWallet, purchase.LacksCredit, purchase.LacksFleet:
		return routing.Outcome{Kind: routing.BudgetExceeded}
	}
	a.mindAddress()
	return routing.Outcome{Kind: routing.PurchaseFailed}
}

// mindAddress takes note where this site's config keeps it from the seller's address. That is no fault of the seller: other sites may
// reach it.
func (a *attempt) mindAddress() {
	if errors.Is(a.err, purchase.ErrForbidden) || errors.As(a.err, new(*relay.AddressError)) {
		a.ours = true
		a.rq.gw.table.Forbid(a.candidate.Seller.Key(), time.Now())
	}
}
