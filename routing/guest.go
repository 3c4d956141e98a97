package routing

import (
	"cmp"
	"iter"
	"slices"
	"sync"

	"github.com/tokenbuddy/caddy-tokenbuddy/selection"
)

// guest is a policy of somebody else's as a strategy. It is shown copies, its calls are guarded, and where one comes to nothing
// the registry's order serves.
type guest struct {
	policy selection.Policy
	guard  *guard

	mu      sync.Mutex // protects chosen
	chosen  map[choiceOf][]SellerKey
	gathers bool // it is a selection.Gatherer
}

// choiceOf is what a guest has gathered for: candidates share their list where the same sellers speak the protocols.
type choiceOf struct {
	model    string
	protocol int
}

func newGuest(p selection.Policy, g *guard) *guest {
	_, gathers := p.(selection.Gatherer)
	return &guest{policy: p, guard: g, chosen: make(map[choiceOf][]SellerKey), gathers: gathers}
}

// gather gives what the guest chose last; it is not asked here, where others wait.
func (g *guest) gather(q *Query, candidates *Candidates, dst []*Candidate) []*Candidate {
	g.mu.Lock()
	keys := g.chosen[candidates.choice()]
	g.mu.Unlock()
	for _, key := range keys {
		if c := candidates.FindKey(key); c != nil && len(dst) < cap(dst) {
			dst = append(dst, c)
		}
	}
	if len(dst) > 0 {
		return dst
	}
	return gather(q, candidates, dst, byPlace)
}

// choice names the list of candidates.
func (c *Candidates) choice() choiceOf {
	if c.Len() == 0 {
		return choiceOf{}
	}
	m := c.index.models[c.list[0].Model]
	return choiceOf{c.list[0].Model, slices.Index(m.protocols, c)}
}

// choose asks the guest anew which of all candidates are to be ready. It is for the background, and tells whether the choice
// has changed; ok is false where the guest gives none, and its last one stays.
func (g *guest) choose(q *Query, candidates *Candidates) (changed, ok bool) {
	var r ranking
	r.begin(q, candidates)
	all := iter.Seq[selection.Candidate](func(yield func(selection.Candidate) bool) {
		for i := range candidates.Len() {
			ready := candidates.index.ready(candidates.At(i))
			class, credit := r.classify(&ready)
			if !yield(viewOf(q, &ready, class, credit).WithRef(i + 1)) {
				return
			}
		}
	})
	liked, ok := guarded(g.guard, "gather", gatherTime, func() []selection.Candidate {
		return g.policy.(selection.Gatherer).Gather(viewOfQuery(q), all, MaxReady)
	})
	if !ok {
		return false, false
	}
	var keys []SellerKey
	for _, c := range liked {
		if c.Ref() < 1 || c.Ref() > candidates.Len() {
			g.guard.trouble("gather", "it gave a candidate that it was not given", nil, nil)
			return false, false
		}
		if key := candidates.At(c.Ref() - 1).Seller.Key(); len(keys) < MaxReady && !slices.Contains(keys, key) {
			keys = append(keys, key)
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	of := candidates.choice()
	changed = !slices.Equal(g.chosen[of], keys)
	g.chosen[of] = keys
	return changed, true
}

// forget drops what was chosen for models that nobody offers any more.
func (g *guest) forget(x *Index) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for of := range g.chosen {
		if x.models[of.model] == nil {
			delete(g.chosen, of)
		}
	}
}

// shown is a candidate that a guest has been shown.
type shown struct {
	Ready
	class uint64
	taken bool
}

// order asks the guest, and puts those that can't serve now behind those that can, in its order.
func (g *guest) order(q *Query, candidates *Candidates, dst []*Candidate) []*Candidate {
	if candidates.Len() == 0 {
		return dst
	}
	list, views := show(q, candidates)
	liked, ok := guarded(g.guard, "order", orderTime, func() []selection.Candidate { return g.policy.Order(viewOfQuery(q), views) })
	if !ok {
		return rank(q, candidates, dst, byPlace)
	}
	order := make([]*shown, 0, len(list))
	for _, c := range liked {
		if c.Ref() < 1 || c.Ref() > len(list) {
			g.guard.trouble("order", "it gave a candidate that it was not given", nil, nil)
			return rank(q, candidates, dst, byPlace)
		}
		if s := &list[c.Ref()-1]; !s.taken {
			s.taken = true
			order = append(order, s)
		}
	}
	slices.SortStableFunc(order, func(a, b *shown) int {
		if a.class == openCircuit && b.class == openCircuit {
			return cmp.Compare(a.State.dueAt(a.Model), b.State.dueAt(b.Model))
		}
		return cmp.Compare(a.class, b.class)
	})
	room := cap(dst) - len(dst)
	last := slices.IndexFunc(order, func(s *shown) bool { return s.Seller.Key() == q.Last })
	if last >= room && room > 0 && order[last].class == fit { // it is about to be moved to the front
		order[room-1] = order[last]
	}
	for _, s := range order[:min(room, len(order))] {
		dst = append(dst, s.Candidate)
	}
	return dst
}

// show makes copies of the ready candidates, in the registry's order, and of the one that served the conversation last. The
// copies are the guest's alone: it may go on sorting them when nobody waits for it any more.
func show(q *Query, candidates *Candidates) ([]shown, []selection.Candidate) {
	var r ranking
	r.begin(q, candidates)
	ready := candidates.Ready()
	list := make([]shown, 0, len(ready)+1)
	for i := range ready {
		list = append(list, shown{Ready: ready[i]})
	}
	if last := candidates.find(q.Last); last.Candidate != nil && !slices.ContainsFunc(list, func(s shown) bool { return s.Candidate == last.Candidate }) {
		list = append(list, shown{Ready: last})
	}
	slices.SortFunc(list, func(a, b shown) int { return cmp.Compare(a.rank, b.rank) })
	views := make([]selection.Candidate, 0, len(list))
	for i := range list {
		s := &list[i]
		var credit bool
		if s.class, credit = r.classify(&s.Ready); s.class != lacksModel {
			views = append(views, viewOf(q, &s.Ready, s.class, credit).WithRef(i+1))
		}
	}
	return list, views
}

func byPlace(_ *Query, r *Ready, _ bool) uint64 { return uint64(r.rank) }

// viewOf is a candidate as policies see it.
func viewOf(q *Query, r *Ready, class uint64, credit bool) selection.Candidate {
	likely := int64(-1)
	if cost, known := likelyCost(q, r.Candidate, credit); known {
		likely = int64(cost)
	}
	p := r.Price
	return selection.Candidate{
		Seller: r.Seller.ID, Origin: r.Seller.Origin, Model: r.Model, Pinned: r.Seller.Pinned, Account: r.Seller.Account,
		Default: r.Default, Place: int(r.rank),
		Input: int64(p.Input), Output: int64(p.Output), CacheRead: int64(p.CacheRead), CacheWrite: int64(p.CacheWrite),
		LikelyMicros: likely, Fit: class == fit, Credit: credit,
		Health: r.State.Score(), Latency: r.State.Latency(), InFlight: r.State.InFlight(),
	}
}

// viewOfQuery is a request as policies see it.
func viewOfQuery(q *Query) selection.Query {
	v := selection.Query{
		Member: q.Member, Group: q.Group, Model: q.Served, Protocol: string(q.Protocol), Path: q.Path, Streamed: q.Streamed, Tools: q.Tools,
		PromptTokens: q.Likely.Prompt, MaxTokens: q.Ceiling.Completion, Now: q.Now,
	}
	if v.PromptTokens == 0 {
		v.PromptTokens = q.Ceiling.Prompt
	}
	return v
}

// rankViews puts copies in order as rank does the candidates themselves. pick, where not nil, gives the place of the one that
// comes first after all.
func rankViews(list []selection.Candidate, score func(*selection.Candidate) uint64, pick func(*ranking) int) []selection.Candidate {
	var r ranking
	of := make([]Candidate, len(list))
	for i := range list {
		c, p := &list[i], &r.places[r.n]
		of[i].rank = int32(i)
		*p = place{candidate: &of[i], score: min(score(c), Worst), tie: uint64(uint32(c.Place)) | uint64(min(max(c.InFlight, 0), 1<<31-1))<<32}
		if !c.Credit {
			p.tie |= 1 << 63
		}
		if !c.Fit {
			p.score |= openCircuit << classShift
		}
		r.insert()
	}
	if pick != nil {
		r.promote(pick(&r))
	}
	out := make([]selection.Candidate, 0, r.n)
	for i := range r.n {
		out = append(out, list[r.places[i].candidate.rank])
	}
	return out
}
