package admin

import (
	"errors"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/purchase"
	guests "github.com/tokenbuddy/caddy-tokenbuddy/selection"
)

// The collectors are the process's, not a config's: Caddy makes a new registry at each reload, and counters that began
// again with it would lie.
var (
	requests = prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: "tokenbuddy", Name: "requests_total", Help: "Requests of clients, by what became of them.",
	}, []string{"protocol", "model", "seller", "outcome"})
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
	billed = prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: "tokenbuddy", Name: "billed_micros_total", Help: "What sellers took for requests, in millionths of a US dollar.",
	}, []string{"member", "model", "seller"})
	wasted = prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: "tokenbuddy", Name: "wasted_micros_total", Help: "Credit lost to failed attempts and dropped tokens, in millionths of a US dollar.",
	}, []string{"seller"})
	disputed = prometheus.NewCounterVec(prometheus.CounterOpts{
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
	ledgerCommit = prometheus.NewHistogram(prometheus.HistogramOpts{
		Namespace: "tokenbuddy", Name: "ledger_commit_seconds", Help: "Durable commits of the ledger.",
		Buckets: prometheus.ExponentialBuckets(0.0001, 2, 14),
	})
)

// RegisterMetrics puts the collectors into a config's registry.
func RegisterMetrics(r *prometheus.Registry) error {
	for _, c := range []prometheus.Collector{
		requests, attempts, failovers, timeToFirstByte, requestDuration, streamsOpen, purchases, purchased, billed, wasted,
		disputed, refusedPurchases, paidNotGranted, brakes, methodFaults, policyFaults, budgetWarnings, ledgerCommit,
		looker{},
	} {
		var already prometheus.AlreadyRegisteredError
		if err := r.Register(c); err != nil && !errors.As(err, &already) {
			return err
		}
	}
	return nil
}

// labels keeps what clients and registries name from filling the memory: after so many distinct values the rest are one.
type labels struct {
	known sync.Map
	full  atomic.Bool
	mu    sync.Mutex // protects count
	count int
}

const (
	maxLabels  = 1000
	otherLabel = "other"
)

var members, models, sellers labels

func (l *labels) limited(value string) string {
	if value == "" {
		return ""
	}
	if _, ok := l.known.Load(value); ok {
		return value
	}
	if l.full.Load() {
		return otherLabel
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, ok := l.known.Load(value); ok {
		return value
	}
	if l.count == maxLabels {
		l.full.Store(true)
		return otherLabel
	}
	l.count++
	l.known.Store(value, struct{}{})
	return value
}

// Request is what the metrics are told of a client's request.
type Request struct {
	Protocol, Model, Seller, Outcome string
	TimeToFirstByte, Duration        time.Duration
}

// ObserveRequest counts a request that has ended. Model and Seller are empty where it never came to them.
func ObserveRequest(r Request) {
	requests.WithLabelValues(r.Protocol, models.limited(r.Model), sellers.limited(r.Seller), r.Outcome).Inc()
	requestDuration.WithLabelValues(r.Protocol).Observe(r.Duration.Seconds())
	if r.TimeToFirstByte > 0 {
		timeToFirstByte.WithLabelValues(r.Protocol).Observe(r.TimeToFirstByte.Seconds())
	}
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

// ObserveBilled counts what a seller took for a request.
func ObserveBilled(member, model, seller string, micros money.Micros) {
	billed.WithLabelValues(members.limited(member), models.limited(model), sellers.limited(seller)).Add(float64(micros))
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
	Braked: func(seller string, _ money.Micros) { brakes.WithLabelValues(sellers.limited(seller)).Inc() },
	Guest:  func(method, step, _ string) { methodFaults.WithLabelValues(method, step).Inc() },
	Waste:  ObserveWaste,
}

// ObserveDispute counts what a seller took beyond what is believed.
func ObserveDispute(seller string, micros money.Micros) {
	disputed.WithLabelValues(sellers.limited(seller)).Add(float64(micros))
}

// ObserveWaste counts credit that was lost.
func ObserveWaste(seller string, micros money.Micros) {
	wasted.WithLabelValues(sellers.limited(seller)).Add(float64(micros))
}

// ObservePolicyFault counts a fault of a selection policy that is a guest, by its module's id.
func ObservePolicyFault(module, call string) {
	policyFaults.WithLabelValues(strings.TrimPrefix(module, guests.Namespace+"."), call).Inc()
}

// ObserveCommit times a durable commit of the ledger.
func ObserveCommit(d time.Duration) { ledgerCommit.Observe(d.Seconds()) }
