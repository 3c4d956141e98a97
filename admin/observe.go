package admin

import (
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/purchase"
	guests "github.com/tokenbuddy/caddy-tokenbuddy/selection"
)

// Request is what the metrics are told of a client's request.
type Request struct {
	Protocol, Model, Seller, Outcome string
	TimeToFirstByte, Duration        time.Duration
}

// ObserveRequest counts a request that has ended. Model and Seller are empty where it never came to them.
func ObserveRequest(r Request) {
	requests.WithLabelValues(r.Protocol, models.limited(r.Model), sellers.limited(r.Seller), r.Outcome).Inc()
	outcomes.WithLabelValues(r.Protocol, r.Outcome).Inc()
	requestDuration.WithLabelValues(r.Protocol).Observe(r.Duration.Seconds())
	if r.TimeToFirstByte > 0 {
		timeToFirstByte.WithLabelValues(r.Protocol).Observe(r.TimeToFirstByte.Seconds())
	}
}

// ObserveRefusal counts an answer of the gateway's own, by its code or, where a purchase was wanting, by what stood in its way.
func ObserveRefusal(reason string) { refusals.WithLabelValues(reason).Inc() }

// ObserveFirstContent times the first content of a seller's good answer, since it was asked.
func ObserveFirstContent(seller string, d time.Duration) {
	firstContent.WithLabelValues(sellers.limited(seller)).Observe(d.Seconds())
}

// ObserveAttempt counts an attempt at a seller.
func ObserveAttempt(seller, kind string) {
	attempts.WithLabelValues(sellers.limited(seller), kind).Inc()
}

// ObserveFailover counts a move to another seller.
func ObserveFailover(kind string) { failovers.WithLabelValues(kind).Inc() }

// ObserveStream counts a stream as open until the function it gives is called.
func ObserveStream() (ended func()) {
	streams.Add(1)
	return func() { streams.Add(-1) }
}

// StreamsOpen is how many streams are open now, in all gateways of the process.
func StreamsOpen() int64 { return streams.Load() }

// streams is what streamsOpen gives.
var streams atomic.Int64

// ObserveBilled counts what a seller took for a request; below zero: what it turned out not to have taken.
func ObserveBilled(member, model, seller string, micros money.Micros) {
	member, model, seller = members.limited(member), models.limited(model), sellers.limited(seller)
	billed.add(micros, member, model, seller)
	billedByMember.add(micros, member, model)
	billedBySeller.add(micros, seller, model)
}

// ObserveCorrection counts by how much the cost of a request that was counted has changed.
func ObserveCorrection(seller string, c ledger.Corrected) {
	if c.Wasted {
		ObserveWaste(seller, c.CountedMicros)
	} else {
		ObserveBilled(c.Member, c.Model, seller, c.TakenMicros())
	}
	if beyond := c.BeyondBelief(); beyond != 0 {
		ObserveDispute(seller, beyond)
	}
}

// ObserveEstimate counts a booking that nobody but the gateway has said the cost of.
func ObserveEstimate(seller string, micros money.Micros) {
	estimates.WithLabelValues(sellers.limited(seller)).Inc()
	estimated.WithLabelValues(sellers.limited(seller)).Add(float64(micros))
}

// ObserveBudgetWarning counts that so much of a budget is spent: of a member, or of a group. The budget is daily, weekly or monthly.
func ObserveBudgetWarning(member, group, budget string, percent int) {
	budgetWarnings.WithLabelValues(members.limited(member), group, budget, strconv.Itoa(percent)).Inc()
}

// Purchases counts what the purchase desk does.
var Purchases = purchase.Observer{
	Purchase: func(seller, outcome string, credit money.Micros) {
		purchases.WithLabelValues(sellers.limited(seller), outcome).Inc()
		if credit > 0 {
			purchased.WithLabelValues(sellers.limited(seller)).Add(float64(credit))
		}
	},
	PaidNotGranted: func(seller string, _ money.Micros) { paidNotGranted.WithLabelValues(sellers.limited(seller)).Inc() },
	Refused: func(seller string, lack purchase.Lack) {
		refusedPurchases.WithLabelValues(sellers.limited(seller), string(lack)).Inc()
	},
	Braked:  func(seller string, _ money.Micros) { brakes.WithLabelValues(sellers.limited(seller)).Inc() },
	Guest:   func(method, step, _ string) { methodFaults.WithLabelValues(method, step).Inc() },
	Waste:   ObserveWaste,
	Renewed: func(seller string) { renewals.WithLabelValues(sellers.limited(seller)).Inc() },
}

// ObserveDispute counts what a seller took beyond what is believed; below zero: what it turned out not to have taken.
func ObserveDispute(seller string, micros money.Micros) {
	disputed.add(micros, sellers.limited(seller))
}

// ObserveWaste counts credit that was lost; below zero: what turned out not to be lost.
func ObserveWaste(seller string, micros money.Micros) {
	if micros != 0 {
		wasted.add(micros, sellers.limited(seller))
	}
}

// ObservePolicyFault counts a fault of a selection policy that is a guest, by its module's id.
func ObservePolicyFault(module, call string) {
	policyFaults.WithLabelValues(strings.TrimPrefix(module, guests.Namespace+"."), call).Inc()
}

// ObserveCommit times a durable commit of the ledger.
func ObserveCommit(d time.Duration) { ledgerCommit.Observe(d.Seconds()) }
