package ledger

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// Budget bounds what a member or a group may spend, in periods of the calendar. Below zero a bound is none; at zero nothing may be
// spent.
type Budget struct {
	Daily, Weekly, Monthly money.Micros
}

func (b Budget) of() Amounts { return Amounts{b.Daily, b.Weekly, b.Monthly} }

// The budgets that a request can pass.
const (
	DailyBudget   = "daily_budget"
	WeeklyBudget  = "weekly_budget"
	MonthlyBudget = "monthly_budget"
)

var budgetNames = [periods]string{DailyBudget, WeeklyBudget, MonthlyBudget}

// GroupBudget is a group in whose budget a request counts beside its member's.
type GroupBudget struct {
	Group string // empty: none
	Budget
}

// BudgetState is how a budget stands.
type BudgetState struct {
	Member       string // whose request it was that asked
	Group        string // whose budget it is; empty: the member's own
	Budget       string // DailyBudget, WeeklyBudget or MonthlyBudget
	BudgetMicros money.Micros
	SpentMicros  money.Micros // booked so far
	HeldMicros   money.Micros // by requests that are under way
	Renews       time.Time    // when its period is over
}

// Period is which of them it is, in a word: daily, weekly or monthly.
func (s BudgetState) Period() string { return strings.TrimSuffix(s.Budget, "_budget") }

// LeftMicros is what is neither spent nor held, not below zero.
func (s BudgetState) LeftMicros() money.Micros {
	return max(0, s.BudgetMicros-min(s.SpentMicros.Add(s.HeldMicros), money.Max))
}

// Percent is how much of the budget is spent, from 0 to 100. A budget of nothing is spent.
func (s BudgetState) Percent() int {
	if s.SpentMicros >= s.BudgetMicros {
		return 100
	}
	return int(max(0, s.SpentMicros) * 100 / max(1, s.BudgetMicros))
}

// BudgetError refuses a request that might pass a budget.
type BudgetError struct {
	BudgetState               // what is held is by other requests
	AmountMicros money.Micros // that this one may cost
}

func (e *BudgetError) Error() string {
	whose := ""
	if e.Group != "" {
		whose = " of group " + e.Group
	}
	return fmt.Sprintf("ledger: a request of member %s that may cost $%s would pass the %s%s of $%s, of which $%s is spent and $%s "+
		"held by other requests", e.Member, e.AmountMicros, e.Budget, whose, e.BudgetMicros, e.SpentMicros, e.HeldMicros)
}

// fillSpending waits until what budgets go by was read.
func (l *Ledger) fillSpending(ctx context.Context) error {
	if !l.state.spending.lacks(l.now()) {
		return nil
	}
	return l.Durable(ctx)
}

// SpentBy is what a member has spent in the calendar's day, week and month of now, booked so far.
func (l *Ledger) SpentBy(ctx context.Context, member string) (Budget, error) {
	if err := l.fillSpending(ctx); err != nil {
		return Budget{}, err
	}
	s := l.state.spending
	s.reading.RLock()
	defer s.reading.RUnlock()
	h := holder{name: member}
	var share Share = s.of(h)
	if l.shared != nil { // none is made for who has no budget
		if known, ok := l.shared.known.Load(h); ok {
			share = known.(Share)
		}
	}
	spent, _ := share.Standing(s.on(l.now()).keys)
	return Budget{spent[daily], spent[weekly], spent[monthly]}, nil
}

// SpentInAll is what a member has ever spent. Of each day it reads what is the member's alone: any member may ask for it at any time.
func (l *Ledger) SpentInAll(ctx context.Context, member string) (sum money.Micros, err error) {
	err = l.view(ctx, func(v *view) error {
		for after := ""; ; {
			day := ""
			err := unstop(eachFrom(v.txn, rollupPrefix, rollupPrefix+after, func(rest string, _ *Rollup) error {
				day, _, _ = strings.Cut(rest, "/")
				return errStop
			}))
			if err != nil || day == "" {
				return err
			}
			err = each(v.txn, names(rollupPrefix+day+"/", member)+":", func(_ string, r *Rollup) error {
				sum += r.counted()
				return nil
			})
			if err = errors.Join(err, v.alive()); err != nil {
				return err
			}
			after = day + "0" // which comes after the slash
		}
	})
	return sum, err
}
