package doctor

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tokenbuddy/caddy-tokenbuddy/market"
	"github.com/tokenbuddy/caddy-tokenbuddy/plain"
	"github.com/tokenbuddy/caddy-tokenbuddy/routing"
)

// maxModels is how many models one finding names.
const maxModels = 10

// unserved tells of the models that nobody can serve now: those that it is for the same reasons in one finding.
func (d *Diagnosis) unserved(all []routing.Unserved) {
	byReason := make(map[string][]routing.Unserved)
	var reasons []string
	for _, u := range all {
		why := whyUnserved(&u)
		if byReason[why] == nil {
			reasons = append(reasons, why)
		}
		byReason[why] = append(byReason[why], u)
	}
	for _, why := range reasons {
		same := byReason[why]
		var names []string
		for _, u := range same[:min(len(same), maxModels)] {
			names = append(names, plain.Name(u.Model))
		}
		models := "model " + names[0]
		if len(same) > 1 {
			models = fmt.Sprintf("%d models, %s", len(same), strings.Join(names, ", "))
		}
		if more := len(same) - len(names); more > 0 {
			models += fmt.Sprintf(" and %d more", more)
		}
		d.Wrong("Nobody can serve "+models+" now: "+why+".", remedy(&same[0]))
	}
}

// whyUnserved says why each seller of a model can't serve it.
func whyUnserved(u *routing.Unserved) string {
	switch {
	case u.AliasOf != "":
		return "it is an alias of " + plain.Name(u.AliasOf) + ", which no seller has"
	case len(u.Sellers) == 0:
		return "no seller has it"
	}
	var parts []string
	for _, s := range u.Sellers {
		parts = append(parts, "seller "+plain.Name(s.SellerID)+" "+obstacle(s))
	}
	if u.More > 0 {
		parts = append(parts, fmt.Sprintf("and %d more likewise", u.More))
	}
	return strings.Join(parts, ", ")
}

func obstacle(o routing.Obstacle) string {
	switch o.Why {
	case routing.ObstructionPaused:
		return "is paused"
	case routing.ObstructionExcluded:
		return "is excluded"
	case routing.ObstructionMethod:
		var names []string
		for _, m := range o.Methods {
			names = append(names, plain.Name(m))
		}
		return "wants to be paid by " + strings.Join(names, " or ") + ", which is not configured"
	case routing.ObstructionNotSelected:
		return "is not the one that the selection manual keeps to"
	case routing.ObstructionNoFunds:
		return "has no credit of ours, and none can be bought"
	case routing.ObstructionNotFound:
		return "says that it does not have it"
	case routing.ObstructionAddress:
		return "stands at an address that is refused for a seller of a registry"
	}
	return "fails"
}

// remedy says what to do about the obstacles, those first that an operator has made.
func remedy(u *routing.Unserved) string {
	if len(u.Sellers) == 0 {
		return "Is it mistyped, in model_alias or prewarm? caddy tokenbuddy sellers lists the sellers; GET /v1/models what there is."
	}
	var todo []string
	for _, o := range []struct {
		why  routing.Obstruction
		todo string
	}{
		{routing.ObstructionPaused, "Resume one: caddy tokenbuddy sellers resume <id>."},
		{routing.ObstructionExcluded, "Take one out of exclude in the Caddyfile."},
		{routing.ObstructionNotSelected, "Choose another selection."},
		{routing.ObstructionMethod, "Configure a payment method that one of them takes: payment <method> in the Caddyfile."},
		{routing.ObstructionAddress, "A registry's sellers are reached by https at public addresses alone: where one is to live in a private network, name that in seller_networks."},
		{routing.ObstructionNoFunds, "See to the limits, the wallet and the purchases."},
		{routing.ObstructionCircuit, "One that fails is tried again by itself; the log has what it answers."},
		{routing.ObstructionNotFound, "One that says it has not the model is asked again after ten minutes."},
	} {
		if slices.ContainsFunc(u.Sellers, func(s routing.Obstacle) bool { return s.Why == o.why }) {
			todo = append(todo, o.todo)
		}
	}
	return strings.Join(todo, " ")
}

// unpriced names models of which nobody knows what they cost.
func (d *Diagnosis) unpriced(all []market.Unpriced) {
	if len(all) == 0 {
		return
	}
	var names []string
	for _, u := range all[:min(len(all), maxModels)] {
		names = append(names, plain.Name(u.Model)+" of "+plain.Name(u.SellerID))
	}
	what := "There is no price of " + strings.Join(names, ", ")
	if more := len(all) - len(names); more > 0 {
		what += fmt.Sprintf(" and %d more", more)
	}
	d.Note(what+".", "A request to them is held at 5 cents, and a bill is believed up to what was paid for the token. "+
		"Give the price: price <model> <input> <output> in a pinned seller's block; else ask whoever runs the registry.")
}
