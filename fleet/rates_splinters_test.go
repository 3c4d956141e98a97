package fleet

import (
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"
)

// simulated has so many requests a second come for a minute, each to any of the gateways, and gives how many are refused, and by how many fewer one gateway with all of
// the rate would have refused.
func simulated(t *testing.T, rate Rate, n int, perSecond float64) (refused, more int) {
	rates, _ := gateways(t, n)
	<-time.After(beatEvery + time.Second) // each knows then how many there are
	random := rand.New(rand.NewPCG(1, uint64(n)))
	level, at, ideal := float64(rate.Requests), time.Now(), 0
	for began := at; time.Since(began) < time.Minute; {
		<-time.After(time.Duration(random.ExpFloat64() / perSecond * float64(time.Second)))
		level, at = min(float64(rate.Requests), level+rate.filled(1, time.Since(at))), time.Now()
		if level >= 1 {
			level--
		} else {
			ideal++
		}
		if _, ok := allow(rates[random.IntN(n)], ada, rate); !ok {
			refused++
		}
	}
	return refused, refused - ideal
}

// Of a rate of a few requests nothing is kept where it serves nobody: many gateways refuse no more of it than one does.
func TestRateOfAFew(t *testing.T) {
	for _, c := range []struct {
		rate     Rate
		gateways int
	}{{Rate{6, time.Second}, 2}, {Rate{6, time.Second}, 5}, {Rate{8, time.Second}, 3}, {Rate{10, time.Second}, 5}, {Rate{10, time.Second}, 10}, {Rate{100, 10 * time.Second}, 5}} {
		for _, load := range []float64{0.5, 0.9} {
			synctest.Test(t, func(t *testing.T) {
				if refused, more := simulated(t, c.rate, c.gateways, c.rate.filled(load, time.Second)); more > 0 {
					t.Errorf("%v over %d gateways, %.0f %% of it asked for: %d refused, %d more than by one", c.rate, c.gateways, 100*load, refused, more)
				}
			})
		}
	}
}

// Of a rate of some more, of which there are shares, few are refused that one gateway would not refuse: what is left for whoever has used up its own is
// enough.
func TestRateOfSmallShares(t *testing.T) {
	for _, c := range []struct {
		rate     Rate
		gateways int
		load     float64
		most     float64 // of what is asked for, refused where one gateway would not
	}{
		{Rate{15, time.Second}, 2, 0.7, 0.005},
		{Rate{20, time.Second}, 5, 0.7, 0.005},
		{Rate{20, time.Second}, 10, 0.7, 0.04},
		{Rate{40, time.Second}, 5, 0.9, 0.005},
		{Rate{40, time.Second}, 10, 0.9, 0.02},
		{Rate{100, time.Second}, 5, 0.9, 0.001},
	} {
		synctest.Test(t, func(t *testing.T) {
			perSecond := c.rate.filled(c.load, time.Second)
			if _, more := simulated(t, c.rate, c.gateways, perSecond); float64(more) > c.most*perSecond*60 {
				t.Errorf("%v over %d gateways, %.0f %% of it asked for: %d of %.0f refused that one would not", c.rate, c.gateways, 100*c.load, more, 60*perSecond)
			}
		})
	}
}

// A share that a gateway had as fewer were there is given up where there are no shares for so many.
func TestRateSplinters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rates, links := gateways(t, 1)
		rate := Rate{10, time.Second}
		ask := func(seconds int, of ...*Rates) (refused int) {
			for n := range 4 * seconds {
				<-time.After(time.Second / 4)
				if _, ok := allow(of[n%len(of)], ada, rate); !ok {
					refused++
				}
			}
			return refused
		}
		share := func() float64 {
			rates[0].mu.Lock()
			defer rates[0].mu.Unlock()
			return rates[0].meters[ada].share
		}
		if refused := ask(10, rates[0]); refused > 0 || share() <= 0 {
			t.Errorf("alone, %d were refused, and it has %v of the rate", refused, share())
		}
		second := NewRates(RatesOptions{Store: links[0].link(), Gateway: "second", Boot: "b"})
		second.Start()
		defer second.Close()
		ask(10, rates[0], second)
		if refused := ask(10, rates[0], second); refused > 0 || share() != 0 {
			t.Errorf("with another one %d were refused, and it has %v of the rate", refused, share())
		}
	})
}
