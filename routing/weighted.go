package routing

import (
	"math"
	"math/rand/v2"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/selection"
)

// Weighted is the policy that chooses at random, by health over the square of the price: what the request is likely to
// cost at the seller, a tenth less where credit is left. Sellers that name no price are drawn only where no other is fit.
type Weighted struct{}

// CaddyModule says what the module is.
func (Weighted) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: selection.Namespace + ".weighted", New: func() caddy.Module { return new(Weighted) }}
}

// UnmarshalCaddyfile reads "weighted", which takes no arguments.
func (*Weighted) UnmarshalCaddyfile(d *caddyfile.Dispenser) error { return noArguments(d) }

// gather picks those of the greatest weight.
func (Weighted) gather(q *Query, candidates *Candidates, dst []*Candidate) []*Candidate {
	return gather(q, candidates, dst, byWeight)
}

// order draws one; the others follow by weight.
func (Weighted) order(q *Query, candidates *Candidates, dst []*Candidate) []*Candidate {
	var r ranking
	r.rankReady(q, candidates, byWeight)
	r.promote(draw(&r, rand.Float64()))
	return r.appendTo(dst)
}

// unpriced is above the score of all that have a price.
const unpriced = 1 << 60

func byWeight(q *Query, r *Ready, credit bool) uint64 {
	cost, known := likelyCost(q, r.Candidate, credit)
	return weightScore(r.State.Score(), cost, known)
}

func weightScore(health int, cost money.Micros, known bool) uint64 {
	weight := float64(health + 1)
	if !known {
		return unpriced | scoreOf(weight)
	}
	price := float64(cost) + 1 // one micro more: what is free still has a weight
	return scoreOf(weight / (price * price))
}

// scoreOf packs a weight into a score: floating-point numbers above zero have the order of their bits. No money is counted
// here, so a float does no harm.
func scoreOf(weight float64) uint64 { return 1<<59 - math.Float64bits(weight)>>4 }

func weightOf(score uint64) float64 { return math.Float64frombits((1<<59 - score&^unpriced) << 4) }

// draw gives the place that a lot from 0 to below 1 falls on, among the fit candidates that have a price, or have none where
// the first has none.
func draw(r *ranking, lot float64) int {
	var weights [MaxReady]float64
	n, sum := 0, 0.
	for ; n < r.n && r.places[n].class() == fit && (r.places[n].score^r.places[0].score)&unpriced == 0; n++ {
		weights[n] = weightOf(r.places[n].score)
		sum += weights[n]
	}
	lot *= sum
	for i, w := range weights[:n] {
		if lot -= w; lot < 0 {
			return i
		}
	}
	return 0
}

// Order is order, of copies.
func (Weighted) Order(_ selection.Query, list []selection.Candidate) []selection.Candidate {
	return rankViews(list, func(c *selection.Candidate) uint64 {
		return weightScore(c.Health, money.Micros(c.LikelyMicros), c.LikelyMicros >= 0)
	}, func(r *ranking) int { return draw(r, rand.Float64()) })
}

var (
	_ selection.Policy      = Weighted{}
	_ caddy.Module          = Weighted{}
	_ caddyfile.Unmarshaler = (*Weighted)(nil)
)
