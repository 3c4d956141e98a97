package gateway

import (
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/dialect"
	"github.com/tokenbuddy/caddy-tokenbuddy/routing"
)

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
