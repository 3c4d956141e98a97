package ledger_test

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// fourDays buys, serves, wastes and drops, a thing each hour or so, over some days.
func fourDays(t *testing.T) *ledger.Ledger {
	now := moment("2026-03-01T00:00:00Z")
	l := open(t, ledger.Options{InMemory: true, Now: func() time.Time { return now }})
	for i := range 24 {
		token, seller := fmt.Sprint("t", i), []string{"acme", "be:st"}[i%2]
		buy(t, l, token, seller, 100_000)
		for j := range 3 {
			now = now.Add(time.Hour)
			h := hold(fmt.Sprint(i, "-", j), seller, token)
			h.Member, h.Model = []string{"ann", "b:ob"}[j%2], []string{"m1", "m%2", "m3"}[(i+j)%3]
			if err := l.PlaceHold(h).Wait(t.Context()); err != nil {
				t.Fatal(err)
			}
			in := inference(h, money.Micros(1000+i))
			book := l.Settle
			if j == 2 {
				book = l.Waste
			}
			if _, err := book(in).Wait(t.Context()); err != nil {
				t.Fatal(err)
			}
			if j == 2 {
				if err := l.ReleaseHold(h.ID).Wait(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
		}
		if i%3 == 0 {
			if err := l.DropToken(t.Context(), token, "expired"); err != nil {
				t.Fatal(err)
			}
		}
	}
	return l
}

// TestStatement cuts the time into periods: each begins where the one before has ended, the rows of each are what has moved in
// it, and together they are the books.
func TestStatement(t *testing.T) {
	l := fourDays(t)
	balances, err := l.Accounts()
	if err != nil {
		t.Fatal(err)
	}
	for _, by := range []string{"member", "model", "seller", "day"} {
		var cuts []time.Time
		for at := moment("2026-03-01T06:30:00Z"); at.Before(moment("2026-03-05T00:00:00Z")); at = at.Add(7 * time.Hour) {
			cuts = append(cuts, at)
		}
		before, from, entries := map[string]money.Micros{}, time.Time{}, uint64(0)
		for _, to := range append(cuts, time.Time{}) {
			s, err := l.Statement(t.Context(), ledger.Period{From: from, To: to}, by, nil)
			if err != nil {
				t.Fatal(err)
			}
			rows := map[string]money.Micros{}
			for _, r := range s.Rows {
				rows["wallet"] -= r.PaidMicros
				rows["expense"] += r.ExpenseMicros
				rows["waste"] += r.WasteMicros
			}
			moved := map[string]money.Micros{}
			for _, a := range s.Accounts {
				if a.OpeningMicros != before[a.Account] || a.OpeningMicros+a.MovedMicros != a.ClosingMicros {
					t.Errorf("by %s, from %s to %s: %+v, and before it was %s", by, from, to, a, before[a.Account])
				}
				before[a.Account] = a.ClosingMicros
				kind, _ := ledger.SplitAccount(a.Account)
				moved[kind] += a.MovedMicros
			}
			for kind, want := range rows {
				if moved[kind] != want {
					t.Errorf("by %s, from %s to %s: %s moved %s, the rows sum to %s", by, from, to, kind, moved[kind], want)
				}
			}
			from = to
			entries += s.Entries
		}
		if r := mustVerify(t, l); entries != r.Entries {
			t.Errorf("%d entries in all periods, of %d", entries, r.Entries)
		}
		for _, a := range balances {
			if before[a.Account] != a.BalanceMicros {
				t.Errorf("account %s ends at %s, and is %s", a.Account, before[a.Account], a.BalanceMicros)
			}
		}
	}
	s, err := l.Statement(t.Context(), ledger.Period{}, "member", nil)
	if err != nil {
		t.Fatal(err)
	}
	var keys []string
	for _, r := range s.Rows {
		keys = append(keys, r.Key)
	}
	if want := []string{"", "ann", "b:ob"}; !reflect.DeepEqual(keys, want) {
		t.Errorf("rows of %q, want %q", keys, want)
	}
	if _, err := l.Statement(t.Context(), ledger.Period{}, "weather", nil); err == nil {
		t.Error("a statement by weather")
	}
}

// TestStatementWithoutIdleRows has no row for what moves none of the money that rows tell of: an operator's orders, a token that is granted in
// another period than it is paid in.
func TestStatementWithoutIdleRows(t *testing.T) {
	now := moment("2026-03-01T00:00:00Z")
	l := open(t, ledger.Options{InMemory: true, Now: func() time.Time { return now }})
	buy(t, l, "t1", "acme", 100_000)
	now = moment("2026-03-02T00:00:00Z")
	if err := l.PauseSeller(t.Context(), "bolt", ledger.Order{By: "kai"}); err != nil {
		t.Fatal(err)
	}
	err := l.EditMember(t.Context(), ledger.Order{Order: "add", By: "kai", Member: "zed"}, func(*ledger.Enrolled) (*ledger.Enrolled, string, error) {
		return &ledger.Enrolled{Name: "zed"}, "added", nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for by, want := range map[string][]string{"member": {""}, "seller": {"acme"}, "day": {"2026-03-01"}, "seller,member": {"acme,"}} {
		s, err := l.Statement(t.Context(), ledger.Period{}, by, nil)
		if err != nil {
			t.Fatal(err)
		}
		var keys []string
		for _, r := range s.Rows {
			keys = append(keys, r.Key)
		}
		if !reflect.DeepEqual(keys, want) {
			t.Errorf("by %s: rows of %q, want %q", by, keys, want)
		}
	}
}

// TestProgress is told of all entries, in order, and of no more than there are.
func TestProgress(t *testing.T) {
	l := threeDays(t)
	for range 600 {
		if _, err := l.Settle(ledger.Inference{Request: ledger.Request{Member: "ann", Model: "m"}, Status: ledger.StatusFailed}).Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for name, read := range map[string]func(ledger.Progress) error{
		"verify": func(p ledger.Progress) error { _, err := l.VerifyWithProgress(t.Context(), p); return err },
		"statement": func(p ledger.Progress) error {
			_, err := l.Statement(t.Context(), ledger.Period{}, "day", p)
			return err
		},
	} {
		var calls, last uint64
		if err := read(func(done, total uint64) {
			calls++
			if done < last || done > total || total != 609 {
				t.Errorf("%s: %d of %d after %d", name, done, total, last)
			}
			last = done
		}); err != nil {
			t.Fatal(err)
		}
		if calls != 3 {
			t.Errorf("%s: told %d times", name, calls)
		}
	}
}

// TestBalances are what the entries until their head sum to.
func TestBalances(t *testing.T) {
	l := fourDays(t)
	b, err := l.Balances(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if r := mustVerify(t, l); b.Head != r.Head || b.Entries != r.Entries || len(b.Accounts) == 0 {
		t.Errorf("%d entries, head %s: %+v", b.Entries, b.Head, r)
	}
}
