package routing

import (
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// explored is how many of the candidates that are kept ready are not the policy's choice but the next ones in turn, so that
// a seller that nobody has tried gets its chance.
const explored = 4

// usualRequest is what candidates are gathered for.
var usualRequest = money.Tokens{Prompt: 10_000, Completion: usualAnswer}

// gather chooses anew which of the candidates of a model are kept ready. turn moves the sample of others.
func (x *Index) gather(c *Candidates, policy Policy, turn int) {
	list := c.list
	if len(list) > MaxReady {
		list = x.choose(c, policy, turn)
	}
	kept := make([]Ready, len(list))
	for i, candidate := range list {
		kept[i] = x.ready(candidate)
	}
	c.kept.Store(&kept)
}

// choose picks the default seller, then what the policy likes best, then fit ones of the rest in turn.
func (x *Index) choose(c *Candidates, policy Policy, turn int) []*Candidate {
	q := Query{
		Served: c.list[0].Model, DefaultSeller: x.defaultSeller, Ceiling: usualRequest, Funds: x.o.Funds, Now: time.Now(),
	}
	list := make([]*Candidate, 0, MaxReady)
	taken := make(map[*Candidate]bool, MaxReady)
	take := func(candidate *Candidate, limit int) {
		if candidate != nil && !taken[candidate] && len(list) < limit {
			taken[candidate] = true
			list = append(list, candidate)
		}
	}
	take(c.Find(x.defaultSeller), MaxReady)
	liked := policy.Gather(&q, c, make([]*Candidate, 0, MaxReady))
	for _, candidate := range liked {
		take(candidate, MaxReady-explored)
	}
	for i := range c.list {
		if len(list) == MaxReady {
			return list
		}
		other := x.ready(c.list[(turn*explored+i)%len(c.list)])
		if isFit(&q, c, &other) {
			take(other.Candidate, MaxReady)
		}
	}
	for _, candidate := range liked {
		take(candidate, MaxReady)
	}
	return list
}

// gatherAll chooses for every model.
func (x *Index) gatherAll(policy Policy, turn int) {
	for served := range x.models {
		x.gatherModel(served, policy, turn)
	}
}

func (x *Index) gatherModel(served string, policy Policy, turn int) {
	m := x.models[served]
	if m == nil {
		return
	}
next:
	for i, c := range m.protocols {
		for _, done := range m.protocols[:i] {
			if c == done {
				continue next
			}
		}
		x.gather(c, policy, turn)
	}
}

// ready puts a candidate together with what is known of its seller.
func (x *Index) ready(c *Candidate) Ready {
	return Ready{Candidate: c, State: x.o.standings.standing(c.Seller), mark: markOf(c.Seller.Key(), c.Model)}
}
