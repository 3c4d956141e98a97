package gateway

import (
	"errors"
	"time"

	"go.uber.org/zap"

	"github.com/tokenbuddy/caddy-tokenbuddy/dialect"
	"github.com/tokenbuddy/caddy-tokenbuddy/market"
	"github.com/tokenbuddy/caddy-tokenbuddy/routing"
)

// mayAsk holds the member to its rate, by the clock of now and before the request is read. Counting tokens is rated by itself.
func (rq *request) mayAsk() *dialect.Refusal {
	allow := rq.gw.rates.Allow
	if rq.endpoint.Free() {
		allow = rq.gw.rates.AllowCount
	}
	err := allow(rq.member, time.Now())
	refused, ok := errors.AsType[*market.RateError](err)
	switch {
	case !ok:
		return nil
	case refused.Away != nil:
		rq.log.Warn("fleet.unavailable", zap.String("requestId", rq.id), zap.Error(err))
		return dialect.FleetUnavailable(refused.After).Because("This gateway can't find out now whether your rate of requests allows this one. Try again in a moment.")
	}
	return dialect.RateLimited(refused.After)
}

// mayUse holds every model that the request names against the member's list, by the ids after aliases.
func (rq *request) mayUse(index *routing.Index) *dialect.Refusal {
	if !rq.member.Allows(rq.served) {
		return dialect.ModelNotAllowed(rq.ask.Model)
	}
	for _, named := range rq.ask.Models {
		served, ok := index.Resolve(named)
		if !ok {
			served = named // a name of the seller's own
		}
		if !rq.member.Allows(served) {
			return dialect.ModelNotAllowed(named)
		}
	}
	return nil
}
