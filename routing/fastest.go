package routing

import (
	"math/bits"
	"math/rand/v2"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/tokenbuddy/caddy-tokenbuddy/selection"
)

// Fastest is the policy that prefers the seller with the lowest moving latency to the first content. Latencies within
// about an eighth of each other are equal.
//
// Sellers whose latency is not known come last, but one request in four goes to one of them first, so that each is soon
// known; and where all are known, one request in a hundred goes to any of them, so that a bad hour is not held
// against a seller for good.
type Fastest struct{}

const (
	exploreUnknown = 4
	exploreKnown   = 100
)

// CaddyModule says what the module is.
func (Fastest) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: selection.Namespace + ".fastest", New: func() caddy.Module { return new(Fastest) }}
}

// UnmarshalCaddyfile reads "fastest", which takes no arguments.
func (*Fastest) UnmarshalCaddyfile(d *caddyfile.Dispenser) error { return noArguments(d) }

// gather picks the fastest.
func (Fastest) gather(q *Query, candidates *Candidates, dst []*Candidate) []*Candidate {
	return gather(q, candidates, dst, byLatency)
}

// order puts the fastest first, now and then another one.
func (Fastest) order(q *Query, candidates *Candidates, dst []*Candidate) []*Candidate {
	var r ranking
	r.rankReady(q, candidates, byLatency)
	r.promote(explore(&r, rand.Uint32N))
	return r.appendTo(dst)
}

func byLatency(_ *Query, r *Ready, _ bool) uint64 { return latencyScore(r.State.Latency()) }

func latencyScore(of time.Duration) uint64 {
	latency := uint64(max(of, 0))
	if latency == 0 {
		return Worst
	}
	shift := max(bits.Len64(latency)-4, 0) // keeps the four highest bits
	return min(latency>>shift<<shift, Worst-1)
}

// explore gives the place of a fit candidate to be tried first, 0 when the order is to stay. dice gives a number below n.
func explore(r *ranking, dice func(n uint32) uint32) int {
	known, fit := 0, 0
	for ; fit < r.n && r.places[fit].score <= Worst; fit++ {
		if r.places[fit].score < Worst {
			known++
		}
	}
	switch {
	case fit < 2:
		return 0
	case known < fit:
		if dice(exploreUnknown) == 0 {
			return known
		}
	case dice(exploreKnown) == 0:
		return int(dice(uint32(fit)))
	}
	return 0
}

// Order is order, of copies.
func (Fastest) Order(_ selection.Query, list []selection.Candidate) []selection.Candidate {
	return rankViews(list, func(c *selection.Candidate) uint64 { return latencyScore(c.Latency) },
		func(r *ranking) int { return explore(r, rand.Uint32N) })
}

var (
	_ selection.Policy      = Fastest{}
	_ caddy.Module          = Fastest{}
	_ caddyfile.Unmarshaler = (*Fastest)(nil)
)
