package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// TestShares: a request is held of its member's share and of its group's, or of none; a grant is waited for, a refusal is the budget's
// with the fleet's figures, and where nobody can tell it is neither.
func TestShares(t *testing.T) {
	l, f := join(t, ledger.Options{InMemory: true, Now: func() time.Time { return late }})
	r := l.Reserve("ann", daily, crew)
	if err := r.Hold(t.Context(), 800); err != nil {
		t.Fatal(err)
	}
	ann, build := f.of(t, "ann"), f.of(t, "group build")
	ann.want(t, "at first", before, 0, 800)
	build.want(t, "at first", before, 0, 800)
	if err := r.Hold(t.Context(), 1_500); err != nil {
		t.Fatal(err)
	}
	ann.want(t, "once more was granted", before, 0, 1_500)
	build.want(t, "once more was granted", before, 0, 1_500)

	f.refuse["group build"], f.others = true, 300
	var over *ledger.BudgetError
	other := l.Reserve("ann", daily, crew)
	if err := other.Hold(t.Context(), 600); !errors.As(err, &over) || over.Group != "build" || over.Budget != ledger.DailyBudget || over.SpentMicros != 300 || over.HeldMicros != 1_500 || over.AmountMicros != 600 {
		t.Errorf("the group refuses: %+v, %v", over, err)
	}
	ann.want(t, "the group has refused", before, 0, 1_500)
	f.away["group build"] = true
	var away *ledger.AwayError
	if err := other.Hold(t.Context(), 600); !errors.As(err, &away) || !errors.Is(err, errAway) {
		t.Errorf("nobody can tell: %v", err)
	}
	ann.want(t, "nobody could tell", before, 0, 1_500)
	f.wait = make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := other.Hold(ctx, 600); !errors.Is(err, context.Canceled) || errors.As(err, &away) {
		t.Errorf("its client has gone: %v", err)
	}
	ann.want(t, "its client has gone", before, 0, 1_500)

	states := r.States()
	if len(states) != 2 || states[0].SpentMicros != 300 || states[0].HeldMicros != 1_500 || states[1].Group != "build" {
		t.Errorf("the budgets stand as %+v", states)
	}
	f.others = 4_000
	if w := r.Warnings(); len(w) != 2 || w[0].Percent() != 80 {
		t.Errorf("it is warned of %+v", w)
	}
	if spent, err := l.SpentBy(t.Context(), "ann"); err != nil || spent.Daily != 4_000 {
		t.Errorf("ann has spent %+v, %v", spent, err)
	}
	if spent, err := l.SpentBy(t.Context(), "bob"); err != nil || spent.Daily != 0 || len(f.shares) != 2 {
		t.Errorf("bob, who has no budget: %+v, %v, and there are %d shares", spent, err, len(f.shares))
	}
	r.Release()
	r.Release()
	ann.want(t, "in the end", before, 0, 0)
	build.want(t, "in the end", before, 0, 0)
}

// TestHoldAfterRelease: a reservation that was released can hold again, at once or by waiting.
func TestHoldAfterRelease(t *testing.T) {
	l, f := join(t, ledger.Options{InMemory: true, Now: func() time.Time { return late }})
	r := l.Reserve("ann", daily)
	for _, amount := range []money.Micros{grant, 2 * grant} {
		if err := r.Hold(t.Context(), amount); err != nil {
			t.Fatal(err)
		}
		f.of(t, "ann").want(t, fmt.Sprint(amount), before, 0, amount)
		r.Release()
		f.of(t, "ann").want(t, "released", before, 0, 0)
	}
	if err := r.Hold(t.Context(), 3*grant); err != nil {
		t.Fatal(err)
	}
	f.of(t, "ann").want(t, "after a wait", before, 0, 3*grant)
}

// TestReleaseWhileHoldAwaits: nobody waits for a Hold that waits for a grant, the committer least of all, and what comes for it
// after a Release is given back.
func TestReleaseWhileHoldAwaits(t *testing.T) {
	l, f := join(t, ledger.Options{InMemory: true, Now: func() time.Time { return late }})
	buy(t, l, "t1", "acme", money.USD)
	r := l.Reserve("ann", daily)
	if err := r.Hold(t.Context(), 900); err != nil {
		t.Fatal(err)
	}
	f.wait = make(chan struct{})
	held := make(chan error)
	began := make(chan struct{})
	go func() {
		close(began)
		held <- r.Hold(t.Context(), 1_900)
	}()
	<-began
	in := inference(hold("", "acme", "t1"), 70)
	in.Budget = r
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if _, err := l.Waste(in).Wait(ctx); err != nil {
		t.Fatalf("the books wait for a grant: %v", err)
	}
	select {
	case err := <-held:
		t.Fatalf("it was not granted: %v", err)
	default:
	}
	r.Release()
	close(f.wait)
	if err := <-held; err != nil {
		t.Fatal(err)
	}
	f.of(t, "ann").want(t, "in the end", before, 70, 0)
}

// TestPinnedPeriods: what a request costs counts in the periods in which it was first held, its failed attempts too, whenever it ends; a
// correction counts when it is known. A process after this one tells the same.
func TestPinnedPeriods(t *testing.T) {
	c := &clock{now: late}
	o := ledger.Options{Dir: t.TempDir(), Now: c.read}
	l, f := join(t, o)
	buy(t, l, "t1", "acme", money.USD)
	r := l.Reserve("ann", daily, crew)
	if err := r.Hold(t.Context(), 900); err != nil {
		t.Fatal(err)
	}
	c.set(late.Add(2 * time.Second))
	if err := r.Hold(t.Context(), 1_000); err != nil {
		t.Fatal(err)
	}
	ann, build := f.of(t, "ann"), f.of(t, "group build")
	ann.want(t, "held over midnight", before, 0, 1_000)
	in := inference(hold("", "acme", "t1"), 100)
	in.Group, in.Budget, in.Settlement.SettlementID = "build", r, "s-1"
	if _, err := l.Waste(in).Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	ann.want(t, "an attempt has failed", before, 100, 0)
	in.Settlement = settlement("s-2", 400)
	if _, err := l.Settle(in).Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	ann.want(t, "it is settled", before, 500, 0)
	build.want(t, "it is settled", before, 500, 0)
	ann.want(t, "the day after", after, 0, 0)

	spend(t, l, 30) // of ann, without a reservation
	ann.want(t, "without a reservation", after, 30, 0)
	guess := inference(hold("", "acme", "t1"), 0)
	guess.Settlement, guess.AnswerText = nil, 40
	b, err := l.Settle(guess).Wait(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	cost := b.Entry.ExpenseMicros
	told := inference(hold("", "acme", "t1"), 0)
	told.Member, told.Exclusive, told.Settlement = "bob", true, settlement("s-3", 1)
	told.Settlement.BalanceMicros = new(money.USD - 100 - 400 - 30 - 1) // the guess has cost nothing
	if _, err := l.Settle(told).Wait(t.Context()); err != nil || cost == 0 {
		t.Fatal(cost, err)
	}
	ann.want(t, "a balance has told", after, 30, 0)
	mustVerify(t, l)
	closed(t, l)

	l, f = join(t, o)
	_ = l.Reserve("ann", daily, crew)
	for name, want := range map[string]map[string]money.Micros{"ann": {before: 500, after: 30}, "group build": {before: 500}} {
		if s := f.of(t, name); !maps.Equal(s.began[0], want) {
			t.Errorf("%s has spent %v by the days, want %v", name, s.began[0], want)
		}
	}
	if s := f.of(t, "ann"); s.began[1]["2026-02-23"] != 500 || s.began[1]["2026-03-02"] != 30 || s.began[2]["2026-03"] != 530 {
		t.Errorf("ann has spent %v by weeks and months", s.began)
	}
}

// TestDoubtInAFleet: what a request may still cost stays held at its share, in its periods, for a minute, and is given back then though nobody
// asks here any more: others may want it.
func TestDoubtInAFleet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, f := join(t, ledger.Options{InMemory: true})
		defer func() { closed(t, l) }()
		day := time.Now().UTC().Format("2006-01-02")
		buy(t, l, "t1", "acme", money.USD)
		if _, sent := giveUp(t, l, "t1"); !sent {
			t.Fatal("it was refused")
		}
		ann := f.of(t, "ann")
		ann.want(t, "it was given up", day, 0, 1_000)
		time.Sleep(59 * time.Second)
		ann.want(t, "before the minute is over", day, 0, 1_000)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		ann.want(t, "after it", day, 0, 0)
	})
}

// TestDoubtAfterARestart: what a request of a moment ago may still cost is held at the share of the next process.
func TestDoubtAfterARestart(t *testing.T) {
	c := &clock{now: late}
	o := ledger.Options{Dir: t.TempDir(), Now: c.read}
	l, _ := join(t, o)
	buy(t, l, "t1", "acme", money.USD)
	if _, sent := giveUp(t, l, "t1"); !sent {
		t.Fatal("it was refused")
	}
	closed(t, l)
	l, f := join(t, o)
	f.of(t, "ann").want(t, "after a restart", before, 0, 1_000)
	told := inference(hold("", "acme", "t1"), 100)
	told.Member, told.Exclusive, told.Settlement.BalanceMicros = "bob", true, new(money.USD-100-700)
	if b, err := l.Settle(told).Wait(t.Context()); err != nil || !b.Told {
		t.Fatalf("%+v, %v", b, err)
	}
	f.of(t, "ann").want(t, "a balance has told", before, 700, 0)
}
