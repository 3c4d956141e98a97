package fleet_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/fleet"
	"github.com/tokenbuddy/caddy-tokenbuddy/fleet/fleettest"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
)

// What operators have to know is logged, and told to who listens, once for each time that it happens.
func TestEvents(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		core, logs := observer.New(zapcore.InfoLevel)
		store := newMemory()
		var told []fleet.Happening
		var reasons int
		n := start(store, "g", 1, func(o *fleet.Options) {
			o.Logger = zap.New(core)
			o.Happened = func(what fleet.Happening, why string) {
				if told = append(told, what); why != "" {
					reasons++
				}
			}
		})
		other := fleettest.NewLink(store)
		silent := start(other, "h", 1, nil)
		time.Sleep(15 * time.Second)
		other.Cut(true)
		time.Sleep(time.Minute)
		store.Cut(true)
		time.Sleep(30 * time.Second)
		store.Cut(false)
		time.Sleep(15 * time.Second)
		thief := start(store, "g", 2, nil)
		time.Sleep(15 * time.Second)
		var events []string
		for _, e := range logs.All() {
			events = append(events, e.Level.String()+" "+e.Message)
		}
		if want := []string{"warn fleet.silent", "warn fleet.away", "info fleet.back", "error fleet.fenced"}; !slices.Equal(events, want) {
			t.Errorf("logged %q, not %q", events, want)
		}
		if want := []fleet.Happening{fleet.StoreAway, fleet.StoreBack, fleet.GatewayFenced}; !slices.Equal(told, want) || reasons != 2 {
			t.Errorf("told %q with %d reasons, not %q", told, reasons, want)
		}
		for _, n := range []*node{n, silent, thief} {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			_ = n.Close(ctx)
			cancel()
		}
	})
}

func TestSession(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		store := newMemory()
		n := start(store, "g", 1, nil)
		for i := uint64(1); i < 3; i++ {
			if s, err := n.NewSession(t.Context()); s.N != i || err != nil || !s.Since.Equal(time.Now()) {
				t.Error(s, err)
			}
		}
		store.Cut(true)
		if _, err := n.NewSession(t.Context()); !errors.Is(err, fleet.ErrAway) {
			t.Error(err)
		}
		store.Cut(false)
		if s, err := n.Status(t.Context()); s.Session.N != 2 || err != nil {
			t.Error(s, err)
		}
		leave(t, []*node{n})
	})
}

func TestHolderOf(t *testing.T) {
	for _, name := range []string{"ada", "a/b", "100%", "%2F", "\x00"} {
		if group, got, ok := fleet.HolderOf(fleet.MemberKey(name)); group || got != name || !ok {
			t.Errorf("%q: %t %q %t", name, group, got, ok)
		}
		if group, got, ok := fleet.HolderOf(fleet.GroupKey(name)); !group || got != name || !ok {
			t.Errorf("%q: %t %q %t", name, group, got, ok)
		}
	}
	if _, _, ok := fleet.HolderOf("g/ada"); ok {
		t.Error("a gateway holds a budget")
	}
}

// A grant counts in the day, the week and the month alike, and the tightest of them refuses.
func TestEachPeriodCounts(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		store := newMemory()
		n := start(store, "g", 1, nil)
		for _, tt := range []struct {
			budgets fleet.Amounts
			more    money.Micros
			refused int
		}{
			{fleet.Amounts{1000, 1000, 1000}, 600, -1},
			{fleet.Amounts{1000, 1000, 1000}, 500, fleet.Day},
			{fleet.Amounts{-1, 1000, 1000}, 500, fleet.Week},
			{fleet.Amounts{-1, -1, 1000}, 500, fleet.Month},
			{fleet.Amounts{-1, 1200, 1100}, 500, -1},
			{fleet.Amounts{0, -1, -1}, 1, fleet.Day},
			{fleet.Amounts{1e6, 1e6, 1101}, 2, fleet.Month},
			{fleet.Amounts{1e6, 1e6, 1101}, 1, -1},
		} {
			if refused, err := n.share.Await(t.Context(), today, tt.budgets, tt.more); refused != tt.refused || err != nil {
				t.Errorf("%v more of %v: %d %v", tt.more, tt.budgets, refused, err)
			}
			time.Sleep(time.Second)
		}
		n.share.Release(today, 1101)
		leave(t, []*node{n})
	})
}

// nobodyIsSilent checks that a gateway takes no other for silent.
func nobodyIsSilent(t *testing.T, n *node) {
	t.Helper()
	status, err := n.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range status.Gateways {
		if g.Silent {
			t.Errorf("%s is silent", g.Gateway)
		}
	}
}

// onlyTheDeadIs checks that only the gateway that is called dead was said to be silent, and once.
func onlyTheDeadIs(t *testing.T, logs *observer.ObservedLogs) {
	t.Helper()
	if said := logs.FilterMessage("fleet.silent").All(); len(said) != 1 || said[0].ContextMap()["gateway"] != "dead" {
		t.Errorf("silent: %v", said)
	}
}

// Who could not speak while the store was away is not silent, and not to be forgotten, until it had the time to.
func TestNobodyIsSilentAfterAnOutage(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		core, logs := observer.New(zapcore.WarnLevel)
		store := newMemory()
		n := start(store, "g", 1, func(o *fleet.Options) { o.Logger = zap.New(core) })
		other := fleettest.NewLink(store)
		other.Delay(time.Second)
		h := start(other, "h", 1, nil)
		gone := fleettest.NewLink(store)
		dead := start(gone, "dead", 1, nil)
		time.Sleep(15 * time.Second)
		gone.Cut(true)
		store.Cut(true)
		time.Sleep(2 * time.Minute)
		store.Cut(false)
		time.Sleep(600 * time.Millisecond) // this gateway has spoken, the other not yet
		nobodyIsSilent(t, n)
		if _, err := n.Forget(t.Context(), "h", false); err == nil {
			t.Error("forgets one that could not speak")
		}
		time.Sleep(20 * time.Second)
		if n := logs.FilterMessage("fleet.silent").Len(); n > 0 {
			t.Errorf("%d gateways are said to be silent", n)
		}
		time.Sleep(30 * time.Second)
		onlyTheDeadIs(t, logs)
		gone.Cut(false)
		leave(t, []*node{n, h, dead})
	})
}

// A store that was restored from a dump has older words of gateways: they get the time to speak. One that does not is silent.
func TestNobodyIsSilentAfterARestore(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		core, logs := observer.New(zapcore.WarnLevel)
		store := newMemory()
		n := start(store, "g", 1, func(o *fleet.Options) { o.Logger = zap.New(core) })
		gone := fleettest.NewLink(store)
		dead := start(gone, "dead", 1, nil)
		<-time.After(5 * time.Second) // so that they speak in turn
		h := start(store, "h", 1, nil)
		<-time.After(61 * time.Second)
		gone.Cut(true)
		for _, id := range []string{"h", "dead"} {
			if err := store.Change(t.Context(), fleet.GatewayKey(id), func(_ fleet.Moment, old []byte) ([]byte, error) {
				var b fleet.Beat
				err := json.Unmarshal(old, &b)
				b.Seen = b.Seen.Add(-time.Hour)
				next, _ := json.Marshal(b)
				return next, err
			}); err != nil {
				t.Fatal(err)
			}
		}
		<-time.After(5 * time.Second) // this gateway has spoken, the other not yet
		nobodyIsSilent(t, n)
		if n := logs.FilterMessage("fleet.silent").Len(); n > 0 {
			t.Errorf("%d gateways are said to be silent", n)
		}
		<-time.After(40 * time.Second)
		onlyTheDeadIs(t, logs)
		gone.Cut(false)
		leave(t, []*node{n, h, dead})
	})
}

// A gateway of which the store has kept nothing, as it has asked for nothing in a long time, has not been forgotten.
func TestIdleForDaysIsNotForgotten(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		store := newMemory()
		day := func(n int) fleet.Periods {
			at := time.Date(2000, 1, 1+n, 0, 0, 0, 0, time.UTC) // the bubble's clock begins there
			return fleet.Periods{at.Format(time.DateOnly), "-", "-"}
		}
		n, other := start(store, "g", 1, nil), start(store, "h", 1, nil)
		hold := func(n *node, p fleet.Periods) {
			t.Helper()
			if refused, err := n.share.Await(t.Context(), p, fleet.Amounts{1e6, -1, -1}, 10); refused >= 0 || err != nil {
				t.Fatal(refused, err)
			}
			n.share.Release(p, 10)
		}
		hold(n, day(0))
		n.share.Standing(day(1)) // as its ledger looks each few seconds
		time.Sleep(time.Minute)
		time.Sleep(12 * 24 * time.Hour)
		hold(other, day(12))
		for _, p := range store.parts(t) {
			if p.Gateway == "g" {
				t.Fatalf("it is known still: %+v", p)
			}
		}
		hold(n, day(12))
		if f := n.State().Forgotten; f != 0 {
			t.Errorf("%d changes were forgotten", f)
		}
		leave(t, []*node{n, other})
	})
}
