package ledger_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// spend books a request of ann's that a settlement puts at so much.
func spend(t *testing.T, l *ledger.Ledger, amount money.Micros) {
	t.Helper()
	h := hold("", "acme", "t1")
	in := inference(h, amount)
	in.Settlement = settlement(ledger.NewID(), amount)
	if _, err := l.Settle(in).Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// spending gives what a member has spent today and this month, and what is held: a request of any price is refused for it.
func spending(t rapid.TB, l *ledger.Ledger, member string) (day, month, held money.Micros) {
	t.Helper()
	refused := func(b ledger.Budget) *ledger.BudgetError {
		var e *ledger.BudgetError
		if err := l.Reserve(member, b).Hold(context.Background(), money.Max); !errors.As(err, &e) {
			t.Fatalf("a budget of nothing: %v", err)
		}
		return e
	}
	today, thisMonth := refused(ledger.Budget{Daily: 0, Weekly: -1, Monthly: -1}), refused(ledger.Budget{Daily: -1, Weekly: -1, Monthly: 0})
	return today.SpentMicros, thisMonth.SpentMicros, today.HeldMicros
}

func TestBudgets(t *testing.T) {
	now := time.Date(2026, 3, 30, 12, 0, 0, 0, time.UTC)
	o := ledger.Options{Dir: t.TempDir(), Now: func() time.Time { return now }}
	l := open(t, o)
	buy(t, l, "t1", "acme", money.USD)
	budget := ledger.Budget{Daily: 1_000, Weekly: -1, Monthly: 1_500}
	hold := func(l *ledger.Ledger, amount money.Micros, want string) *ledger.Reservation {
		t.Helper()
		r := l.Reserve("ann", budget)
		err := r.Hold(t.Context(), amount)
		var refused *ledger.BudgetError
		switch {
		case want == "" && err != nil:
			t.Errorf("%d is refused: %v", amount, err)
		case want != "" && (!errors.As(err, &refused) || refused.Budget != want):
			t.Errorf("%d: %v; want it refused by the %s", amount, err, want)
		}
		return r
	}
	r := hold(l, 600, "")
	hold(l, 401, ledger.DailyBudget)
	other := hold(l, 400, "")
	hold(l, 1, ledger.DailyBudget)
	if err := l.Reserve("bob", ledger.Budget{Daily: -1, Weekly: -1, Monthly: -1}).Hold(t.Context(), money.Max); err != nil {
		t.Errorf("without a budget: %v", err)
	}
	if err := r.Hold(t.Context(), 601); err == nil {
		t.Error("a reservation grows past the budget")
	}
	if err := r.Hold(t.Context(), 500); err != nil {
		t.Errorf("a reservation that covers it: %v", err)
	}
	other.Release()
	other.Release()
	spend(t, l, 300) // booked before what was held for it is given back
	r.Release()
	hold(l, 701, ledger.DailyBudget)
	hold(l, 700, "").Release()

	now = now.Add(24 * time.Hour) // the 31st
	spend(t, l, 900)
	hold(l, 101, ledger.DailyBudget)
	hold(l, 100, "").Release()
	budget.Daily = -1
	hold(l, 301, ledger.MonthlyBudget)
	hold(l, 300, "").Release()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = open(t, o)
	hold(l, 301, ledger.MonthlyBudget)
	if day, month, held := spending(t, l, "ann"); day != 900 || month != 1_200 || held != 0 {
		t.Errorf("after a restart %d are spent today, %d this month, %d held", day, month, held)
	}
	now = now.Add(24 * time.Hour) // the 1st
	budget = ledger.Budget{Daily: 1_000, Weekly: -1, Monthly: 1_500}
	hold(l, 1_000, "")
}

// TestBudgetCountsCorrections: what an estimate was wrong by is the member's to spend.
func TestBudgetCountsCorrections(t *testing.T) {
	l := open(t, ledger.Options{InMemory: true})
	buy(t, l, "t1", "acme", money.USD)
	cut := inference(hold("", "acme", "t1"), 0)
	cut.Settlement, cut.Status, cut.BodyBytes = nil, ledger.StatusClientGone, 4_000
	if _, err := l.Settle(cut).Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	if day, _, _ := spending(t, l, "ann"); day != 2_000 {
		t.Errorf("%d are spent by estimate", day)
	}
	next := inference(hold("", "acme", "t1"), 100)
	next.Member, next.Exclusive = "bob", true
	next.Settlement.BalanceMicros = new(money.USD - 100 - 250)
	if _, err := l.Settle(next).Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	if day, month, _ := spending(t, l, "ann"); day != 250 || month != 250 {
		t.Errorf("%d and %d are spent after the seller's word", day, month)
	}
}

// TestBudgetsInParallel: however many ask at once, one remainder is spent once.
func TestBudgetsInParallel(t *testing.T) {
	l := open(t, ledger.Options{InMemory: true})
	var held atomic.Int64
	var all sync.WaitGroup
	for range 64 {
		all.Go(func() {
			for range 100 {
				r := l.Reserve("ann", ledger.Budget{Daily: 1_000, Weekly: -1, Monthly: -1})
				if r.Hold(t.Context(), 30) == nil {
					if held.Add(30) > 1_000 {
						t.Error("more is held than there is")
					}
					held.Add(-30)
				}
				r.Release()
			}
		})
	}
	all.Wait()
	if _, _, left := spending(t, l, "ann"); left != 0 {
		t.Errorf("%d are still held", left)
	}
}

func BenchmarkBudget(b *testing.B) {
	l := open(b, ledger.Options{InMemory: true})
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			r := l.Reserve("ann", ledger.Budget{Daily: money.Max, Weekly: -1, Monthly: money.Max})
			if r.Hold(b.Context(), 30) == nil {
				r.Release()
			}
		}
	})
}

// BenchmarkBudgetSettled is what a request with a budget and a group's costs here, from the first hold to its entry.
func BenchmarkBudgetSettled(b *testing.B) {
	l := open(b, ledger.Options{InMemory: true})
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			r := l.Reserve("ann", ledger.Budget{Daily: money.Max, Weekly: -1, Monthly: money.Max},
				ledger.GroupBudget{Group: "build", Budget: ledger.Budget{Daily: money.Max, Weekly: money.Max, Monthly: -1}})
			if err := r.Hold(b.Context(), 30); err != nil {
				b.Error(err)
				return
			}
			in := inference(hold("", "mine", ""), 0)
			in.Group, in.Budget, in.Settlement = "build", r, nil
			if _, err := l.Settle(in).Wait(b.Context()); err != nil {
				b.Error(err)
				return
			}
		}
	})
}
