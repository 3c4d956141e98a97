package gateway

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"

	"github.com/tokenbuddy/caddy-tokenbuddy/dialect"
	"github.com/tokenbuddy/caddy-tokenbuddy/market"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/routing"
)

// route finds the sellers to try, in order.
func (rq *request) route() *dialect.Refusal {
	index := rq.gw.indexFor(rq.r.Context(), rq.ask.Model)
	served, ok := index.Resolve(rq.ask.Model)
	if !ok {
		return rq.gw.unknown(rq.ask.Model)
	}
	rq.served = served
	if refusal := rq.mayUse(index); refusal != nil {
		return refusal
	}
	rq.gw.touch(served, rq.endpoint.Protocol)
	rq.conversation = rq.identifyConversation()
	likely := rq.expected()
	q := routing.Query{
		Served: served, Protocol: rq.endpoint.Protocol, Path: rq.endpoint.Path,
		Ceiling: money.Tokens{Prompt: likely.Prompt, Completion: rq.ask.MaxOutput}, Likely: likely, Now: rq.begun,
		Member: rq.member.Name, Group: rq.group(), Streamed: rq.ask.Stream, Tools: rq.ask.Tools,
	}
	rq.prefer(&q)
	offers := index.Candidates(served, rq.endpoint.Protocol)
	rq.candidates = rq.gw.table.Order(&q, offers, make([]*routing.Candidate, 0, routing.MaxReady))
	if len(rq.candidates) == 0 {
		return rq.absent(rq.gw.table.Absence(&q, offers))
	}
	if refusal := rq.weigh(); refusal != nil {
		return refusal
	}
	for _, c := range rq.candidates {
		if until := rq.begun.Add(rq.gw.settings.DeadlinesAt(c.Seller.ID).Unstreamed); until.After(rq.until) {
			rq.until = until
		}
	}
	if event := rq.log.Check(zap.DebugLevel, "route.selected"); event != nil {
		event.Write(zap.String("requestId", rq.id), zap.String("model", served),
			zap.String("seller", rq.candidates[0].Seller.ID), zap.Int("candidates", len(rq.candidates)))
	}
	return nil
}

// absent refuses a request that nobody can be asked for.
func (rq *request) absent(why routing.Absence) *dialect.Refusal {
	switch why {
	case routing.NobodyServes:
		return rq.gw.unknown(rq.ask.Model)
	case routing.ChosenLacks:
		if rq.gw.unlisted() {
			return rq.gw.unknown(rq.ask.Model)
		}
		return dialect.ModelNotChosen(rq.ask.Model)
	case routing.ChosenUnknown, routing.NobodyChosen:
		return rq.nobodyChosen(why)
	case routing.Off:
		return dialect.NoSeller(retryLater).Because("All sellers of this model are paused or excluded for now. Ask whoever runs the gateway.")
	case routing.ChosenOff:
		return dialect.NoSeller(retryLater).Because("The seller that this gateway keeps to is paused or excluded for now. Ask whoever runs the gateway.")
	}
	if rq.ask.Thread && rq.ask.PreviousResponseID != "" { // its client has all of it, and another seller may take that
		return dialect.ThreadNotFound()
	}
	if why == routing.MakerGone && (rq.gw.undocumented() || rq.gw.mayKnow(&rq.made, rq.begun)) {
		why = routing.MakerAway // the registry, or the next config, may yet name it
	}
	switch why {
	case routing.MakerLacks:
		return dialect.ModelNotKept(rq.ask.Model)
	case routing.MakerGone:
		return rq.makerGone()
	case routing.MakerAway:
		return dialect.NoSeller(retryLater).Because("The seller that made the response, or the container, from which this goes on is not there just now.")
	}
	return dialect.NoSeller(retryLater) // the policy wants none
}

// nobodyChosen refuses what nobody is asked for, as the selection manual names no seller that there is.
func (rq *request) nobodyChosen(why routing.Absence) *dialect.Refusal {
	switch {
	case rq.gw.undocumented(): // the registry may yet name one
		return rq.gw.unknown(rq.ask.Model)
	case why == routing.NobodyChosen:
		return dialect.ModelNotAsked(rq.ask.Model, "this gateway keeps to one seller, and none is named.")
	}
	return dialect.ModelNotAsked(rq.ask.Model, "the one seller that this gateway keeps to is not there.")
}

// makerGone refuses what goes on from what a seller has made that is gone for good: asked again, it would be so for ever.
func (rq *request) makerGone() *dialect.Refusal {
	if rq.ask.PreviousResponseID == "" {
		return dialect.ResponseNotFound("container").Because("The seller that made this container is none of this gateway's any more, " +
			"and what is in it is nobody else's. Ask without it.")
	}
	return dialect.ResponseNotFound("previous_response_id").Because("The seller that made this response is none of this gateway's any more, " +
		"and nobody else can go on from it. Send the whole conversation.")
}

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

// unknown refuses a model that no seller is known to have.
func (gw *Gateway) unknown(model string) *dialect.Refusal {
	switch {
	case !gw.undocumented() && !gw.unlisted():
		return dialect.ModelNotFound(model)
	case gw.shutdown.Err() != nil:
		return dialect.NoSeller(retryLater).Because(restarting)
	case !gw.undocumented():
		return dialect.NoSeller(retryUndocumented).Because("No seller is known to have this, and the list of models of one that may could not be read yet.")
	}
	return dialect.NoSeller(retryUndocumented)
}

// retryUndocumented is when to ask again where the registry has never given a document, or a provider its list.
const retryUndocumented = 5 * time.Second

// undocumented tells whether there is a registry that has never given a document: then nobody knows what sellers there are.
func (gw *Gateway) undocumented() bool { return gw.registry != nil && gw.registry.Document() == nil }

// index is the model index of now. It waits only on a first start that has never had a registry document, and not at the end of the
// process.
func (gw *Gateway) index(ctx context.Context) *routing.Index {
	if gw.registry != nil && !gw.informed.Load() {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		defer context.AfterFunc(gw.shutdown, cancel)()
		_ = gw.registry.Ready(ctx) // whatever became of it, the index says what there is
		gw.catchUp()
	}
	return gw.table.Index()
}
