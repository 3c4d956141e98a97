package fleet

import (
	"errors"
	"fmt"
	"runtime"
	"testing"
	"testing/synctest"
	"time"
)

// cutOff keeps the store from all gateways for so long.
func cutOff(links []*link, d time.Duration) {
	for _, l := range links {
		l.cut(true)
	}
	<-time.After(d)
	for _, l := range links {
		l.cut(false)
	}
}

// What gateways may have let pass in an outage that is long over is not taken off once more after another one, of who has asked for nothing meanwhile and of
// who is new.
func TestRateAfterSeveralOutages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rates, links := gateways(t, 3)
		rate := Rate{5, time.Hour}
		<-time.After(16 * time.Second)
		if _, ok := allow(rates[0], ada, rate); !ok {
			t.Error("refused")
		}
		for _, away := range []time.Duration{55 * time.Minute, 40 * time.Second, 3 * time.Minute, 40 * time.Second} {
			cutOff(links, away)
			<-time.After(90 * time.Minute)
		}
		cutOff(links, 40*time.Second)
		<-time.After(5 * time.Second)
		for _, name := range []string{"ada", "bob"} {
			if served := servedOf(rates, name, rate); served != 4 { // but for what the gateways may have let pass in the last one
				t.Errorf("%d of %s served, want 4", served, name)
			}
		}
	})
}

// What a gateway lets pass in an outage counts, whatever an earlier process of it has let pass in another one, and said goodbye since.
func TestRateAfterARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newFake()
		var rates []*Rates
		var links []*link
		boots := 0
		begin := func(i int) (*Rates, *link) {
			boots++
			l := store.link()
			r := NewRates(RatesOptions{Store: l, Gateway: fmt.Sprintf("g%d", i), Boot: fmt.Sprintf("b%d", boots)})
			r.Start()
			return r, l
		}
		for i := range 2 {
			r, l := begin(i)
			rates, links = append(rates, r), append(links, l)
		}
		rate, served := Rate{6, time.Hour}, 0
		ask := func() {
			for _, r := range rates {
				for r.Allow(ada, rate) == nil {
					served++
				}
			}
		}
		outage := func() {
			for _, l := range links {
				l.cut(true)
			}
			for range 50 {
				<-time.After(time.Minute)
				ask()
			}
			for _, l := range links {
				l.cut(false)
			}
			<-time.After(5 * time.Second)
		}
		<-time.After(16 * time.Second)
		ask()
		outage()
		ask()
		<-time.After(2 * time.Hour)
		served = 0
		began := time.Now()
		ask()
		for i, r := range rates {
			r.Close()
			rates[i], links[i] = begin(i)
			<-time.After(16 * time.Second)
		}
		outage()
		ask()
		if most := 6 + int(rate.filled(1, time.Since(began))); served > most || served < most/2 {
			t.Errorf("%d served, and the rate bears %d", served, most)
		}
		for _, r := range rates {
			r.Close()
		}
	})
}

// Long after one gateway was cut off, or was killed and has started again, all of a rate is there for who has asked meanwhile, and not since.
func TestRateLongAfterOneWasAway(t *testing.T) {
	for _, killed := range []bool{false, true} {
		t.Run(fmt.Sprint(killed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rates, links := gateways(t, 2)
				rate := Rate{6, time.Hour}
				<-time.After(16 * time.Second)
				links[0].cut(true)
				<-time.After(10 * time.Minute)
				if _, ok := allow(rates[1], ada, rate); !ok {
					t.Error("refused")
				}
				<-time.After(time.Minute)
				if killed {
					again := NewRates(RatesOptions{Store: links[1], Gateway: "g0", Boot: "again"})
					again.Start()
					defer again.Close()
				} else {
					links[0].cut(false)
				}
				<-time.After(2 * time.Hour)
				served := 0
				for range 10 {
					if _, ok := allow(rates[1], ada, rate); ok {
						served++
					}
				}
				if served != 6 {
					t.Errorf("%d served, want 6", served)
				}
				rates[0].cancel() // where it was killed it says no goodbye
			})
		})
	}
}

// It is the rate that refuses where the store has said so, or where there is no other gateway. Else, while the store is away, nobody can tell.
func TestRateAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newFake()
		begin := func(id string, away bool) (*Rates, *link) {
			l := store.link()
			l.cut(away)
			r := NewRates(RatesOptions{Store: l, Gateway: id, Boot: id})
			r.Start()
			t.Cleanup(func() {
				l.cut(false)
				r.Close()
			})
			synctest.Wait()
			return r, l
		}
		rate := Rate{2, time.Hour}
		want := func(what string, r *Rates, after time.Duration, away bool) {
			t.Helper()
			err := r.Allow(ada, rate)
			if refused, ok := errors.AsType[*RateError](err); !ok || refused.After != after || errors.Is(err, ErrAway) != away {
				t.Errorf("%s: %v, want away %t and another try after %s", what, err, away, after)
			}
		}
		one, way := begin("one", false)
		late, lateWay := begin("late", true)
		want("the store was away since the start", late, 5*time.Second, true)
		if n := late.RefusedAway(); n != 1 {
			t.Errorf("%d refused as the store was away", n)
		}
		for range 2 {
			if err := one.Allow(ada, rate); err != nil {
				t.Error(err)
			}
		}
		want("the rate is used up", one, 30*time.Minute, false)
		way.cut(true)
		time.Sleep(10 * time.Second)
		want("it was when the store went", one, 30*time.Minute-10*time.Second, false)
		want("in half a minute", late, 5*time.Second, true)
		time.Sleep(31 * time.Minute)
		if err := one.Allow(ada, rate); err != nil {
			t.Error("alone, it goes by all of the rate:", err)
		}
		if err := one.Allow(ada, rate); err == nil || errors.Is(err, ErrAway) {
			t.Error("alone, it is the rate that refuses:", err)
		}
		way.cut(false)
		lateWay.cut(false)
		time.Sleep(time.Hour)
		way.cut(true)
		time.Sleep(time.Minute)
		for one.Allow(ada, rate) == nil {
			continue
		}
		if err := one.Allow(ada, rate); !errors.Is(err, ErrAway) {
			t.Error("of two, one that goes by its half can't tell what the other has left:", err)
		}
	})
}

// A store that was away for a while takes no permits from members: until all gateways have had the time to speak again nobody can tell, and then
// those that were there are there, but for what the gateways may have let pass by their parts alone.
func TestRateAfterAnOutage(t *testing.T) {
	for _, c := range []struct {
		away time.Duration
		left int
	}{{12 * time.Second, 5}, {20 * time.Second, 5}, {28 * time.Second, 4}, {40 * time.Second, 4}, {13 * time.Minute, 3}, {3 * time.Hour, 0}} {
		t.Run(c.away.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rates, links := gateways(t, 3)
				rate := Rate{5, time.Hour}
				<-time.After(7 * time.Second)
				cutOff(links, c.away)
				served, began := 0, time.Now()
				for n := 0; time.Since(began) < 10*time.Second; n++ {
					switch err := rates[n%3].Allow(ada, rate); {
					case err == nil:
						served++
					case served < c.left && !errors.Is(err, ErrAway):
						t.Fatalf("after %s and %d served: %v", time.Since(began), served, err)
					}
					<-time.After(100 * time.Millisecond)
				}
				if served != c.left {
					t.Errorf("%d served, want %d", served, c.left)
				}
				if err := rates[0].Allow(ada, rate); err == nil || errors.Is(err, ErrAway) {
					t.Error("now it is the rate that refuses:", err)
				}
			})
		})
	}
}

// However long the store was away, what gateways have let pass meanwhile is not there once more.
func TestRateAfterHours(t *testing.T) {
	for _, c := range []struct{ gateways, cut int }{{1, 1}, {3, 3}, {2, 1}} {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rates, links := gateways(t, c.gateways)
				rate := Rate{6, time.Hour}
				<-time.After(16 * time.Second)
				served, began := 0, time.Now()
				ask := func() {
					for _, r := range rates[:c.cut] {
						for r.Allow(ada, rate) == nil {
							served++
						}
					}
				}
				ask()
				for _, l := range links[:c.cut] {
					l.cut(true)
				}
				for range 3 * 60 {
					<-time.After(time.Minute)
					ask()
				}
				for _, l := range links[:c.cut] {
					l.cut(false)
				}
				for range 100 {
					<-time.After(100 * time.Millisecond)
					ask()
				}
				if most := 6 + int(rate.filled(1, time.Since(began))); served > most || served < most/3 {
					t.Errorf("%d served, and the rate bears %d", served, most)
				}
			})
		})
	}
}

// A request that has waited in vain while the store was away does not have those after it wait longer than the gateways take to speak again, of
// whom one never does.
func TestRateIsThereSoon(t *testing.T) {
	for after := 20 * time.Second; after < 22*time.Second; after += 200 * time.Millisecond {
		synctest.Test(t, func(t *testing.T) {
			rates, links := gateways(t, 3)
			rate := Rate{5, time.Hour}
			<-time.After(16 * time.Second)
			for _, l := range links {
				l.cut(true)
			}
			if err := rates[0].Allow(ada, rate); !errors.Is(err, ErrAway) {
				t.Error(err)
			}
			<-time.After(after)
			links[0].cut(false)
			links[1].cut(false)
			began := time.Now()
			for rates[0].Allow(ada, rate) != nil {
				<-time.After(10 * time.Millisecond)
			}
			if took := time.Since(began); took > gatherFor+probeEvery+200*time.Millisecond {
				t.Errorf("away for %s, it took %s", after, took)
			}
		})
	}
}

// A gateway that starts while the store is away for all takes the others for silent no more than those do that were there before.
func TestRateOfOneThatStartsInAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, links := gateways(t, 3)
		rate := Rate{5, time.Hour}
		<-time.After(16 * time.Second)
		for _, l := range links {
			l.cut(true)
		}
		<-time.After(5 * time.Second)
		l := links[0].link()
		l.cut(true)
		again := NewRates(RatesOptions{Store: l, Gateway: "g0", Boot: "again"})
		again.Start()
		defer again.Close()
		<-time.After(15 * time.Second)
		l.cut(false)
		served := 0
		for n := range 100 {
			if n == 3 {
				links[1].cut(false)
				links[2].cut(false)
			}
			switch err := again.Allow(ada, rate); {
			case err == nil:
				served++
			case served < 4 && !errors.Is(err, ErrAway):
				t.Fatalf("after %d served: %v", served, err)
			}
			<-time.After(100 * time.Millisecond)
		}
		if served < 4 { // but for what the earlier process may have let pass
			t.Errorf("%d served", served)
		}
	})
}

// A gateway that leaves right after the store was back is gone, and nobody counts on it.
func TestRatesLeaveAfterAnOutage(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // what it begins beside its last words comes after them
	synctest.Test(t, func(t *testing.T) {
		store := newFake()
		l := store.link()
		r := NewRates(RatesOptions{Store: l, Gateway: "g", Boot: "b"})
		r.Start()
		synctest.Wait()
		for range 10 {
			_ = r.Allow(ada, Rate{1000, time.Second})
		}
		<-time.After(7 * time.Second)
		l.cut(true)
		<-time.After(40*time.Second + 100*time.Millisecond)
		l.cut(false)
		r.Close()
		synctest.Wait()
		store.mu.Lock()
		defer store.mu.Unlock()
		if there := store.values[presenceKey]; there != nil {
			t.Errorf("there is %s", there)
		}
	})
}

// What gateways may have let pass while the store was away has come again after as long, for who has asked for nothing meanwhile as well, and
// for who is new.
func TestRateLongAfterAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rates, links := gateways(t, 3)
		rate := Rate{5, time.Hour}
		<-time.After(16 * time.Second)
		if _, ok := allow(rates[0], ada, rate); !ok {
			t.Error("refused")
		}
		cutOff(links, 55*time.Minute)
		<-time.After(2 * time.Hour)
		for _, name := range []string{"ada", "bob"} {
			if served := servedOf(rates, name, rate); served != 5 {
				t.Errorf("%d of %s served, want 5", served, name)
			}
		}
	})
}

// A gateway that was there for a moment when the store went does not go by a part of the rate beside one that has not heard of it.
func TestRateOfANewcomer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rates, links := gateways(t, 1)
		<-time.After(8 * time.Second)
		l := links[0].link()
		second := NewRates(RatesOptions{Store: l, Gateway: "second", Boot: "b"})
		second.Start()
		defer second.Close()
		defer l.cut(false)
		<-time.After(time.Second)
		l.cut(true)
		links[0].cut(true)
		rate, served := Rate{6, time.Hour}, 0
		for range 5 * 60 {
			for _, r := range []*Rates{rates[0], second} {
				for r.Allow(ada, rate) == nil {
					served++
				}
			}
			<-time.After(time.Minute)
		}
		if served < 20 || served > 30 {
			t.Errorf("%d served, want 30 at most", served)
		}
	})
}

// One gateway that was cut off until the others took it for gone finds no permits when it is back that would pass the rate together with those that
// it has let pass meanwhile, and that the others have, of all of the rate.
func TestRateOfOneThatWasTakenForGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rates, links := gateways(t, 2)
		rate := Rate{6, time.Hour}
		<-time.After(16 * time.Second)
		served := 0
		ask := func(r *Rates) {
			for r.Allow(ada, rate) == nil {
				served++
			}
		}
		ask(rates[0])
		links[0].cut(true)
		minutes := func(n int, rates ...*Rates) {
			for range n {
				<-time.After(time.Minute)
				for _, r := range rates {
					ask(r)
				}
			}
		}
		minutes(61, rates[0], rates[1])
		began := time.Now() // since when it is taken for gone
		served = 0
		minutes(3*60, rates[0], rates[1])
		minutes(60, rates[0]) // meanwhile a full rate comes together
		links[0].cut(false)
		for range 100 {
			<-time.After(100 * time.Millisecond)
			ask(rates[0])
		}
		if most := 6 + int(rate.filled(1, time.Since(began))); served > most || served < most-2 {
			t.Errorf("%d served, and the rate bears %d", served, most)
		}
	})
}
