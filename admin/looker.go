package admin

import (
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tokenbuddy/caddy-tokenbuddy/market"
	"github.com/tokenbuddy/caddy-tokenbuddy/routing"
)

// looker gathers, when it is scraped, what the open markets know anyway.
type looker struct{}

var (
	creditMicros = prometheus.NewDesc("tokenbuddy_credit_micros",
		"Credit left at a seller, in millionths of a US dollar.", []string{"seller"}, nil)
	adjustmentMicros = prometheus.NewDesc("tokenbuddy_adjustment_micros",
		"What balances that a seller reported have taken beyond what requests explain, in millionths of a US dollar; below zero: given.", []string{"seller"}, nil)
	walletMicros = prometheus.NewDesc("tokenbuddy_wallet_micros",
		"What was in a payment method's wallet when it was last looked, in millionths of a US dollar.", []string{"method", "network"}, nil)
	circuitState = prometheus.NewDesc("tokenbuddy_circuit_state",
		"A seller's circuit: 0 closed, 1 half open, 2 open.", []string{"seller"}, nil)
	prewarmEntries = prometheus.NewDesc("tokenbuddy_prewarm_entries",
		"Models that are kept warm, by state.", []string{"state"}, nil)
	registrySellers = prometheus.NewDesc("tokenbuddy_registry_sellers",
		"Sellers in the registry document in use.", nil, nil)
	registryAge = prometheus.NewDesc("tokenbuddy_registry_age_seconds",
		"Since the registry last confirmed the document in use.", nil, nil)
)

var circuitValues = map[routing.Circuit]float64{routing.CircuitClosed: 0, routing.CircuitHalfOpen: 1, routing.CircuitOpen: 2}

// Describe lists what looker may gather.
func (looker) Describe(ch chan<- *prometheus.Desc) {
	ch <- creditMicros
	ch <- adjustmentMicros
	ch <- walletMicros
	ch <- circuitState
	ch <- prewarmEntries
	ch <- registrySellers
	ch <- registryAge
}

// Collect looks at every open market. What two of them both know is added up; of the registries' ages the highest counts.
func (looker) Collect(ch chan<- prometheus.Metric) {
	credit := make(map[string]float64)
	adjusted := make(map[string]float64)
	circuits := make(map[string]float64)
	warm := make(map[string]float64)
	count, age, registries := 0, 0.0, 0
	wallets := make(map[[2]string]float64)
	for _, m := range market.All() {
		for _, p := range m.Desk.LastPayments() {
			if p.BalanceMicros != nil {
				wallets[[2]string{p.Method, p.Network}] = float64(*p.BalanceMicros)
			}
		}
		accounts, err := m.Ledger.Accounts()
		if err != nil {
			continue // a ledger that has failed says so in the status and the log
		}
		for _, a := range accounts {
			if seller, ok := strings.CutPrefix(a.Account, "credit:"); ok {
				credit[sellers.limited(seller)] += float64(a.BalanceMicros)
			}
			if seller, ok := strings.CutPrefix(a.Account, "adjustment:"); ok {
				adjusted[sellers.limited(seller)] += float64(a.BalanceMicros)
			}
		}
		for _, e := range m.Pool.Entries() {
			seller := sellers.limited(e.SellerID)
			circuits[seller] = max(circuits[seller], circuitValues[e.Circuit])
		}
		for _, e := range m.Warmer.Status().Prewarm.Entries {
			warm[string(e.State)]++
		}
		for _, r := range m.Registries() {
			registries++
			count += r.Sellers
			if r.AgeSeconds != nil {
				age = max(age, float64(*r.AgeSeconds))
			}
		}
	}
	for of, micros := range wallets {
		ch <- prometheus.MustNewConstMetric(walletMicros, prometheus.GaugeValue, micros, of[0], of[1])
	}
	for seller, state := range circuits {
		ch <- prometheus.MustNewConstMetric(circuitState, prometheus.GaugeValue, state, seller)
	}
	for state, n := range warm {
		ch <- prometheus.MustNewConstMetric(prewarmEntries, prometheus.GaugeValue, n, state)
	}
	for seller, micros := range credit {
		ch <- prometheus.MustNewConstMetric(creditMicros, prometheus.GaugeValue, micros, seller)
	}
	for seller, micros := range adjusted {
		ch <- prometheus.MustNewConstMetric(adjustmentMicros, prometheus.GaugeValue, micros, seller)
	}
	if registries > 0 {
		ch <- prometheus.MustNewConstMetric(registrySellers, prometheus.GaugeValue, float64(count))
		ch <- prometheus.MustNewConstMetric(registryAge, prometheus.GaugeValue, age)
	}
}
