package fleet

import (
	"math"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// paceSeconds is how far back a pace reaches.
const paceSeconds = 10

// pace is how much a holder's requests hold in a second. Adding to it costs no look at a clock.
type pace struct {
	second  money.Micros // since the last turn
	seconds [paceSeconds]money.Micros
	filled  int // of seconds
	turned  time.Time
}

func (p *pace) add(held money.Micros) { p.second = p.second.Add(held) }

// turn closes the seconds that have passed.
func (p *pace) turn(now time.Time) {
	if p.turned.IsZero() {
		p.turned = now
		return
	}
	for n := 0; now.Sub(p.turned) >= time.Second; n++ {
		if n == paceSeconds {
			p.turned = now
			return
		}
		copy(p.seconds[1:], p.seconds[:paceSeconds-1])
		p.seconds[0], p.second = p.second, 0
		p.filled = min(p.filled+1, paceSeconds)
		p.turned = p.turned.Add(time.Second)
	}
}

// over is what would be held in so long: by the mean of the last seconds, or by this one where it has seen more already, those that
// wait counted as if they had been served.
func (p *pace) over(d time.Duration, waiting money.Micros) money.Micros {
	sum := p.second
	for _, held := range p.seconds[:p.filled] {
		sum = sum.Add(held)
	}
	rate := max(sum/money.Micros(max(1, p.filled)), p.second).Add(waiting)
	ms := money.Micros(max(1, d.Milliseconds()))
	if rate > math.MaxInt64/ms {
		return money.Max
	}
	return min(rate*ms/1000, money.Max)
}
