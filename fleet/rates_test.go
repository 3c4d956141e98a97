package fleet

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"
)

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
