package gateway

import (
	"strconv"

	"go.uber.org/zap"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/relay"
	"github.com/tokenbuddy/caddy-tokenbuddy/wire"
)

// readSettlement takes in a settlement that came with the headers of an answer.
func (a *attempt) readSettlement() {
	if a.candidate.Seller.Account {
		return // it is a stranger to the protocol, and not believed
	}
	s, ok, err := wire.SettlementFromHeader(a.answer.response.Header)
	if err != nil {
		a.rq.log.Warn("settlement.refused", zap.String("requestId", a.rq.id), zap.String("seller", a.candidate.Seller.ID), zap.Error(err))
		a.answer.unread = true
	}
	if ok {
		a.answer.settled = &s
	}
}

// takeSettlements takes the settlements out of an error that is an event stream, and takes in what they say as that of any stream.
func (a *attempt) takeSettlements() {
	n := a.answer
	if n.bytes, n.told = relay.TakeSettlements(n.bytes, relay.SaysEvents(n.response.Header)); n.told != nil {
		n.response.Header.Set("Content-Length", strconv.Itoa(len(n.bytes)))
	}
}

// settlement is what the seller says the request cost, nil when it has not said so. Headers win over the event.
func (n *answer) settlement() *wire.Settlement {
	if n.settled == nil && n.told != nil {
		return n.told.Settlement()
	}
	return n.settled
}

// otherSettlements are what else the seller has said that the request cost, in the order in which they count where that is
// no settlement after all.
func (n *answer) otherSettlements() []*wire.Settlement {
	if n.told == nil {
		return nil
	}
	if last := n.told.Settlement(); n.settled != nil && last != nil {
		return append([]*wire.Settlement{last}, n.told.Earlier()...)
	}
	return n.told.Earlier()
}

// balance is what the seller says is left on the token, nil when it says nothing.
func (n *answer) balance() *money.Micros {
	if s := n.settlement(); s != nil {
		return s.BalanceMicros
	}
	return wire.BalanceFromHeader(n.response.Header)
}
