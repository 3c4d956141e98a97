package admin

import (
	"context"
	"slices"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/market"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/prewarm"
	"github.com/tokenbuddy/caddy-tokenbuddy/routing"
)

// looker gathers, when it is scraped, what the open markets know anyway: it reads no entry of a journal.
type looker struct{}

// gauge is one that is read when it is scraped.
func gauge(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("tokenbuddy_"+name, help, labels, nil)
}

var (
	creditMicros     = gauge("credit_micros", "Credit left at a seller, in millionths of a US dollar.", "seller")
	adjustmentMicros = gauge("adjustment_micros",
		"What balances that a seller reported have taken beyond what requests explain, in millionths of a US dollar; below zero: given.", "seller")
	pendingMicros = gauge("pending_micros", "Paid to a seller, and no token is there yet, in millionths of a US dollar.", "seller")
	disputeMicros = gauge("dispute_micros",
		"What a seller took beyond belief since the ledger began, less what it has given back, in millionths of a US dollar.", "seller")
	walletMicros = gauge("wallet_micros",
		"What was in a payment method's wallet when it was last looked, in millionths of a US dollar.", "method", "network")
	circuitState    = gauge("circuit_state", "A seller's circuit: 0 closed, 1 half open, 2 open.", "seller")
	prewarmEntries  = gauge("prewarm_entries", "Models that are kept warm, by state.", "state")
	registrySellers = gauge("registry_sellers", "Sellers in the registry document in use; 0 without a registry.")
	registryAge     = gauge("registry_age_seconds", "Since the registry last confirmed the document in use; 0 without a registry.")
	unservedModels  = gauge("models_unserved", "Models that nobody can serve now.")
	ledgerOK        = gauge("ledger_ok", "Whether the ledger takes bookings: 0 where it has stopped or its disk is full, and nothing is sent or bought.", "ledger")
	ledgerFree      = gauge("ledger_free_bytes", "Room on the ledger's disk.", "ledger")
	ledgerSize      = gauge("ledger_disk_bytes", "Size of the ledger's disk.", "ledger")
	boughtMicros    = gauge("bought_micros",
		"What purchases have taken of a limit: daily, since midnight UTC; session, since the start of the process. Of a fleet those of all gateways, session since it began. In millionths of a US dollar.", "ledger", "limit")
	limitMicros     = gauge("purchase_limit_micros", "What purchases may take, in millionths of a US dollar; absent where there is no limit.", "ledger", "limit")
	spentMicros     = gauge("spent_micros", "What a member or a group has spent in the period of now, in millionths of a US dollar.", "member", "group", "period")
	heldMicros      = gauge("held_micros", "What requests under way may cost of a budget, in millionths of a US dollar.", "member", "group", "period")
	archivedEntries = gauge("ledger_archived_entries", "Entries of the ledger that are in archive files.", "ledger")
	archiveOK       = gauge("ledger_archive_ok", "Whether entries could be moved into archive files when that was last tried: 0 where it has failed.", "ledger")
	fleetStoreUp    = gauge("fleet_store_up", "Whether the fleet's store answers: 0 while it is away.", "ledger")
	fleetFenced     = gauge("fleet_fenced", "1 where another process speaks for this gateway, or its books are not the fleet's, and nothing is spent.", "ledger")
	fleetStranded   = gauge("fleet_stranded_micros", "Set aside for this gateway of the fleet's budgets, and neither spent nor held, in millionths of a US dollar.", "ledger")
	fleetLag        = gauge("fleet_ship_lag_seconds", "For how long entries have been waiting to be shipped to the fleet's store.", "ledger")
	fleetTokens     = gauge("fleet_tokens_micros",
		"What is left of the fleet's shared tokens at a seller, by part: own is set aside for this gateway, others for others, free for nobody. In millionths of a US dollar.", "ledger", "seller", "part")
	budgetMicros = gauge("budget_micros", "A budget of a member or a group, in millionths of a US dollar; absent where there is none.", "member", "group", "period")
)

var looked = []*prometheus.Desc{
	creditMicros, adjustmentMicros, pendingMicros, disputeMicros, walletMicros, circuitState, prewarmEntries, registrySellers, registryAge,
	unservedModels, ledgerOK, ledgerFree, ledgerSize, boughtMicros, limitMicros, spentMicros, heldMicros, budgetMicros, archivedEntries, archiveOK,
	fleetStoreUp, fleetFenced, fleetStranded, fleetLag, fleetTokens,
}

var circuitValues = map[routing.Circuit]float64{routing.CircuitClosed: 0, routing.CircuitHalfOpen: 1, routing.CircuitOpen: 2}

// Describe lists what looker may gather.
func (looker) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range looked {
		ch <- d
	}
	for _, c := range fleetCounters {
		ch <- c.desc
	}
}

// Collect looks at every open market. What two of them both know is added up; of the registries' ages the highest counts.
func (looker) Collect(ch chan<- prometheus.Metric) {
	presetKinds()
	s := sight{series: make(map[series]float64), counters: make(map[series]float64)}
	for dir := range market.Full() {
		s.set(ledgerOK, 0, dir)
	}
	all := market.All()
	for _, m := range all {
		s.market(m)
	}
	if len(all) > 0 {
		s.set(unservedModels, unserved.count(all))
	}
	for one, value := range s.series {
		labels := one.labels[:]
		if n := slices.Index(labels, absent); n >= 0 {
			labels = labels[:n]
		}
		ch <- prometheus.MustNewConstMetric(one.desc, prometheus.GaugeValue, value, labels...)
	}
	for one, value := range s.counters {
		ch <- prometheus.MustNewConstMetric(one.desc, prometheus.CounterValue, value, one.labels[0])
	}
}

// series is one of a gauge; labels that it has not are absent.
type series struct {
	desc   *prometheus.Desc
	labels [3]string
}

const absent = "\x00"

func seriesOf(d *prometheus.Desc, labels []string) series {
	s := series{d, [3]string{absent, absent, absent}}
	copy(s.labels[:], labels)
	return s
}

// sight is what is gathered at one scrape.
type sight struct{ series, counters map[series]float64 }

func (s sight) set(d *prometheus.Desc, value float64, labels ...string) {
	s.series[seriesOf(d, labels)] = value
}

func (s sight) add(d *prometheus.Desc, value float64, labels ...string) {
	s.series[seriesOf(d, labels)] += value
}

func (s sight) max(d *prometheus.Desc, value float64, labels ...string) {
	s.series[seriesOf(d, labels)] = max(s.series[seriesOf(d, labels)], value)
}

func (s sight) market(m *market.Market) {
	for _, id := range m.Known(otherSellers) {
		seller := presetSeller(id)
		s.max(circuitState, 0, seller)
		for _, d := range []*prometheus.Desc{creditMicros, adjustmentMicros, pendingMicros, disputeMicros} {
			s.add(d, 0, seller)
		}
	}
	s.ledger(m)
	s.fleet(m)
	s.members(m)
	for _, p := range m.Desk.LastPayments() {
		if p.BalanceMicros != nil {
			s.set(walletMicros, float64(*p.BalanceMicros), p.Method, p.Network)
		}
	}
	for _, e := range m.Pool.Entries() {
		if !m.Names(e.Key()) { // who has put an address right is not to hear of the old one
			continue
		}
		s.max(circuitState, circuitValues[e.Circuit], sellers.limited(e.SellerID))
	}
	for _, state := range prewarm.States {
		s.add(prewarmEntries, 0, string(state)) // each is there, too
	}
	for _, e := range m.Warmer.Status().Prewarm.Entries {
		s.add(prewarmEntries, 1, string(e.State))
	}
	s.add(registrySellers, 0) // both are there where there is no registry, too
	s.max(registryAge, 0)
	for _, r := range m.Registries() {
		s.add(registrySellers, float64(r.Sellers))
		if r.AgeSeconds != nil {
			s.max(registryAge, float64(*r.AgeSeconds))
		}
	}
}

// ledger gathers how the books stand. What can't be told of one that has stopped is left out.
func (s sight) ledger(m *market.Market) {
	dir, ok := m.Dir(), 0.0
	if m.Ledger.Ready() == nil {
		ok = 1
	}
	s.set(ledgerOK, ok, dir)
	if free, size, known := m.Ledger.Room(); known {
		s.set(ledgerFree, float64(free), dir)
		s.set(ledgerSize, float64(size), dir)
	}
	archiving := m.Ledger.Archiving()
	s.set(archivedEntries, float64(archiving.Entries), dir)
	s.set(archiveOK, 1, dir)
	if archiving.Error != "" {
		s.set(archiveOK, 0, dir)
	}
	credit := m.Desk.Credit()
	s.set(boughtMicros, float64(credit.DayMicros), dir, "daily")
	s.set(boughtMicros, float64(credit.SessionMicros), dir, "session")
	if l := credit.DailyLimit; l != nil {
		s.set(limitMicros, float64(*l), dir, "daily")
	}
	if l := credit.SessionLimit; l != nil {
		s.set(limitMicros, float64(*l), dir, "session")
	}
	accounts, err := m.Ledger.Accounts()
	if err != nil {
		return // it has failed
	}
	for _, a := range accounts {
		kind, names := ledger.SplitAccount(a.Account)
		if len(names) != 1 {
			continue
		}
		if d := sellerAccounts[kind]; d != nil {
			s.add(d, float64(a.BalanceMicros), sellers.limited(names[0]))
		}
	}
}

// sellerAccounts are the accounts of a seller's that are shown.
var sellerAccounts = map[string]*prometheus.Desc{
	"credit": creditMicros, "adjustment": adjustmentMicros, "pending": pendingMicros, "disputed": disputeMicros,
}

// members gathers what the members of the running configs have spent, and how their budgets and those of their groups stand. A ledger counts
// by itself: who is a member of two is the sum of both, and a group counts once in each.
func (s sight) members(m *market.Market) {
	ctx := context.Background()
	groups := make(map[[2]string]bool) // and periods, that were added
	enrolled, _ := m.Ledger.Enrolled() // of a ledger that has failed nothing is known of members
	for _, who := range team(m, enrolled) {
		spent, err := m.Ledger.SpentBy(ctx, who.Name)
		if err != nil {
			return // the ledger has failed
		}
		name := members.limited(who.Name)
		own := map[string]money.Micros{"daily": spent.Daily, "weekly": spent.Weekly, "monthly": spent.Monthly}
		for _, b := range BudgetsOf(m.Ledger, who) {
			member, period := name, b.Period()
			if b.Group != "" {
				member = ""
				if groups[[2]string{b.Group, period}] {
					continue
				}
				groups[[2]string{b.Group, period}] = true
				s.add(spentMicros, float64(b.SpentMicros), member, b.Group, period)
			} else {
				own[period] = b.SpentMicros
			}
			presetBudget(member, b.Group, period)
			s.add(heldMicros, float64(b.HeldMicros), member, b.Group, period)
			s.add(budgetMicros, float64(b.BudgetMicros), member, b.Group, period)
		}
		for period, amount := range own {
			s.add(spentMicros, float64(amount), name, "", period)
		}
	}
}
