package admin

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/market"
	"github.com/tokenbuddy/caddy-tokenbuddy/member"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/orders"
)

// Member is a row of GET /tokenbuddy/members. It holds no key.
type Member struct {
	Name string `json:"name"`
	// Source is where the member comes from: caddyfile, ledger (it was added at run time), member_from, or anonymous.
	Source   string   `json:"source"`
	Group    string   `json:"group,omitempty"`
	Disabled bool     `json:"disabled,omitempty"`
	Models   []string `json:"models,omitempty"` // none: all
	Rate     string   `json:"rate,omitempty"`   // as the Caddyfile has it; none: no bound

	DayMicros   money.Micros `json:"dayMicros"` // spent in the budgets' calendar
	WeekMicros  money.Micros `json:"weekMicros"`
	MonthMicros money.Micros `json:"monthMicros"`
	// AsOf is when the gateway has last heard what other gateways of its fleet have spent of these budgets: what it has spent itself is of now. Absent: it has not,
	// there is no fleet, or no budget, and what is spent is this gateway's.
	AsOf *time.Time `json:"asOf,omitempty"`
	// Budgets are those that bound the member, its group's after its own. What a raise adds is in them.
	Budgets []MemberBudget `json:"budgets"`
	Raises  []Raise        `json:"raises,omitempty"` // that are in force

	LastSeen *time.Time       `json:"lastSeen"`          // since the gateway began; null: it was not
	Refused  map[string]int64 `json:"refused,omitempty"` // since then, by the code that the client was told

	// Of one that was added at run time: when each of its keys that are good ends (null: never), and when it was added and last changed.
	Keys      []*time.Time `json:"keys,omitempty"`
	CreatedAt *time.Time   `json:"createdAt,omitempty"`
	ChangedAt *time.Time   `json:"changedAt,omitempty"`
	// Overridden says that one of this name was added at run time as well, and that the Caddyfile's stands before it.
	Overridden bool `json:"overridden,omitempty"`
}

// Raise is by how much a member's daily budget is raised for a while.
type Raise = ledger.Raise

// MemberBudget is how a budget stands, of a member or of the member's group.
type MemberBudget struct {
	Group       string       `json:"group,omitempty"`
	Period      string       `json:"period"` // daily, weekly or monthly
	LimitMicros money.Micros `json:"limitMicros"`
	SpentMicros money.Micros `json:"spentMicros"`
	HeldMicros  money.Micros `json:"heldMicros"`
	LeftMicros  money.Micros `json:"leftMicros"`
	Renews      time.Time    `json:"renews"`
}

// MembersOf gives the rows of the members that the configs name, that were added at run time, or that have asked since the gateway
// began and still may, by name.
func MembersOf(ctx context.Context, m *market.Market) ([]Member, error) {
	r, err := rollOf(m)
	if err != nil {
		return nil, err
	}
	return r.rows(ctx, m)
}

// freshMembersOf is MembersOf by what other gateways of a fleet have spent by now.
func freshMembersOf(ctx context.Context, m *market.Market) ([]Member, error) {
	r, err := rollOf(m)
	if err != nil {
		return nil, err
	}
	return r.fresh(ctx, m)
}

// roll is who there is.
type roll struct {
	known    map[string]*member.Member
	listed   map[string]*member.Member // of those, whom the configs name
	enrolled map[string]*ledger.Enrolled
}

func rollOf(m *market.Market) (roll, error) {
	kept, err := m.Ledger.Enrolled()
	if err != nil {
		return roll{}, err
	}
	r := roll{known: make(map[string]*member.Member), listed: make(map[string]*member.Member), enrolled: make(map[string]*ledger.Enrolled, len(kept))}
	for i := range kept {
		r.enrolled[kept[i].Name] = &kept[i]
	}
	for _, who := range m.Orders.Team() {
		r.listed[who.Name] = who
	}
	for _, who := range team(m, kept) {
		r.known[who.Name] = who
	}
	return r, nil
}

// only gives the roll of one member, or of nobody where there is none of the name.
func (r *roll) only(name string) *roll {
	one := *r
	one.known = make(map[string]*member.Member, 1)
	if who := r.known[name]; who != nil {
		one.known[name] = who
	}
	return &one
}

// fresh gives the rows by what other gateways of a fleet have spent by now.
func (r *roll) fresh(ctx context.Context, m *market.Market) ([]Member, error) {
	groups := make(map[string]bool)
	for _, who := range r.known {
		if who.Group != nil {
			groups[who.Group.Name] = true
		}
	}
	m.Ledger.Refresh(ctx, slices.Collect(maps.Keys(r.known)), slices.Collect(maps.Keys(groups)))
	return r.rows(ctx, m)
}

func (r *roll) rows(ctx context.Context, m *market.Market) ([]Member, error) {
	rows := make([]Member, 0, len(r.known))
	for _, name := range slices.Sorted(maps.Keys(r.known)) {
		row, err := memberRow(ctx, m, r.known[name], r.enrolled[name])
		if err != nil {
			return nil, err
		}
		switch {
		case r.known[name] == member.Anonymous:
			row.Source = "anonymous"
		case row.Source == "caddyfile" && r.listed[name] == nil:
			row.Source = "member_from"
		}
		rows = append(rows, row)
	}
	return rows, nil
}

func memberRow(ctx context.Context, m *market.Market, who *member.Member, kept *ledger.Enrolled) (Member, error) {
	now := time.Now()
	row := Member{Name: who.Name, Source: "caddyfile", Disabled: who.Disabled, Models: who.Models, Budgets: []MemberBudget{}}
	if who.Rate.Requests > 0 {
		row.Rate = orders.RateText(who.Rate)
	}
	spent, err := m.Ledger.SpentBy(ctx, who.Name)
	if err != nil {
		return row, err
	}
	row.DayMicros, row.WeekMicros, row.MonthMicros = spent.Daily, spent.Weekly, spent.Monthly
	row.AsOf = HeardOf(m.Ledger, who)
	if g := who.Group; g != nil {
		row.Group = g.Name
	}
	for _, s := range BudgetsOf(m.Ledger, who) {
		row.Budgets = append(row.Budgets, MemberBudget{
			s.Group, s.Period(), s.BudgetMicros, s.SpentMicros, s.HeldMicros, s.LeftMicros(), s.Renews,
		})
	}
	if a, ok := m.Recent.Member(who.Name); ok {
		row.LastSeen, row.Refused = &a.Seen, a.Refused
	}
	if kept == nil {
		return row, nil
	}
	for _, r := range kept.Raises {
		if r.Until.After(now) {
			row.Raises = append(row.Raises, r)
		}
	}
	switch {
	case !kept.Added:
	case m.Orders.Configured(who.Name):
		row.Overridden = true
	default:
		row.Source, row.CreatedAt, row.ChangedAt = "ledger", &kept.CreatedAt, &kept.ChangedAt
		for i := range kept.Keys {
			switch until := &kept.Keys[i].Until; {
			case until.IsZero():
				row.Keys = append(row.Keys, nil)
			case until.After(now):
				row.Keys = append(row.Keys, until)
			}
		}
	}
	return row, nil
}

func memberList(m *market.Market, w http.ResponseWriter, r *http.Request) error {
	rows, err := freshMembersOf(r.Context(), m)
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, rows)
}

// oneMember answers with the row of a member.
func oneMember(m *market.Market, w http.ResponseWriter, r *http.Request) error {
	name, _, err := memberPath(w, r)
	if err != nil {
		return err
	}
	return showMember(m, w, r, name)
}

func showMember(m *market.Market, w http.ResponseWriter, r *http.Request, name string) error {
	roll, err := rollOf(m)
	if err != nil {
		return err
	}
	rows, err := roll.only(name).fresh(r.Context(), m)
	if err != nil {
		return err
	}
	if len(rows) == 0 {
		return orderRefused(fmt.Errorf("member %s: %w", name, orders.ErrNoMember))
	}
	return answer(w, http.StatusOK, rows[0])
}

// team are the members that the running configs name, those that were added at run time, and then those others that have asked in this
// process, or that the ledger keeps something of.
func team(m *market.Market, enrolled []ledger.Enrolled) []*member.Member {
	all := m.Orders.Team()
	named := make(map[string]bool, len(all))
	for _, who := range all {
		named[who.Name] = true
	}
	others := m.Recent.Members()
	for i := range enrolled {
		others = append(others, enrolled[i].Name)
	}
	for _, name := range others {
		if who := m.Orders.Member(name); who != nil && !named[who.Name] {
			named[who.Name] = true
			all = append(all, who)
		}
	}
	return all
}
