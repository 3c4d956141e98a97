package fleet

import (
	"errors"
	"fmt"
	"math/rand/v2"
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

// servedOf asks ten times for a member, at each of three gateways in turn, and gives how many requests are served.
func servedOf(rates []*Rates, name string, rate Rate) (served int) {
	for n := range 10 {
		if _, ok := allow(rates[n%3], RateKey{Name: name}, rate); ok {
			served++
		}
	}
	return served
}

// gateways gives so many gateways' rates over one store.
func gateways(t *testing.T, n int) (rates []*Rates, links []*link) {
	t.Helper()
	store := newFake()
	for i := range n {
		l := store.link()
		r := NewRates(RatesOptions{Store: l, Gateway: fmt.Sprintf("g%d", i), Boot: fmt.Sprintf("b%d", i)})
		r.Start()
		rates, links = append(rates, r), append(links, l)
	}
	synctest.Wait()
	t.Cleanup(func() {
		for i, r := range rates {
			links[i].cut(false)
			r.Close()
		}
	})
	return rates, links
}

var ada = RateKey{Name: "ada"}

// allow asks for one permit.
func allow(r *Rates, k RateKey, rate Rate) (after time.Duration, ok bool) {
	err := r.Allow(k, rate)
	if refused, ok := errors.AsType[*RateError](err); ok {
		return refused.After, false
	}
	return 0, err == nil
}

// Of three gateways five requests are served, wherever they come, and then one in each part of the hour.
func TestRateOfThreeGateways(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rates, _ := gateways(t, 3)
		rate := Rate{5, time.Hour}
		serve := func(n int) (served int) {
			for i := range n {
				after, ok := allow(rates[i%3], ada, rate)
				if ok {
					served++
				} else if after <= 0 || after > 12*time.Minute {
					t.Fatalf("the next one may come after %s", after)
				}
			}
			return served
		}
		if n := serve(30); n != 5 {
			t.Errorf("%d served, want 5", n)
		}
		if after, ok := allow(rates[1], ada, rate); ok || after != 12*time.Minute {
			t.Errorf("%s, %t", after, ok)
		}
		time.Sleep(12*time.Minute - time.Second)
		if n := serve(3); n != 0 {
			t.Errorf("%d served a second too soon", n)
		}
		time.Sleep(2 * time.Second)
		if n := serve(3); n != 1 {
			t.Errorf("%d served after 12 minutes, want 1", n)
		}
		time.Sleep(3 * time.Hour)
		if n := serve(30); n != 5 {
			t.Errorf("%d served after hours, want 5", n)
		}
		if _, ok := allow(rates[0], RateKey{Name: "ada", Counting: true}, rate); !ok {
			t.Error("what counts tokens is taken from requests")
		}
	})
}

// Requests that come at once are asked for together, and answers that get lost take nothing twice.
func TestRateAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rates, links := gateways(t, 3)
		time.Sleep(time.Second)
		rate := Rate{100, time.Hour}
		before := links[0].n
		for _, l := range links {
			l.lag = 10 * time.Millisecond
		}
		links[1].lose = 1
		got := make(chan bool)
		for i := range 300 {
			go func() {
				_, ok := allow(rates[i%3], ada, rate)
				got <- ok
			}()
		}
		served := 0
		for range 300 {
			if <-got {
				served++
			}
		}
		if made := links[0].n - before; served != 100 || made > 20 {
			t.Errorf("%d of 300 served by %d changes, want 100", served, made)
		}
	})
}

// Of a rate that hardly anybody uses no request is refused, whichever gateways are asked, and however long nobody was.
func TestRateHardlyUsed(t *testing.T) {
	for _, rate := range []Rate{{2000, time.Minute}, {400, time.Minute}, {100, time.Second}, {10, time.Second}, {6, time.Second}} {
		for _, n := range []int{1, 2, 3, 5} {
			synctest.Test(t, func(t *testing.T) {
				rates, _ := gateways(t, n)
				time.Sleep(beatEvery + time.Second) // each knows then how many there are
				for _, idle := range []time.Duration{0, 12 * time.Second, time.Minute} {
					time.Sleep(idle)
					for i := range 60 {
						if after, ok := allow(rates[i%n], ada, rate); !ok {
							t.Errorf("%v, %d gateways: request %d, %s after the last, is refused for %s", rate, n, i, idle, after)
						}
						time.Sleep(400 * time.Millisecond)
					}
				}
			})
		}
	}
}

// What is given back serves another gateway.
func TestRateReturned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rates, _ := gateways(t, 2)
		rate := Rate{1, time.Hour}
		if _, ok := allow(rates[0], ada, rate); !ok {
			t.Fatal("refused")
		}
		rates[0].Return(ada, rate)
		synctest.Wait()
		if _, ok := allow(rates[1], ada, rate); !ok {
			t.Error("what was given back is gone")
		}
		if _, ok := allow(rates[0], ada, rate); ok {
			t.Error("what was given back served twice")
		}
	})
}

// The rate is never passed in sum, whoever is cut off for however long, and is nearly used up.
func TestRateInSum(t *testing.T) {
	for _, rate := range []Rate{{2, time.Second}, {120, time.Minute}, {10, time.Second}, {20, time.Second}, {6000, time.Minute}, {10, 10 * time.Minute}} {
		for seed := range uint64(2) {
			t.Run(fmt.Sprint(rate, seed), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { inSum(t, rate, rand.New(rand.NewPCG(seed, 1))) })
			})
		}
	}
}

func inSum(t *testing.T, rate Rate, random *rand.Rand) {
	rates, links := gateways(t, 3)
	each := rate.Per / time.Duration(rate.Requests)
	step := max(each/4, 50*time.Millisecond)
	perStep := max(1, int(step/each))
	level, at, served := float64(rate.Requests), time.Now(), 0
	begun := time.Now()
	var cut [3]time.Time // nobody is cut off for an hour: it would be forgotten
	for range 3000 {
		some := random.IntN(3)
		one, all := random.IntN(150) == 0, random.IntN(400) == 0
		for i, l := range links {
			if (all || one && i == some) && cut[i].IsZero() {
				l.cut(true)
				cut[i] = time.Now()
			}
		}
		for i, l := range links {
			if !cut[i].IsZero() && (random.IntN(300) == 0 || time.Since(cut[i]) > forgetAfter-5*time.Minute) {
				l.cut(false)
				cut[i] = time.Time{}
			}
		}
		if random.IntN(50) == 0 {
			l := links[random.IntN(3)]
			l.mu.Lock()
			l.lose = random.IntN(2)
			l.mu.Unlock()
		}
		for range 2 * perStep {
			if _, ok := allow(rates[min(random.IntN(3), random.IntN(3))], ada, rate); ok {
				now := time.Now()
				level = min(float64(rate.Requests), level+rate.filled(1, now.Sub(at))) - 1
				at = now
				served++
			}
		}
		if level < -1 { // one permit can be kept anywhere
			t.Fatalf("after %s: %v more than the rate", time.Since(begun), -level)
		}
		time.Sleep(step)
	}
	due := rate.filled(1, time.Since(begun))
	t.Logf("served %d of %.0f", served, due)
	if float64(served) < due/2 {
		t.Errorf("served %d of %.0f", served, due)
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
