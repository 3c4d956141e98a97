package orders

import (
	"fmt"

	"go.uber.org/zap"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/member"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// Roster is what was said of members at run time, as it acts now.
func (o *Orders) Roster() *member.Roster { return o.roster.Load() }

// loadRoster has what the ledger keeps of members act. Enrolling must be locked.
func (o *Orders) loadRoster() error {
	kept, err := o.ledger.Enrolled()
	if err != nil {
		return unkept(fmt.Errorf("reading the members that were added: %w", err))
	}
	all := make([]member.Addition, len(kept))
	for i := range kept {
		all[i] = addition(&kept[i])
	}
	roster, err := member.NewRoster(all, o.configs())
	if err != nil {
		return unkept(fmt.Errorf("reading the members that were added: %w", err))
	}
	o.roster.Store(roster)
	return nil
}

// teamChanged has the roster go by the configs that run now. One that can't be read stays as it was.
func (o *Orders) teamChanged() {
	o.enrolling.Lock()
	defer o.enrolling.Unlock()
	if err := o.loadRoster(); err != nil {
		o.logger.Error("members.unread", zap.Error(err))
	}
}

// addition is what is kept of a member, as requests go by it.
func addition(e *ledger.Enrolled) member.Addition {
	budget := func(b *money.Micros) money.Micros {
		if b == nil {
			return -1
		}
		return *b
	}
	a := member.Addition{Group: e.Group, Only: !e.Added, Disabled: e.Disabled}
	a.Name, a.Models = e.Name, e.Models
	a.Bounds = member.Bounds{
		Rate:        member.Rate{Requests: e.Rate.Requests, Per: e.Rate.Per},
		DailyBudget: budget(e.Budget.Daily), WeeklyBudget: budget(e.Budget.Weekly), MonthlyBudget: budget(e.Budget.Monthly),
	}
	for _, k := range e.Keys {
		a.Keys = append(a.Keys, member.Key{Secret: "sha256:" + k.SHA256, Until: k.Until})
	}
	for _, r := range e.Raises {
		a.Raises = append(a.Raises, member.Raise{Amount: r.AmountMicros, Until: r.Until})
	}
	return a
}
