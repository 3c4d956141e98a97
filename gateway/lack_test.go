package gateway

import (
	"strings"
	"testing"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/dialect"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/purchase"
)

// TestWhatIsThereFirstIsTold: of all that the candidates wanted for, what will be there first.
func TestWhatIsThereFirstIsTold(t *testing.T) {
	now := time.Now()
	wanting := func(lack purchase.Lack, in time.Duration) *attempt {
		a := &attempt{lack: lack}
		if in > 0 {
			a.until = now.Add(in)
		}
		return a
	}
	day, minute := wanting(purchase.LacksDay, 9*time.Hour), wanting(purchase.LacksMinute, 20*time.Second)
	brake, failed, credit := wanting(purchase.LacksTrust, 0), wanting(purchase.LacksPurchase, 0), wanting(purchase.LacksCredit, 0)
	for name, row := range map[string]struct {
		tried []*attempt
		want  *attempt
	}{
		"nothing was wanting":             {[]*attempt{{}}, nil},
		"one":                             {[]*attempt{day}, day},
		"the minute before the day":       {[]*attempt{day, minute}, minute},
		"what may be there any time":      {[]*attempt{minute, failed, day}, failed},
		"before what needs the operator":  {[]*attempt{brake, day}, day},
		"the reason, not what came of it": {[]*attempt{day, credit}, day},
		"an operator's reason":            {[]*attempt{credit, brake}, brake},
		"the minute before a human":       {[]*attempt{wanting(purchase.LacksHuman, 0), minute}, minute},
	} {
		if got := (&trade{tried: row.tried}).unpaid(); got != row.want {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// TestNoTimeIsToldThatNobodyKnows: what an operator, or a human at the rail, has to do something about ends a client's tries.
func TestNoTimeIsToldThatNobodyKnows(t *testing.T) {
	for lack, final := range map[purchase.Lack]bool{
		purchase.LacksSession: true, purchase.LacksHuman: true, purchase.LacksTrust: true, purchase.LacksAmount: true, purchase.LacksMethod: true,
		purchase.LacksDoubt: false, purchase.LacksTime: false, purchase.LacksPurchase: false, purchase.LacksFleet: false,
	} {
		r := (&trade{tried: []*attempt{{lack: lack}}, rq: new(request)}).explain(dialect.NoSeller(time.Second)).refusal
		if r.NoRetry != final || final != (r.RetryAfter == 0) {
			t.Errorf("%s: %+v", lack, r)
		}
	}
}

// TestNobodyIsBlamedEarly: while what a seller has served is not booked yet, nobody says that it was next to nothing, and there is a time to ask again.
func TestNobodyIsBlamedEarly(t *testing.T) {
	early := &attempt{lack: purchase.LacksTrust, until: time.Now().Add(time.Second)}
	r := (&trade{tried: []*attempt{early}, rq: new(request)}).explain(dialect.NoSeller(time.Minute)).refusal
	if r.NoRetry || r.RetryAfter <= 0 || !strings.Contains(r.Message, "not known yet") || strings.Contains(r.Message, "next to nothing") {
		t.Errorf("%+v", r)
	}
	r = (&trade{tried: []*attempt{{lack: purchase.LacksTrust}}, rq: new(request)}).explain(dialect.NoSeller(time.Minute)).refusal
	if !r.NoRetry || !strings.Contains(r.Message, "next to nothing") {
		t.Errorf("%+v", r)
	}
}

// TestAClockAheadIsNotTheSellers: what the clock of this machine has ended is said to be so, and not of the seller.
func TestAClockAheadIsNotTheSellers(t *testing.T) {
	ahead := &attempt{lack: purchase.LacksClock, until: time.Now().Add(time.Second)}
	r := (&trade{tried: []*attempt{ahead}, rq: new(request)}).explain(dialect.NoSeller(time.Minute)).refusal
	if r.NoRetry || r.RetryAfter <= 0 || !strings.Contains(r.Message, "clock of this gateway's machine") {
		t.Errorf("%+v", r)
	}
}

// TestNothingIsBoughtWithoutTheFleet: where that alone is why no seller was asked, the client is told that it is the fleet's store, as for a budget.
func TestNothingIsBoughtWithoutTheFleet(t *testing.T) {
	fleet, credit := &attempt{lack: purchase.LacksFleet}, &attempt{lack: purchase.LacksCredit}
	got := (&trade{tried: []*attempt{credit, fleet}, rq: new(request)}).explain(dialect.NoSeller(time.Second))
	if r := got.refusal; got.unpaid != purchase.LacksFleet || r.Status != 503 || r.Code != "fleet_unavailable" || r.RetryAfter != time.Second ||
		!strings.Contains(r.Message, "store of the fleet is away") {
		t.Errorf("%+v, %+v", got, got.refusal)
	}
}

// TestBudgetHeldIsNotSpent: where what is held stands in the way alone, another try may be served.
func TestBudgetHeldIsNotSpent(t *testing.T) {
	for _, row := range []struct {
		spent, held money.Micros
		final       bool
	}{{95, 0, true}, {95, 5, true}, {50, 45, false}, {90, 5, false}, {91, 5, true}} {
		e := &ledger.BudgetError{BudgetState: ledger.BudgetState{BudgetMicros: 100, SpentMicros: row.spent, HeldMicros: row.held}, AmountMicros: 10}
		if r := overBudget(e); r.NoRetry != row.final || r.Status != 402 || !row.final && !strings.Contains(r.Message, "under way") {
			t.Errorf("spent %d, held %d: %+v", row.spent, row.held, r)
		}
	}
}

// TestLongestBudget: of several budgets that are spent the client is told of the one that begins anew last.
func TestLongestBudget(t *testing.T) {
	day, month := time.Now().Add(time.Hour), time.Now().Add(100*time.Hour)
	state := func(name string, spent, held money.Micros, renews time.Time) ledger.BudgetState {
		return ledger.BudgetState{Budget: name, BudgetMicros: 100, SpentMicros: spent, HeldMicros: held, Renews: renews}
	}
	for _, row := range []struct {
		refused ledger.BudgetState
		states  []ledger.BudgetState
		want    string
	}{
		{state("daily_budget", 95, 0, day), nil, "daily"},
		{state("daily_budget", 95, 0, day), []ledger.BudgetState{state("daily_budget", 95, 0, day), state("monthly_budget", 90, 0, month)}, "daily"},
		{state("daily_budget", 95, 0, day), []ledger.BudgetState{state("daily_budget", 95, 0, day), state("monthly_budget", 91, 0, month)}, "monthly"},
		{state("daily_budget", 50, 45, day), []ledger.BudgetState{state("daily_budget", 50, 45, day), state("monthly_budget", 91, 0, month)}, "monthly"},
		{state("daily_budget", 95, 0, day), []ledger.BudgetState{state("daily_budget", 95, 0, day), state("monthly_budget", 50, 45, month)}, "daily"},
		{state("monthly_budget", 95, 0, month), []ledger.BudgetState{state("daily_budget", 95, 0, day), state("monthly_budget", 95, 0, month)}, "monthly"},
	} {
		r := overBudget(longest(&ledger.BudgetError{BudgetState: row.refused, AmountMicros: 10}, row.states))
		if !r.NoRetry || !strings.Contains(r.Message, "Your "+row.want+" budget") {
			t.Errorf("%+v, %+v: %s", row.refused, row.states, r.Message)
		}
	}
}
