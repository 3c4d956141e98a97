package page

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/admin"
	"github.com/tokenbuddy/caddy-tokenbuddy/doctor"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/market"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/recent"
)

// Snapshot is what the operator's page shows at a moment. Two that are equal show the same.
type Snapshot struct {
	Ledger    string           `json:"ledger"` // its directory
	Now       Now              `json:"now"`
	Findings  []doctor.Finding `json:"findings"`
	Money     Money            `json:"money"`
	Members   []admin.Member   `json:"members"`
	Calendar  string           `json:"calendar"` // what the days and weeks of budgets are
	Sellers   []admin.Offering `json:"sellers"`
	InAll     InAll            `json:"inAll"`
	Requests  []recent.Row     `json:"requests"`        // the last ones, the newest first
	Fleet     *Fleet           `json:"fleet,omitempty"` // absent: the gateway is in none
	Purchases []admin.Purchase `json:"purchases"`       // those that have not ended, the last others, and those that were paid for nothing, the newest first
	Disputed  []string         `json:"disputed"`        // the ids of sellers with which money is in dispute
	// Error says what could not be read.
	Error string `json:"error,omitempty"`
}

// InAll is how many there are, where not all of them are shown.
type InAll struct {
	Members   int `json:"members"`
	Sellers   int `json:"sellers"`
	Purchases int `json:"purchases"`
}

// Now is what goes on, and has gone on in the last minutes as far as it is remembered.
type Now struct {
	StreamsOpen int64 `json:"streamsOpen"` // of all gateways of this Caddy
	UnderWay    int64 `json:"underWay"`    // attempts at sellers
	Seconds     int   `json:"seconds"`     // that the following are of: fewer where not all of them are remembered
	Requests    int   `json:"requests"`
	Failures    int   `json:"failures"` // of them: failed, interrupted, or without credit
	Refused     int   `json:"refused"`  // of them: before any seller was asked
	// FirstContentMs is the median time to the first content, of those that had an answer; 0: none had.
	FirstContentMs int64 `json:"firstContentMs"`
}

// Money is where the money is.
type Money struct {
	LeftMicros        money.Micros  `json:"leftMicros"` // at sellers
	BoughtTodayMicros money.Micros  `json:"boughtTodayMicros"`
	DailyLimitMicros  *money.Micros `json:"dailyLimitMicros"`  // null: none
	SpentTodayMicros  money.Micros  `json:"spentTodayMicros"`  // by members, since midnight UTC
	PendingMicros     money.Micros  `json:"pendingMicros"`     // paid, and no token yet
	WastedMicros      money.Micros  `json:"wastedMicros"`      // since the ledger began
	DisputedMicros    money.Micros  `json:"disputedMicros"`    // since the ledger began
	Wallets           []Wallet      `json:"wallets,omitempty"` // of the payment methods that can tell
	// Unread says that the books can't be read, so that the three before the wallets, and what is spent today, are not known.
	Unread bool `json:"unread,omitempty"`
}

// Wallet is what is in a payment method's.
type Wallet struct {
	Method        string        `json:"method"`
	Network       string        `json:"network,omitempty"`
	BalanceMicros *money.Micros `json:"balanceMicros"` // null: not known
}

const (
	// nowTime is what the page takes for now.
	nowTime = 5 * time.Minute
	// maxRows is how many requests, sellers or purchases that have ended are shown: the commands list all.
	maxRows = 60
	// maxMemberRows is how many members are.
	maxMemberRows = 200
	// bookEvery is how often all purchases are read.
	bookEvery = 10 * time.Second
)

// lookAt begins to look: what it gives looks at a market, and remembers what is dear to read.
func lookAt(ctx context.Context) func(*market.Market) *Snapshot {
	e := &eye{ctx: ctx}
	return e.look
}

// eye looks at a market now and again.
type eye struct {
	ctx       context.Context
	read      time.Time        // when the following were
	purchases []admin.Purchase // that are shown
	inAll     int              // how many there are
	disputed  []admin.Purchase
	told      string // what told then that they are to be read

	others others
}

func (e *eye) look(m *market.Market) *Snapshot {
	now := time.Now()
	status := admin.StatusOf(e.ctx, m, m.Desk.LastPayments())
	last := m.Recent.Find(recent.Query{})
	s := &Snapshot{
		Ledger: m.Dir(), Calendar: calendarOf(m), Now: nowOf(last, m.Recent.Since(), now), Money: moneyOf(&status), Members: []admin.Member{},
		Requests: last[:min(len(last), maxRows)], Purchases: []admin.Purchase{}, Disputed: []string{},
	}
	note := func(err error) {
		if err != nil && s.Error == "" {
			s.Error = err.Error()
		}
	}
	today, err := m.Ledger.Summary(e.ctx, now.UTC().Truncate(24*time.Hour), time.Time{}, "day")
	note(err)
	s.Money.Unread = err != nil
	for _, r := range today {
		s.Money.SpentTodayMicros += r.ExpenseMicros
	}
	members, err := admin.MembersOf(e.ctx, m)
	note(err)
	others, err := e.others.look(e.ctx, m, now)
	note(err)
	if s.Fleet = fleetOf(m, others); others != nil {
		others.Tell(members, m.Calendar().Periods(now))
	}
	s.Members = append(s.Members, members[:min(len(members), maxMemberRows)]...)
	s.InAll.Members = len(members)
	sellers, err := admin.SellersOf(e.ctx, m)
	note(err)
	s.InAll.Sellers = len(sellers)
	for i := range sellers {
		s.Now.UnderWay += sellers[i].InFlight
	}
	s.Sellers = admin.OfferingsOf(m, sellers[:min(len(sellers), maxRows)])
	for id, l := range status.Losses {
		if l.DisputedMicros > 0 {
			s.Disputed = append(s.Disputed, id)
		}
	}
	slices.Sort(s.Disputed)
	note(e.books(m, now, s.Money.DisputedMicros))
	s.Purchases, s.InAll.Purchases = e.purchases, e.inAll
	d := doctor.New()
	d.Gateway(&status, now)
	d.Fleet(others)
	d.Disputes(e.disputed, now)
	s.Findings = d.Findings
	slices.SortStableFunc(s.Findings, func(a, b doctor.Finding) int { return cmp.Compare(severity(a), severity(b)) })
	return s
}

// calendarOf says what the days and weeks of budgets are.
func calendarOf(m *market.Market) string {
	c := m.Calendar()
	return "days of " + c.Zone.String() + ", weeks from " + c.Week.String()
}

func severity(f doctor.Finding) int {
	if f.Wrong {
		return 0
	}
	return 1
}

// books reads the purchases, where that was not just done, or one that is open has come to another state, or money has come into dispute or
// back: who has pressed a button sees what has come of it.
func (e *eye) books(m *market.Market, now time.Time, disputed money.Micros) error {
	states := []string{disputed.String()}
	for _, p := range m.Desk.Purchases() {
		states = append(states, p.PurchaseID, p.State)
	}
	told := strings.Join(states, " ")
	if told == e.told && now.Sub(e.read) < bookEvery && !e.read.IsZero() {
		return nil
	}
	all, err := admin.PurchasesOf(e.ctx, m, ledger.PurchaseQuery{})
	if err != nil {
		return err
	}
	paidForNothing, err := admin.PurchasesOf(e.ctx, m, ledger.PurchaseQuery{Disputed: true})
	if err != nil {
		return err
	}
	e.read, e.told, e.disputed, e.inAll, e.purchases = now, told, paidForNothing, len(all), shownOf(all, paidForNothing)
	return nil
}

// shownOf are the purchases that are shown, the newest first, but those that wait before all others: the last ones, and the last that were paid for nothing,
// whose money may still come back.
func shownOf(all, paidForNothing []admin.Purchase) []admin.Purchase {
	lost := make(map[string]bool)
	for _, p := range paidForNothing[max(0, len(paidForNothing)-maxRows):] {
		lost[p.PurchaseID] = true
	}
	shown := []admin.Purchase{}
	slices.Reverse(all)
	for _, p := range all {
		if !ledger.PurchaseState(p.State).Ended() {
			shown = append(shown, p)
		}
	}
	ended := 0
	for _, p := range all {
		if !ledger.PurchaseState(p.State).Ended() {
			continue
		}
		if ended++; ended <= maxRows || lost[p.PurchaseID] {
			shown = append(shown, p)
		}
	}
	return shown
}

// nowOf sums the last requests up, of which none is missing since then.
func nowOf(last []recent.Row, since, at time.Time) Now {
	if first := at.Add(-nowTime); since.Before(first) {
		since = first
	}
	n := Now{StreamsOpen: admin.StreamsOpen(), Seconds: int(at.Sub(since).Seconds())}
	var first []int64
	for _, r := range last {
		if r.Ended.Before(since) {
			break // they come by their ends
		}
		n.Requests++
		switch r.Outcome {
		case string(ledger.StatusFailed), string(ledger.StatusInterrupted), recent.NoCredit, recent.PurchaseLimit:
			n.Failures++
		case recent.Refused:
			n.Refused++
		}
		if r.TimeToFirstByteMs > 0 {
			first = append(first, r.TimeToFirstByteMs)
		}
	}
	if len(first) > 0 {
		slices.Sort(first)
		n.FirstContentMs = first[len(first)/2]
	}
	return n
}

func moneyOf(s *admin.Status) Money {
	m := Money{
		LeftMicros: s.Credit.LeftMicros, BoughtTodayMicros: s.Credit.DayMicros, DailyLimitMicros: s.Credit.DailyLimit, PendingMicros: s.Ledger.PendingMicros,
	}
	for _, l := range s.Losses {
		m.WastedMicros += l.WasteMicros
		m.DisputedMicros += l.DisputedMicros
	}
	for _, p := range s.Payments {
		m.Wallets = append(m.Wallets, Wallet{p.Method, p.Network, p.BalanceMicros})
	}
	return m
}
