package fleet

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

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
