package gateway

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
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
			warning, most = periodOf(s)+" "+strconv.Itoa(percent), percent
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

// periodOf is daily, weekly or monthly.
func periodOf(s ledger.BudgetState) string { return strings.TrimSuffix(s.Budget, "_budget") }

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
	admin.ObserveBudgetWarning(member, s.Group, periodOf(s), percent)
	budgetReached(s, member, percent)
	rq.log.Warn("budget.warning", zap.String("member", member), zap.String("group", s.Group), zap.String("budget", s.Budget),
		zap.Int("percent", percent), zap.Int64("budgetMicros", int64(s.BudgetMicros)), zap.Int64("spentMicros", int64(s.SpentMicros)),
		zap.Time("renews", s.Renews))
}

// overBudget refuses a request that a budget does not cover. Where only requests under way stand in the way, another try may find
// it free.
func overBudget(e *ledger.BudgetError) *dialect.Refusal {
	whose := "Your " + periodOf(e.BudgetState) + " budget"
	if e.Group != "" {
		whose = "The " + periodOf(e.BudgetState) + " budget of your group " + e.Group
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

func isKey(r *http.Request) bool { return r.Method == http.MethodGet && r.URL.Path == dialect.KeyPath }

// summing lets one request at a time read all that was ever spent.
var summing sync.Mutex

// key tells a member how it stands.
func (rq *request) key(p *reply) *dialect.Refusal {
	if refusal := rq.identifyReader(); refusal != nil {
		return refusal
	}
	ctx, name := rq.r.Context(), rq.member.Name
	var groups []string
	if g := rq.member.Group; g != nil {
		groups = []string{g.Name}
	}
	rq.gw.ledger.Refresh(ctx, []string{name}, groups)
	spent, err := rq.gw.ledger.SpentBy(ctx, name)
	k := dialect.Key{Label: name, Daily: spent.Daily, Weekly: spent.Weekly, Monthly: spent.Monthly}
	if err == nil {
		summing.Lock()
		k.Usage, err = rq.gw.ledger.SpentInAll(ctx, name)
		summing.Unlock()
		k.Usage = max(k.Usage, k.Daily, k.Weekly, k.Monthly) // of a fleet those are of all gateways, and the books this one's
	}
	if err != nil {
		rq.log.Warn("proxy.key.failed", zap.String("requestId", rq.id), zap.Error(err))
		return dialect.NoSeller(retryLater).Because("The books of this gateway can't be read just now.")
	}
	if least, ok := leastLeft(rq.reserve().States()); ok {
		k.Bound = &dialect.Allowance{Limit: least.BudgetMicros, Left: least.LeftMicros(), Reset: periodOf(least)}
	}
	dialect.WriteKey(p.w, k)
	return nil
}
