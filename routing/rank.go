package routing

import (
	"hash/maphash"
	"math"
	"time"
)

// MaxReady is how many candidates of a model are kept ready for requests at the most.
const MaxReady = 16

// Ready is a candidate that is kept ready, with what is known of its seller.
type Ready struct {
	*Candidate
	State Standing // never nil
	mark  uint64   // of the candidate among the exclusions
}

// Score says how much a policy likes a fit candidate for a request: the less the better, at most Worst. credit tells that
// credit is left at the seller.
type Score func(q *Query, r *Ready, credit bool) uint64

// Worst is the score of the least liked.
const Worst = 1<<62 - 1

// Rank orders the ready candidates by score. Among equals those come first at whose seller credit is left, since to abandon
// it is waste, then those whose seller has the fewest requests in flight, then in the order of config and registry. Behind
// all the fit ones come those with an open circuit, the soonest due first, then those that can't be paid. Sellers that are
// excluded for the model and path are left out.
func Rank(q *Query, candidates *Candidates, dst []*Candidate, score Score) []*Candidate {
	var r ranking
	r.rankReady(q, candidates, score)
	return r.appendTo(dst)
}

// Gather is Rank over all candidates, for the background. It appends at most MaxReady. A seller that is excluded for the
// model, under whatever path, comes last.
func Gather(q *Query, candidates *Candidates, dst []*Candidate, score Score) []*Candidate {
	var r ranking
	r.begin(q, candidates)
	var ready Ready
	for i := range candidates.Len() {
		c := candidates.At(i)
		ready = Ready{Candidate: c, State: candidates.index.o.standings.standing(c.Seller)}
		if r.exclusions != nil {
			ready.mark = markOf(c.Seller.Key(), c.Model)
		}
		p, credit := r.judge(&ready)
		if p.class() == fit {
			p.score = min(score(q, &ready, credit), Worst)
		}
		r.add(p)
	}
	return r.appendTo(dst)
}

// ranking is a list of the best candidates so far, in order. It lives on the stack.
type ranking struct {
	q          *Query
	now        time.Time
	exclusions *Exclusions // nil: nothing is excluded now
	path       uint64

	n      int
	places [MaxReady]place
}

type place struct {
	candidate *Candidate
	score     uint64 // the class in the two highest bits, the policy's score below
	tie       uint64
}

// The classes of candidates, the better first.
const (
	fit uint64 = iota
	openCircuit
	noFunds
	excluded

	classShift = 62
)

func (r *ranking) rankReady(q *Query, candidates *Candidates, score Score) {
	r.begin(q, candidates)
	ready := candidates.Ready()
	for i := range ready {
		p, credit := r.judge(&ready[i])
		switch {
		case p.class() == excluded:
			continue
		case p.class() == fit:
			p.score = min(score(q, &ready[i], credit), Worst)
		}
		r.add(p)
	}
}

func (r *ranking) begin(q *Query, candidates *Candidates) {
	r.q, r.now = q, q.Now
	if r.now.IsZero() {
		r.now = time.Now()
	}
	if candidates == nil {
		return
	}
	if x := candidates.index.o.Exclusions; x.any(r.now) {
		r.exclusions, r.path = x, anyPath
		if q.Path != "" {
			r.path = maphash.String(seed, q.Path)
		}
	}
}

// judge finds a candidate's class, and its place in it but for the policy's score of a fit one.
func (r *ranking) judge(c *Ready) (p place, credit bool) {
	p = place{candidate: c.Candidate, tie: uint64(uint32(c.rank)) | uint64(min(c.State.InFlight(), math.MaxInt32))<<32}
	funded := true
	if r.q.Funds != nil {
		credit = r.q.Funds.HasCredit(c.Candidate)
		funded = credit || r.q.Funds.CanBuy(c.Candidate)
	}
	if !credit {
		p.tie |= 1 << 63
	}
	switch {
	case r.exclusions != nil && r.exclusions.has(c.mark, r.path, r.now):
		p.score = excluded << classShift
	case !funded:
		p.score = noFunds << classShift
	case !c.State.Fit(r.now):
		p.score = openCircuit<<classShift | uint64(max(c.State.Due().UnixMilli(), 0))
	}
	return p, credit
}

func (p *place) class() uint64 { return p.score >> classShift }

// add puts a candidate into its place, where there is room or it is better than the last.
func (r *ranking) add(p place) {
	if r.n == MaxReady {
		if !p.before(&r.places[r.n-1]) {
			return
		}
		r.n--
	}
	i := r.n
	for ; i > 0 && p.before(&r.places[i-1]); i-- {
		r.places[i] = r.places[i-1]
	}
	r.places[i] = p
	r.n++
}

func (p *place) before(o *place) bool {
	return p.score < o.score || p.score == o.score && p.tie < o.tie
}

// appendTo appends as many as there is room for.
func (r *ranking) appendTo(dst []*Candidate) []*Candidate {
	for i := range min(r.n, cap(dst)-len(dst)) {
		dst = append(dst, r.places[i].candidate)
	}
	return dst
}

// promote moves the candidate at a place to the front.
func (r *ranking) promote(i int) {
	if i > 0 {
		p := r.places[i]
		copy(r.places[1:i+1], r.places[:i])
		r.places[0] = p
	}
}

// isFit tells whether a candidate could serve the request now.
func isFit(q *Query, candidates *Candidates, c *Ready) bool {
	var r ranking
	r.begin(q, candidates)
	p, _ := r.judge(c)
	return p.class() == fit
}
