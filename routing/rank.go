package routing

import (
	"hash/maphash"
	"math"
	"time"
)

// score says how much a policy likes a fit candidate for a request: the less the better, at most Worst. credit tells that
// credit is left at the seller.
type score func(q *Query, r *Ready, credit bool) uint64

// Worst is the score of the least liked.
const Worst = 1<<61 - 1

// rank orders the ready candidates by score. Among equals those come first at whose seller credit is left, since to abandon
// it is waste, then those whose seller has the fewest requests in flight, then in the order of config and registry. Behind
// all the fit ones come those that have billed more than their price allows, then those with an open circuit, the soonest due
// first, then those that can't be paid. Sellers that have said that they don't have the model on this path are left out.
func rank(q *Query, candidates *Candidates, dst []*Candidate, score score) []*Candidate {
	var r ranking
	r.rankReady(q, candidates, score)
	return r.appendTo(dst)
}

// gather is rank over all candidates, for the background. It appends at most MaxReady. A seller that has said that it
// does not have the model, on whatever path, comes last.
func gather(q *Query, candidates *Candidates, dst []*Candidate, score score) []*Candidate {
	var r ranking
	r.begin(q, candidates)
	var ready Ready
	for i := range candidates.Len() {
		c := candidates.At(i)
		ready = Ready{Candidate: c}
		if q.known != nil {
			ready.State, ready.Purse = q.known[c.rank].state, q.known[c.rank].purse
		} else {
			ready.State, ready.Purse = candidates.index.look(c.Seller)
		}
		if r.exclusions != nil {
			ready.mark = markOf(c.Seller.Key(), c.Model)
		}
		ready.Default = c.rank == candidates.index.defaultRank
		r.judge(q, &ready, score)
		r.insert()
	}
	return r.appendTo(dst)
}

// ranking is a list of the best candidates so far, in order. It lives on the stack.
type ranking struct {
	now        time.Time
	at         int64       // the same as a stamp of the pool
	exclusions *Exclusions // nil: nothing is excluded now
	path       uint64

	n      int
	places [MaxReady + 1]place // one more, for the candidate that is about to find its place
}

type place struct {
	candidate *Candidate
	score     uint64 // the class in the three highest bits, the policy's score below
	tie       uint64
}

// The classes of candidates, the better first.
const (
	fit     uint64 = iota
	setBack        // it overbills: behind the honest
	openCircuit
	noFunds
	lacksModel // it has said so

	classShift = 61
)

func (r *ranking) rankReady(q *Query, candidates *Candidates, score score) {
	r.begin(q, candidates)
	ready := candidates.Ready()
	for i := range ready {
		if r.judge(q, &ready[i], score) < lacksModel {
			r.insert()
		}
	}
}

func (r *ranking) begin(q *Query, candidates *Candidates) {
	r.now = q.Now
	if r.now.IsZero() {
		r.now = time.Now()
	}
	if candidates == nil {
		return
	}
	r.at = candidates.index.o.Pool.stamp(r.now)
	if x := candidates.index.o.Exclusions; x.any(r.now) {
		r.exclusions, r.path = x, anyPath
		if q.Path != "" {
			r.path = maphash.String(seed, q.Path)
		}
	}
}

// judge makes the candidate the one that is about to find its place, and gives its class.
func (r *ranking) judge(q *Query, c *Ready, score score) (class uint64) {
	class, credit := r.classify(c)
	p := &r.places[r.n]
	p.candidate = c.Candidate
	p.tie = uint64(uint32(c.rank)) | uint64(min(c.State.InFlight(), math.MaxInt32))<<32
	if !credit {
		p.tie |= 1 << 63
	}
	switch class {
	case fit:
		p.score = min(score(q, c, credit), Worst)
	case setBack:
		p.score = setBack<<classShift | min(score(q, c, credit), Worst)
	case openCircuit:
		p.score = openCircuit<<classShift | uint64(max(c.State.dueAt(c.Model)>>2, 0)) // a quarter, so that it fits below the class
	default:
		p.score = class << classShift
	}
	return class
}

// classify finds a candidate's class, and whether credit is left at its seller.
func (r *ranking) classify(c *Ready) (class uint64, credit bool) {
	funded := true
	if c.Purse != nil {
		credit, funded = c.Purse.Look(r.now)
	}
	switch {
	case r.exclusions != nil && r.exclusions.has(c.mark, r.path, r.now):
		class = lacksModel
	case !credit && !funded:
		class = noFunds
	case !c.State.fitAt(r.at, c.Model):
		class = openCircuit
	case c.State.setBackAt(r.at):
		class = setBack
	}
	return class, credit
}

// insert lets the candidate that was just judged find its place; the last one falls out where there are too many. Those that
// are ready stand about in order, so that there is little to move.
func (r *ranking) insert() {
	if r.n > 0 && r.places[r.n].before(&r.places[r.n-1]) {
		r.rise(r.n)
	}
	r.n = min(r.n+1, MaxReady)
}

// rise moves the place at i up, past all that are worse.
func (r *ranking) rise(i int) {
	p := r.places[i]
	for ; i > 0 && p.before(&r.places[i-1]); i-- {
		r.places[i] = r.places[i-1]
	}
	r.places[i] = p
}

func (p *place) class() uint64 { return p.score >> classShift }

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

// isFit tells whether a candidate could serve the request now, as one that is not behind others.
func isFit(q *Query, candidates *Candidates, c *Ready) bool {
	var r ranking
	r.begin(q, candidates)
	class, _ := r.classify(c)
	return class == fit
}
