package gateway

import (
	"fmt"
	"strconv"
	"time"

	"go.uber.org/zap"

	"github.com/tokenbuddy/caddy-tokenbuddy/admin"
	"github.com/tokenbuddy/caddy-tokenbuddy/dialect"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
)

// What members, and operators, are told of budgets.

// describeBudget says in an answer's headers what is left to the member, what is held for this request taken off, and that most of
// it is spent.
func (p *reply) describeBudget() {
	states := p.budget.States()
	least, ok := leastLeft(states)
	if !ok {
		return
	}
	p.set("X-Tokenbuddy-Budget-Left-Micros", strconv.FormatInt(int64(least.LeftMicros()), 10))
	warning, most := "", 0
	for _, s := range states {
		if percent := worthAWord(s); percent > most {
			warning, most = s.Period()+" "+strconv.Itoa(percent), percent
		}
	}
	if most > 0 {
		p.set("X-Tokenbuddy-Budget-Warning", warning)
	}
}

// worthAWord is the part of a budget, in percent, that is spent and worth a warning; 0: none is.
func worthAWord(s ledger.BudgetState) int {
	switch percent := s.Percent(); {
	case percent >= 100:
		return 100
	case percent >= 80:
		return 80
	}
	return 0
}

// leastLeft is the budget with the least left; false: there is none.
func leastLeft(states []ledger.BudgetState) (least ledger.BudgetState, ok bool) {
	for i, s := range states {
		if i == 0 || s.LeftMicros() < least.LeftMicros() {
			least = s
		}
	}
	return least, len(states) > 0
}

// warn tells operators that most of a budget is spent: of what was not said before in its period.
func (rq *request) warn(reached []ledger.BudgetState) {
	for _, s := range reached {
		rq.warnOf(s, worthAWord(s))
	}
}

func (rq *request) warnOf(s ledger.BudgetState, percent int) {
	member := s.Member
	if s.Group != "" {
		member = ""
	}
	admin.ObserveBudgetWarning(member, s.Group, s.Period(), percent)
	budgetReached(s, member, percent)
	rq.log.Warn("budget.warning", zap.String("member", member), zap.String("group", s.Group), zap.String("budget", s.Budget),
		zap.Int("percent", percent), zap.Int64("budgetMicros", int64(s.BudgetMicros)), zap.Int64("spentMicros", int64(s.SpentMicros)),
		zap.Time("renews", s.Renews))
}

// overBudget refuses a request that a budget does not cover. Where only requests under way stand in the way, another try may find
// it free.
func overBudget(e *ledger.BudgetError) *dialect.Refusal {
	whose := "Your " + e.Period() + " budget"
	if e.Group != "" {
		whose = "The " + e.Period() + " budget of your group " + e.Group
	}
	said := fmt.Sprintf("%s of $%s does not cover this request, which may cost $%s: $%s is spent, and $%s is held for requests that are under way.",
		whose, e.BudgetMicros, e.AmountMicros, e.SpentMicros, e.HeldMicros)
	if passing(e) {
		return dialect.BudgetHeld().Because(said + " Ask again when they are done.")
	}
	return dialect.BudgetSpent().Because(said + " It begins anew at " + e.Renews.Format(time.RFC3339) + ".")
}

// longest gives, of the budgets that do not cover what a request may cost, whatever is under way, the one that begins anew last: until
// then the client is refused, though the one that was met first may be there before. It is e where there is no such other one.
func longest(e *ledger.BudgetError, states []ledger.BudgetState) *ledger.BudgetError {
	last := e
	for _, s := range states {
		if s.SpentMicros.Add(e.AmountMicros) > s.BudgetMicros && (passing(last) || s.Renews.After(last.Renews)) {
			last = &ledger.BudgetError{BudgetState: s, AmountMicros: e.AmountMicros}
		}
	}
	return last
}

// passing tells whether only requests under way stand in the way.
func passing(e *ledger.BudgetError) bool {
	return e.HeldMicros > 0 && e.SpentMicros.Add(e.AmountMicros) <= e.BudgetMicros
}
