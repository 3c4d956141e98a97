package ledger_test

import (
	"context"
	"os"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// shareToken has the ledger share a token of its own.
func shareToken(t interface{ Fatal(...any) }, l *ledger.Ledger, id string) {
	token, found, err := l.Token(context.Background(), id)
	if err == nil && found {
		_, _, err = l.MovePart(context.Background(), token, 0)
	}
	if err != nil || !found {
		t.Fatal(found, err)
	}
}

// TestSharedTries: of what is booked on a shared token without the seller's word it is asked for an hour whether another gateway has had another try of it, where that
// can be; and what was settled is told once.
func TestSharedTries(t *testing.T) {
	for name, c := range map[string]struct {
		own     bool // the token is not shared
		late    bool // it is shared once they are booked
		tries   []ledger.Inference
		later   time.Duration
		ended   bool // the token has come to its end by then
		restart bool // and so has the process
		settled []money.Micros
		open    int
	}{
		"cut":                        {tries: []ledger.Inference{cutTry("t1")}, open: 1},
		"cut twice":                  {tries: []ledger.Inference{cutTry("t1"), cutTry("t1")}, open: 2},
		"cut an hour ago":            {tries: []ledger.Inference{cutTry("t1")}, later: time.Hour},
		"cut, on a token of its own": {own: true, tries: []ledger.Inference{cutTry("t1")}},
		"settled, on one of its own": {own: true, tries: []ledger.Inference{keyed("t1", 40)}},
		"settled, and shared":        {late: true, tries: []ledger.Inference{keyed("t1", 40)}, settled: []money.Micros{40}},
		"settled, and shared later":  {late: true, tries: []ledger.Inference{keyed("t1", 40)}, later: time.Minute},
		"settled":                    {tries: []ledger.Inference{keyed("t1", 40)}, settled: []money.Micros{40}},
		"settled, and cut":           {tries: []ledger.Inference{keyed("t1", 40), cutTry("t1")}, settled: []money.Micros{40}},
		"cut, and settled":           {tries: []ledger.Inference{cutTry("t1"), keyed("t1", 40)}, settled: []money.Micros{40}},
		"settled twice, by itself":   {tries: []ledger.Inference{keyed("t1", 40), keyed("t1", 50)}, settled: []money.Micros{40, 0}},
		"cut, and ended":             {tries: []ledger.Inference{cutTry("t1")}, ended: true, open: 1},
		"cut, ended, and restarted":  {tries: []ledger.Inference{cutTry("t1")}, ended: true, restart: true, open: 1},
		"cut, on one that has ended": {own: true, tries: []ledger.Inference{cutTry("t1")}, ended: true},
		"settled, and ended":         {tries: []ledger.Inference{keyed("t1", 40)}, ended: true, settled: []money.Micros{40}},
		"the gateway's own key":      {tries: []ledger.Inference{unnamed(cutTry("t1")), unnamed(keyed("t1", 40))}},
	} {
		t.Run(name, func(t *testing.T) {
			now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
			o := ledger.Options{Dir: t.TempDir(), Now: func() time.Time { return now }}
			l := open(t, o)
			buy(t, l, "t1", "acme", money.USD)
			if !c.own && !c.late {
				shareToken(t, l, "t1")
			}
			for _, in := range c.tries {
				if _, err := l.Settle(in).Wait(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			now = now.Add(c.later)
			if c.ended {
				if err := l.DropToken(t.Context(), "t1", ""); err != nil {
					t.Fatal(err)
				}
			}
			if c.restart {
				if err := l.Close(); err != nil {
					t.Fatal(err)
				}
				l = open(t, o)
			}
			if c.late {
				if settled, _, err := l.SharedTries(t.Context()); err != nil || len(settled) > 0 {
					t.Fatalf("not shared, and %+v, %v", settled, err)
				}
				shareToken(t, l, "t1")
			}
			settled, open, err := l.SharedTries(t.Context())
			var billed []money.Micros
			for _, s := range settled {
				if billed = append(billed, s.BilledMicros); !s.Until.After(now) {
					t.Errorf("%+v", s)
				}
			}
			if err != nil || !slices.Equal(billed, c.settled) || len(open) != c.open {
				t.Fatalf("settled %+v, open %x, %v", settled, open, err)
			}
			if settled, _, err = l.SharedTries(t.Context()); err != nil || len(settled) > 0 {
				t.Errorf("again %+v, %v", settled, err)
			}
		})
	}
}

// TestSharedTryOfTheDead: what a process has left under way on a shared token may have been settled for the client's next try at another gateway.
func TestSharedTryOfTheDead(t *testing.T) {
	for _, named := range []bool{true, false} {
		dir := t.TempDir()
		l := open(t, ledger.Options{Dir: dir})
		buy(t, l, "t1", "acme", money.USD)
		shareToken(t, l, "t1")
		h := ledger.Hold{ID: "h", Request: cutTry("t1").Request, Seller: "acme", Origin: origin, TokenID: "t1", Price: price, Attempt: 1, AmountMicros: 1_200}
		h.Repeatable = named
		if err := l.PlaceHold(h).Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		l = open(t, ledger.Options{Dir: dir})
		if _, open, err := l.SharedTries(t.Context()); err != nil || len(open) == 1 != named {
			t.Errorf("the client has named the key: %t; %d are asked for, %v", named, len(open), err)
		}
	}
}

// TestTakeOffOfATold: what a seller has told of a token before it was shared has the cost of its tries on it, whoever bears that.
func TestTakeOffOfATold(t *testing.T) {
	l := open(t, ledger.Options{Dir: t.TempDir()})
	buy(t, l, "t1", "acme", money.USD)
	const told = money.USD - 150 - 40
	next := keyed("t1", 40)
	next.IdempotencyKey, next.Exclusive, next.Settlement.BalanceMicros = "k2", true, new(told)
	for _, in := range []ledger.Inference{cutTry("t1"), next} {
		if _, err := l.Settle(in).Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	shareToken(t, l, "t1")
	_, open, err := l.SharedTries(t.Context())
	if err != nil || len(open) != 1 {
		t.Fatalf("%x, %v", open, err)
	}
	if err := l.TakeOff(t.Context(), open[0], 150, func(r ledger.Retraction) {
		if r.Given == nil || r.Given.Micros != 0 || r.BilledMicros != -150 {
			t.Errorf("%+v", r)
		}
	}); err != nil {
		t.Fatal(err)
	}
	if left := l.Tokens()[0].BalanceMicros; left != told || borneOf(l) != 40 {
		t.Errorf("%d are left, and the seller has told %d; members bear %d", left, told, borneOf(l))
	}
	mustVerify(t, l)
}

func unnamed(in ledger.Inference) ledger.Inference {
	in.IdempotencyKey, in.Repeatable = in.RequestID, false
	return in
}

// TestTakeOff: tries at two gateways are one charge, the dearer of both, however often it is told, and over restarts, and where its token has come to its end. Another request
// stays what it is.
func TestTakeOff(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ctx := context.Background()
		dir, err := os.MkdirTemp("", "ledger")
		if err != nil {
			t.Fatal(err)
		}
		one, two := &world{dir: dir, now: time.Now}, &world{now: time.Now}
		t.Cleanup(func() {
			one.l.Close()
			two.l.Close()
			os.RemoveAll(dir)
		})
		for _, w := range []*world{one, two} {
			w.open(t)
			p := ledger.Purchase{
				ID: "t1", Seller: "acme", Origin: origin, Method: "mock", AmountMicros: money.USD, Token: &ledger.Token{Secret: "x", CreditMicros: money.USD},
			}
			for _, p.State = range wayToGranted {
				if err := w.l.Advance(ctx, p, noLimits); err != nil {
					t.Fatal(err)
				}
			}
			shareToken(t, w.l, "t1")
		}
		cut, other := cutTry("t1"), cutTry("t1")
		other.IdempotencyKey = "k2"
		wasted := rapid.Bool().Draw(t, "wasted")
		book := one.l.Settle
		if wasted {
			cut.Status, book = ledger.StatusFailed, one.l.Waste
		}
		if rapid.Bool().Draw(t, "by usage") && !wasted {
			byUsage(nil, &cut)
		}
		was, err := book(cut).Wait(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := one.l.Settle(other).Wait(ctx); err != nil {
			t.Fatal(err)
		}
		ended := rapid.Bool().Draw(t, "ended")
		if ended {
			if err := one.l.DropToken(ctx, "t1", ""); err != nil {
				t.Fatal(err)
			}
		}
		billed := money.Micros(rapid.Int64Range(1, 300).Draw(t, "billed"))
		if _, err := two.l.Settle(keyed("t1", billed)).Wait(ctx); err != nil {
			t.Fatal(err)
		}
		settled, _, err := two.l.SharedTries(ctx)
		if err != nil || len(settled) != 1 {
			t.Fatalf("settled %+v, %v", settled, err)
		}
		var back money.Micros
		for i := range rapid.IntRange(1, 3).Draw(t, "times") {
			_, open, err := one.l.SharedTries(ctx)
			if want := 2 - min(i, 1); err != nil || len(open) != want {
				t.Fatalf("%d are asked for, want %d: %v", len(open), want, err)
			}
			for _, s := range settled {
				if err := one.l.TakeOff(ctx, s.Key, s.BilledMicros, func(r ledger.Retraction) {
					if !r.Ours || r.Seller != "acme" || (r.Given == nil) != ended || !ended && r.Given.Micros != -r.TakenMicros() || r.Wasted != wasted {
						t.Fatalf("%+v", r)
					}
					back -= r.TakenMicros()
				}); err != nil {
					t.Fatal(err)
				}
			}
			one.check(t)
			if rapid.Bool().Draw(t, "restart") {
				if err := one.l.Close(); err != nil {
					t.Fatal(err)
				}
				one.open(t)
			}
		}
		cost := money.Micros(150)
		if was.Entry.Served != nil {
			cost = was.Entry.BilledMicros
		}
		want := max(cost-billed, 0)
		if back != cost-want {
			t.Fatalf("it was booked at %d, and %d came back; another gateway has settled it at %d", cost, back, billed)
		}
		if ended {
			return
		}
		if got := money.USD - one.l.Tokens()[0].BalanceMicros - 150; got != want {
			t.Fatalf("it is booked at %d, was at %d; another gateway has settled it at %d", got, cost, billed)
		}
	})
}
