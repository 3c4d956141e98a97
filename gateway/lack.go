package gateway

import (
	"cmp"
	"slices"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/dialect"
	"github.com/tokenbuddy/caddy-tokenbuddy/purchase"
	"github.com/tokenbuddy/caddy-tokenbuddy/routing"
)

// What a client is told that no seller was asked for: what was wanting, and when it will be there.

// explain has the refusal of a request that wanted for a purchase say so, and when it will be there: where no seller was asked, or
// those that were would not take the token.
func (t *trade) explain(refusal *dialect.Refusal) choice {
	unpaid := t.unpaid()
	if unpaid == nil || slices.ContainsFunc(t.tried, (*attempt).failedOtherwise) {
		return choice{refusal: refusal}
	}
	if unpaid.lack == purchase.LacksFleet {
		refusal = dialect.FleetUnavailable(refusal.RetryAfter)
	}
	refusal = refusal.Because("No seller could be paid: " + unpaid.wants())
	switch wait := time.Until(unpaid.until); {
	case !unpaid.until.IsZero() && !t.dueBefore(wait):
		refusal = refusal.Asked(wait)
	case lasting(unpaid.lack) && !t.dueBefore(never):
		refusal.RetryAfter = 0
		refusal = refusal.Final()
	}
	return choice{refusal: refusal, unpaid: unpaid.lack}
}

// failedOtherwise tells whether the attempt has failed for another reason than want of money.
func (a *attempt) failedOtherwise() bool {
	return a.call != nil && a.outcome.Kind != routing.InsufficientFunds && a.outcome.Kind != routing.AuthInvalid
}

// unpaid is the attempt whose want will be over first; nil where the request did not want for a purchase.
func (t *trade) unpaid() (first *attempt) {
	for _, a := range t.tried {
		if a.lack != "" && (first == nil || cmp.Or(cmp.Compare(a.wait(), first.wait()), a.until.Compare(first.until)) < 0) {
			first = a
		}
	}
	return first
}

// wait ranks what an attempt wanted for, what will be there soonest first.
func (a *attempt) wait() int {
	switch {
	case a.lack == purchase.LacksCredit:
		return 3 // another attempt tells why nothing was bought
	case !a.until.IsZero():
		return 1
	case lasting(a.lack):
		return 2
	}
	return 0
}

// never is longer than anybody waits.
const never = 1000 * time.Hour

// dueBefore tells whether a candidate that rests is due before that. One that wants for money does so after its rest, too.
func (t *trade) dueBefore(wait time.Duration) bool {
	now := time.Now()
	for _, c := range t.rq.candidates {
		if slices.ContainsFunc(t.tried, func(a *attempt) bool { return a.candidate == c && a.lack != "" }) {
			continue
		}
		if due := t.state(c).Wait(now, c.Model).For; due > 0 && due < wait {
			return true
		}
	}
	return false
}

// lasting tells whether a want stays until a human does something about it.
func lasting(l purchase.Lack) bool {
	switch l {
	case purchase.LacksAmount, purchase.LacksMethod, purchase.LacksTrust, purchase.LacksSession, purchase.LacksHuman:
		return true
	}
	return false
}

// wants says to the client what the attempt wanted for. A seller that is to be trusted again at some time is not told of as one that cheats.
func (a *attempt) wants() string {
	if a.lack == purchase.LacksTrust && !a.until.IsZero() {
		return "it is not known yet what the seller has served for its last money."
	}
	return wants[a.lack]
}

// wants says to clients what was wanting.
var wants = map[purchase.Lack]string{
	purchase.LacksCredit:   "there is not enough credit, and none is bought.",
	purchase.LacksFleet:    "the store of the fleet is away, and nothing is bought without it.",
	purchase.LacksDay:      "what may be spent on purchases today is spent.",
	purchase.LacksSession:  "what this gateway may spend on purchases is spent.",
	purchase.LacksSeller:   "what may be spent at the seller today is spent.",
	purchase.LacksWallet:   "what may be paid by the seller's payment method today is paid.",
	purchase.LacksMinute:   "the seller had its purchases of this minute.",
	purchase.LacksAmount:   "the seller wants more for such a request than may be bought at once.",
	purchase.LacksMethod:   "there is no payment method that the seller takes.",
	purchase.LacksHuman:    "the purchase waits for a human.",
	purchase.LacksDoubt:    "it is not known yet what became of the last purchase.",
	purchase.LacksTrust:    "the seller took money and served next to nothing, and gets no more.",
	purchase.LacksClock:    "what was bought last is over by the clock of this gateway's machine, which is ahead of the fleet's.",
	purchase.LacksTime:     "the purchase takes longer than a request waits.",
	purchase.LacksPurchase: "the purchase failed.",
}
