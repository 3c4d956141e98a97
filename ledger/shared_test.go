package ledger_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dgraph-io/badger/v4"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// A grant is what a test's fleet has set aside of each holder's budgets, in each period.
const grant = 1_000

var errAway = errors.New("the store is away")

// fakeFleet is a fleet that a test plays.
type fakeFleet struct {
	mu     sync.Mutex
	shares map[string]*fakeShare
	refuse map[string]bool // holders of which nothing more is to be had
	away   map[string]bool // holders of which nobody can tell
	wait   chan struct{}   // not nil: grants come when it is closed
	others money.Micros    // what other ledgers have spent
}

func newFleet() *fakeFleet {
	return &fakeFleet{shares: map[string]*fakeShare{}, refuse: map[string]bool{}, away: map[string]bool{}}
}

func (f *fakeFleet) Of(group bool, name string, spent [3]map[string]money.Micros) ledger.Share {
	if group {
		name = "group " + name
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.shares[name] != nil {
		panic("a share of " + name + " was asked for twice")
	}
	s := &fakeShare{fleet: f, name: name, granted: grant, held: map[string]money.Micros{}, began: spent}
	for i := range s.spent {
		s.spent[i] = maps.Clone(spent[i])
		if s.spent[i] == nil {
			s.spent[i] = map[string]money.Micros{}
		}
	}
	f.shares[name] = s
	return s
}

// of gives a share that was asked for.
func (f *fakeFleet) of(t *testing.T, name string) *fakeShare {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.shares[name]
	if s == nil {
		t.Fatalf("nobody has asked for a share of %s", name)
	}
	return s
}

type fakeShare struct {
	fleet   *fakeFleet // whose mutex protects the following
	name    string
	granted money.Micros
	held    map[string]money.Micros // by day
	spent   [3]map[string]money.Micros
	began   [3]map[string]money.Micros // what the ledger had booked
}

func (s *fakeShare) Reserve(p ledger.Periods, budgets ledger.Amounts, more money.Micros) int {
	s.fleet.mu.Lock()
	defer s.fleet.mu.Unlock()
	for i, b := range budgets {
		if b >= 0 && s.spent[i][p[i]]+s.held[p[0]]+more > min(b, s.granted) {
			return i
		}
	}
	s.held[p[0]] += more
	return -1
}

func (s *fakeShare) Await(ctx context.Context, p ledger.Periods, budgets ledger.Amounts, more money.Micros) (int, error) {
	refused := s.Reserve(p, budgets, more)
	if refused < 0 {
		return refused, nil
	}
	s.fleet.mu.Lock()
	wait, refuse, away := s.fleet.wait, s.fleet.refuse[s.name], s.fleet.away[s.name]
	s.fleet.mu.Unlock()
	if wait != nil {
		select {
		case <-wait:
		case <-ctx.Done():
			return refused, ctx.Err()
		}
	}
	switch {
	case away:
		return refused, errAway
	case refuse:
		return refused, nil
	}
	s.fleet.mu.Lock()
	s.granted += grant
	s.fleet.mu.Unlock()
	return s.Reserve(p, budgets, more), nil
}

func (s *fakeShare) Release(p ledger.Periods, held money.Micros) {
	s.fleet.mu.Lock()
	defer s.fleet.mu.Unlock()
	s.held[p[0]] -= held
}

func (s *fakeShare) Settle(p ledger.Periods, cost money.Micros) {
	s.fleet.mu.Lock()
	defer s.fleet.mu.Unlock()
	for i, period := range p {
		s.spent[i][period] += cost
	}
}

func (s *fakeShare) Standing(p ledger.Periods) (spent, held ledger.Amounts) {
	s.fleet.mu.Lock()
	defer s.fleet.mu.Unlock()
	for i, period := range p {
		spent[i], held[i] = s.spent[i][period]+s.fleet.others, s.held[p[0]]
	}
	return spent, held
}

// on gives what is spent and held of the share on a day.
func (s *fakeShare) on(day string) (spent, held money.Micros) {
	s.fleet.mu.Lock()
	defer s.fleet.mu.Unlock()
	return s.spent[0][day], s.held[day]
}

func (s *fakeShare) want(t *testing.T, when, day string, spent, held money.Micros) {
	t.Helper()
	if gotSpent, gotHeld := s.on(day); gotSpent != spent || gotHeld != held {
		t.Errorf("%s: of %s's %s %d is spent and %d held, want %d and %d", when, s.name, day, gotSpent, gotHeld, spent, held)
	}
}

// join opens a ledger in a fleet.
func join(t *testing.T, o ledger.Options) (*ledger.Ledger, *fakeFleet) {
	t.Helper()
	o.Shared = true
	l, f := open(t, o), newFleet()
	l.SetShares(f)
	return l, f
}

func closed(t *testing.T, l *ledger.Ledger) {
	t.Helper()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

var (
	daily = ledger.Budget{Daily: 5_000, Weekly: -1, Monthly: -1}
	crew  = ledger.GroupBudget{Group: "build", Budget: daily}
)

const (
	before = "2026-03-01"
	after  = "2026-03-02"
)

var late = moment(before + "T23:59:59Z")

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

// TestSharedBooks: an epoch begins with each opening in a fleet; what was spent is known to the next, also where a process that was in no
// fleet has booked between, or the ledger was restored.
func TestSharedBooks(t *testing.T) {
	now := moment("2026-03-04T12:00:00Z")
	o := ledger.Options{Dir: t.TempDir(), Now: func() time.Time { return now }}
	l := open(t, o)
	buy(t, l, "t1", "acme", money.USD)
	spend(t, l, 100)
	if l.Epoch() != 0 {
		t.Errorf("in no fleet it has the epoch %d", l.Epoch())
	}
	identity := l.Identity()
	closed(t, l)
	spent := func(when string, epoch uint64, want money.Micros) *ledger.Ledger {
		t.Helper()
		l, f := join(t, o)
		if l.Epoch() != epoch || l.Identity() != identity {
			t.Errorf("%s: epoch %d of %s, want %d of %s", when, l.Epoch(), l.Identity(), epoch, identity)
		}
		_ = l.Reserve("ann", daily)
		for i, period := range []string{"2026-03-04", "2026-03-02", "2026-03"} {
			if got := f.of(t, "ann").began[i]; len(got) != 1 || got[period] != want {
				t.Errorf("%s: %v, want %d of %s", when, got, want, period)
			}
		}
		mustVerify(t, l)
		return l
	}
	l = spent("at first", 1, 100)
	spend(t, l, 20)
	closed(t, l)
	l = spent("the second time", 2, 120)
	closed(t, l)
	l = open(t, o)
	spend(t, l, 3)
	closed(t, l)
	l = spent("after one without a fleet", 3, 123)
	closed(t, l)
	// A release that knows of no fleet leaves the mark as it is, and does not touch the records.
	var mark string
	tamper(t, o.Dir, func(txn *badger.Txn) error {
		item, err := txn.Get([]byte("m/shared"))
		if err != nil {
			return err
		}
		return item.Value(func(v []byte) error {
			mark = string(v)
			return nil
		})
	})
	l = open(t, o)
	spend(t, l, 2)
	closed(t, l)
	tamper(t, o.Dir, func(txn *badger.Txn) error { return txn.Set([]byte("m/shared"), []byte(mark)) })
	l = spent("after an older release", 4, 125)
	spend(t, l, 2)
	saved := backup(t, l)
	closed(t, l)

	o.Dir = t.TempDir()
	key := o
	key.Key = testKey
	if r, err := ledger.Restore(t.Context(), key, bytes.NewReader(saved)); err != nil || !r.OK {
		t.Fatalf("%+v, %v", r, err)
	}
	spent("restored", 5, 127)
}

// TestCalendarOfSharedBooks: what a ledger has spent before it joins a fleet is told by the calendar that budgets go by, not by the one that
// it is opened with.
func TestCalendarOfSharedBooks(t *testing.T) {
	c := &clock{now: moment("2026-03-04T23:30:00Z")}
	o := ledger.Options{Dir: t.TempDir(), Now: c.read}
	l := open(t, o)
	buy(t, l, "t1", "acme", money.USD)
	spend(t, l, 100)
	c.set(moment("2026-03-05T00:30:00Z"))
	spend(t, l, 20)
	closed(t, l)
	o.Shared = true
	l = open(t, o)
	if err := l.SetCalendar(t.Context(), ledger.Calendar{Zone: time.FixedZone("CET", 3600), Week: time.Monday}); err != nil {
		t.Fatal(err)
	}
	f := newFleet()
	l.SetShares(f)
	_ = l.Reserve("ann", daily)
	if got := f.of(t, "ann").began[0]; len(got) != 1 || got["2026-03-05"] != 120 {
		t.Errorf("%v by the days, want 120 of the fifth", got)
	}
}

// TestSharedBooksAfterAWrongClock: what is spent after the clock was ahead is known to the next opening, in each period. So is what is spent now, where
// much that is old is booked late.
func TestSharedBooksAfterAWrongClock(t *testing.T) {
	now := moment("2026-03-15T12:00:00Z")
	c := &clock{now: now}
	o := ledger.Options{Dir: t.TempDir(), Now: c.read}
	l, _ := join(t, o)
	buy(t, l, "t1", "acme", money.USD)
	var old []*ledger.Reservation
	for day := range 12 { // they begin now, and end when other days have come
		c.set(now.AddDate(0, 0, day))
		r := l.Reserve("ann", daily)
		if err := r.Hold(t.Context(), 10); err != nil {
			t.Fatal(err)
		}
		old = append(old, r)
	}
	for month := range 12 {
		c.set(now.AddDate(3, month, 0))
		spend(t, l, 100)
	}
	c.set(now.AddDate(0, 0, 11))
	spend(t, l, 7)
	for _, r := range old[:11] {
		in := inference(hold("", "acme", "t1"), 10)
		in.Budget, in.Settlement = r, settlement(ledger.NewID(), 10)
		if _, err := l.Settle(in).Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	spend(t, l, 30)
	closed(t, l)
	l, f := join(t, o)
	_ = l.Reserve("ann", daily)
	began := f.of(t, "ann").began
	if began[0]["2026-03-26"] != 37 || began[1]["2026-03-23"] < 37 || began[2]["2026-03"] < 37 {
		t.Errorf("%v, want 37 of today", began)
	}
	for i, most := range []int{10, 4, 3} {
		if len(began[i]) > most {
			t.Errorf("%d periods are kept: %v", len(began[i]), began[i])
		}
	}
	closed(t, l)
}

// TestSharedBooksBeforeAWrongClock: what was spent before the clock was ahead is known to the next opening, and to who asks for a share only then, once
// the clock is back, whether something was spent since or not.
func TestSharedBooksBeforeAWrongClock(t *testing.T) {
	now := moment("2026-03-15T12:00:00Z")
	for _, ahead := range []struct{ days, months int }{{1, 0}, {7, 0}, {0, 1}} {
		for _, again := range []bool{false, true} {
			for _, since := range []money.Micros{0, 7} {
				c := &clock{now: now}
				o := ledger.Options{Dir: t.TempDir(), Now: c.read}
				l, f := join(t, o)
				buy(t, l, "t1", "acme", money.USD)
				spend(t, l, 100)
				for n := range 12 {
					c.set(now.AddDate(0, ahead.months*(n+1), ahead.days*(n+1)))
					spend(t, l, 1)
				}
				c.set(now)
				if since != 0 {
					spend(t, l, since)
				}
				if again {
					closed(t, l)
					l, f = join(t, o)
				}
				_ = l.Reserve("ann", daily)
				began, want := f.of(t, "ann").began, 100+since
				if began[0]["2026-03-15"] != want || began[1]["2026-03-09"] < want || began[2]["2026-03"] < want {
					t.Errorf("%+v, opened again %v, %d since: %v, want %d of today", ahead, again, since, began, want)
				}
				closed(t, l)
			}
		}
	}
}

// TestRows: a reader goes on after what it has, also in months that are in files, and gets the bytes that the hashes are of.
func TestRows(t *testing.T) {
	l := months(t, ledger.Options{Dir: t.TempDir(), Shared: true}, 5)
	if done, err := l.Archive(t.Context(), moment("2026-03-01T00:00:00Z"), "", nil); err != nil || done.Entries == 0 {
		t.Fatal(err)
	}
	head, hash, err := l.Head(t.Context())
	if err != nil || head == 0 {
		t.Fatal(head, err)
	}
	var want []string
	if err := l.Lines(t.Context(), ledger.Query{}, func(raw []byte) error {
		want = append(want, string(raw))
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	for after := range head + 1 {
		next, last := after, ""
		if err := l.Rows(t.Context(), after, func(seq uint64, raw, _ []byte) error {
			if next++; seq != next || string(raw) != want[seq-1] {
				t.Errorf("after %d: row %d is %s", after, seq, raw)
			}
			last = string(raw)
			return nil
		}); err != nil || next != head {
			t.Errorf("after %d: %d of %d rows, %v", after, next, head, err)
		}
		if after < head && last[len(last)-len(hash)-2:] != hash+`"}` {
			t.Errorf("the last row is %s, and the head %s", last, hash)
		}
	}
}

// TestVerifySharedBooks: a record of what a fleet is told that can't be true is found.
func TestVerifySharedBooks(t *testing.T) {
	for name, change := range map[string]func(*badger.Txn) error{
		"by days, weeks and months":  replace("f/m/ann", "100", "900"),
		"of no period that there is": replace("f/m/ann", "2026-03-04", "2026-03-44"),
	} {
		o := ledger.Options{Dir: t.TempDir(), Now: func() time.Time { return moment("2026-03-04T12:00:00Z") }}
		l, _ := join(t, o)
		buy(t, l, "t1", "acme", money.USD)
		spend(t, l, 100)
		mustVerify(t, l)
		closed(t, l)
		tamper(t, o.Dir, change)
		l, _ = join(t, o)
		if r, err := l.Verify(t.Context()); err != nil || r.OK || !strings.Contains(r.Problem, name) {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
		closed(t, l)
	}
}
