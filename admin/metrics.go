package admin

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tokenbuddy/caddy-tokenbuddy/events"
)

// The collectors are the process's, not a config's: Caddy makes a new registry at each reload, and counters that began
// again with it would lie.
var (
	requests = prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: "tokenbuddy", Name: "requests_total", Help: "Requests of clients, by what became of them.",
	}, []string{"protocol", "model", "seller", "outcome"})
	outcomes = prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: "tokenbuddy", Name: "outcomes_total", Help: "Requests of clients, by what became of them alone; every outcome is there from the start.",
	}, []string{"protocol", "outcome"})
	refusals = prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: "tokenbuddy", Name: "refusals_total", Help: "Answers of the gateway's own, by their reason.",
	}, []string{"reason"})
	attempts = prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: "tokenbuddy", Name: "attempts_total", Help: "Attempts at sellers, by kind of outcome.",
	}, []string{"seller", "kind"})
	failovers = prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: "tokenbuddy", Name: "failovers_total", Help: "Moves to another seller, by the kind of outcome that caused them.",
	}, []string{"kind"})
	timeToFirstByte = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Namespace: "tokenbuddy", Name: "time_to_first_byte_seconds", Help: "From the request to the first byte of its answer.",
		Buckets: prometheus.ExponentialBuckets(0.005, 2, 14),
	}, []string{"protocol"})
	firstContent = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Namespace: "tokenbuddy", Name: "first_content_seconds", Help: "From the moment a seller was asked to the first content of its good answer.",
		Buckets: prometheus.ExponentialBuckets(0.025, 2, 12),
	}, []string{"seller"})
	requestDuration = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Namespace: "tokenbuddy", Name: "request_duration_seconds", Help: "From the request to the end of its answer.",
		Buckets: prometheus.ExponentialBuckets(0.01, 2, 16),
	}, []string{"protocol"})
	streamsOpen = prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Namespace: "tokenbuddy", Name: "streams_open", Help: "Event streams that are being passed through.",
	}, func() float64 { return float64(StreamsOpen()) })
	purchases = prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: "tokenbuddy", Name: "purchases_total", Help: "Purchases of credit, by outcome.",
	}, []string{"seller", "outcome"})
	purchased = prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: "tokenbuddy", Name: "purchased_micros_total", Help: "Credit bought, in millionths of a US dollar.",
	}, []string{"seller"})
	billed = newCorrectable(prometheus.CounterOpts{
		Namespace: "tokenbuddy", Name: "billed_micros_total", Help: "What sellers took for requests, in millionths of a US dollar.",
	}, []string{"member", "model", "seller"})
	billedByMember = newCorrectable(prometheus.CounterOpts{
		Namespace: "tokenbuddy", Name: "billed_by_member_micros_total", Help: "What sellers took for the requests of a member, in millionths of a US dollar.",
	}, []string{"member", "model"})
	billedBySeller = newCorrectable(prometheus.CounterOpts{
		Namespace: "tokenbuddy", Name: "billed_by_seller_micros_total", Help: "What a seller took for requests, in millionths of a US dollar.",
	}, []string{"seller", "model"})
	estimates = prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: "tokenbuddy", Name: "estimates_total", Help: "Bookings of which the seller did not say the cost.",
	}, []string{"seller"})
	estimated = prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: "tokenbuddy", Name: "estimated_micros_total", Help: "What was booked by estimate, in millionths of a US dollar.",
	}, []string{"seller"})
	renewals = prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: "tokenbuddy", Name: "renewals_total", Help: "Purchases that were begun ahead, before the token in use comes to its end.",
	}, []string{"seller"})
	wasted = newCorrectable(prometheus.CounterOpts{
		Namespace: "tokenbuddy", Name: "wasted_micros_total", Help: "Credit lost to failed attempts and dropped tokens, in millionths of a US dollar.",
	}, []string{"seller"})
	disputed = newCorrectable(prometheus.CounterOpts{
		Namespace: "tokenbuddy", Name: "disputed_micros_total", Help: "What sellers took for requests beyond what is believed, in millionths of a US dollar.",
	}, []string{"seller"})
	refusedPurchases = prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: "tokenbuddy", Name: "purchases_refused_total", Help: "Requests that got no token, by what they wanted for.",
	}, []string{"seller", "lacks"})
	paidNotGranted = prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: "tokenbuddy", Name: "purchases_paid_not_granted_total", Help: "Purchases that were paid, as their payment method knows, and have brought no token.",
	}, []string{"seller"})
	brakes = prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: "tokenbuddy", Name: "purchase_brakes_total", Help: "How often a seller that took and did not serve was to get no more money.",
	}, []string{"seller"})
	methodFaults = prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: "tokenbuddy", Name: "payment_method_faults_total", Help: "How often a payment method did not do what it is to do, by step.",
	}, []string{"method", "step"})
	policyFaults = prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: "tokenbuddy", Name: "selection_policy_faults_total", Help: "How often a selection policy did not do what it is to do, by call.",
	}, []string{"policy", "call"})
	budgetWarnings = prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: "tokenbuddy", Name: "budget_warnings_total", Help: "How often 80 or 100 percent of a member's or a group's budget were spent.",
	}, []string{"member", "group", "budget", "percent"})
	eventsDropped = prometheus.NewCounterFunc(prometheus.CounterOpts{
		Namespace: "tokenbuddy", Name: "events_dropped_total", Help: "Events that nobody was told of, as too many waited for a slow handler.",
	}, func() float64 { return float64(events.Dropped()) })
	ledgerCommit = prometheus.NewHistogram(prometheus.HistogramOpts{
		Namespace: "tokenbuddy", Name: "ledger_commit_seconds", Help: "Durable commits of the ledger.",
		Buckets: prometheus.ExponentialBuckets(0.0001, 2, 14),
	})
)

// counted are the collectors that requests and purchases count in.
var counted = []prometheus.Collector{
	requests, outcomes, refusals, attempts, failovers, timeToFirstByte, firstContent, requestDuration, streamsOpen, purchases, purchased,
	billed, billedByMember, billedBySeller, estimates, estimated, renewals, wasted, disputed, refusedPurchases, paidNotGranted, brakes,
	methodFaults, policyFaults, budgetWarnings, eventsDropped, ledgerCommit,
}

// whole is all that there is to gather, as one: what is known by now has its series before any of them is read.
type whole struct{ looker }

// Describe lists what may be gathered.
func (w whole) Describe(ch chan<- *prometheus.Desc) {
	for _, c := range counted {
		c.Describe(ch)
	}
	w.looker.Describe(ch)
}

// Collect gathers it.
func (w whole) Collect(ch chan<- prometheus.Metric) {
	w.looker.Collect(ch)
	for _, c := range counted {
		c.Collect(ch)
	}
}

// RegisterMetrics puts the collectors into a config's registry.
func RegisterMetrics(r *prometheus.Registry) error {
	if err := r.Register(whole{}); err != nil && !errors.As(err, new(prometheus.AlreadyRegisteredError)) {
		return err
	}
	return nil
}
