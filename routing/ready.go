package routing

import (
	"slices"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// MaxReady is how many candidates of a model are kept ready for requests at the most.
const MaxReady = 16

// Ready is a candidate that is kept ready, with what is known of its seller.
type Ready struct {
	*Candidate
	State *State // nil: the seller was never dealt with
	Purse Purse  // nil: nothing was ever bought there, and it can be
	mark  uint64 // of the candidate among the exclusions

	Default bool // the seller is the default one
}

// explored is how many of the candidates that are kept ready are not the policy's choice but the next ones in turn, so that
// a seller that nobody has tried gets its chance.
const explored = 4

// usualRequest is what candidates are gathered for.
var usualRequest = money.Tokens{Prompt: 10_000, Completion: usualAnswer}

// gather chooses anew which of the candidates of a model are kept ready. turn moves the sample of others; all, where not
// nil, is what is known of the sellers. They stand about as the policy will put them for a request, which has then little to move.
func (x *Index) gather(c *Candidates, policy strategy, turn int, all []known) {
	if len(c.list) == 0 {
		return // a model that nobody offers over the protocol
	}
	q := Query{Served: c.list[0].Model, Ceiling: usualRequest, Now: time.Now(), known: all}
	list := x.choose(&q, c, policy, turn)
	kept := make([]Ready, len(list))
	for i, candidate := range list {
		kept[i] = x.ready(candidate)
	}
	c.kept.Store(&kept)
}

// choose picks the default seller, then what the policy likes best, then fit ones of the rest in turn.
func (x *Index) choose(q *Query, c *Candidates, policy strategy, turn int) []*Candidate {
	list := make([]*Candidate, 0, MaxReady)
	taken := make(map[*Candidate]bool, MaxReady)
	take := func(candidate *Candidate, limit int) {
		if candidate != nil && !taken[candidate] && len(list) < limit {
			taken[candidate] = true
			list = append(list, candidate)
		}
	}
	liked := policy.gather(q, c, make([]*Candidate, 0, MaxReady))
	if len(c.list) <= MaxReady { // all are taken
		for _, candidate := range slices.Concat(liked, c.list) {
			take(candidate, MaxReady)
		}
		return list
	}
	take(c.Find(x.defaultSeller), MaxReady)
	for _, candidate := range liked {
		take(candidate, MaxReady-explored)
	}
	for i := range c.list {
		if len(list) == MaxReady {
			return list
		}
		other := x.ready(c.list[(turn*explored+i)%len(c.list)])
		if isFit(q, c, &other) {
			take(other.Candidate, MaxReady)
		}
	}
	for _, candidate := range liked {
		take(candidate, MaxReady)
	}
	return list
}

// gatherAll chooses for every model.
func (x *Index) gatherAll(policy strategy, turn int) {
	all := x.lookAtAll()
	for served := range x.models {
		x.gatherModel(served, policy, turn, all)
	}
}

func (x *Index) gatherModel(served string, policy strategy, turn int, all []known) {
	m := x.models[served]
	if m == nil {
		return
	}
	for _, c := range m.lists() {
		x.gather(c, policy, turn, all)
	}
}

// ready puts a candidate together with what is known of its seller.
func (x *Index) ready(c *Candidate) Ready {
	state, purse := x.look(c.Seller)
	return Ready{
		Candidate: c, State: state, Purse: purse, mark: markOf(c.Seller.Key(), c.Model), Default: c.rank == x.defaultRank,
	}
}

// known is what is known of a seller.
type known struct {
	state *State
	purse Purse
}

func (x *Index) look(s *Seller) (state *State, purse Purse) {
	state = x.o.Pool.Known(s.Key())
	if x.o.Funds != nil {
		purse = x.o.Funds.Purse(s.Key())
	}
	return state, purse
}

// lookAtAll looks once at each seller, by its rank, where each has several models.
func (x *Index) lookAtAll() []known {
	n := len(x.pinned)
	if x.doc != nil {
		n += len(x.doc.Sellers)
	}
	all := make([]known, n)
	x.eachSeller(func(s *Seller, rank int32) { all[rank].state, all[rank].purse = x.look(s) })
	return all
}
