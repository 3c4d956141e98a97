// Package recent remembers the last requests of a gateway, refused ones too, with how each attempt has fared: who looks in soon after
// finds what the books do not have. It holds no prompt, no answer, no key and no token, and is of a fixed size.
package recent

import (
	"cmp"
	"slices"
	"sync/atomic"
	"time"
)

// class keeps requests apart, so that a storm of one kind does not push out the others.
// Those that were refused to members, before any seller was asked, are kept in refusals.
type class int

const (
	asked   class = iota // a seller was
	unknown              // nobody knows whose it was
	classes
)

// How many requests of each class are remembered. Those of rings are powers of two.
const (
	maxAsked   = 2048
	maxRefused = 512
	maxUnknown = 128
)

// Memory is of the last requests, and of how many were refused to each member. Adding one that was not refused takes no lock, and its
// size is bounded.
type Memory struct {
	rings    [classes]ring
	refusals refusals
	members  attendances
}

// New gives an empty memory.
func New() *Memory {
	m := new(Memory)
	for c, size := range map[class]int{asked: maxAsked, unknown: maxUnknown} {
		m.rings[c].slots = make([]atomic.Pointer[Request], size)
	}
	return m
}

// Add remembers a request that has ended. Nobody changes it after that, but by Book.
func (m *Memory) Add(r *Request) {
	switch {
	case len(r.Attempts) > 0:
		m.rings[asked].add(r)
	case r.Member != "":
		m.refusals.add(r)
	default:
		m.rings[unknown].add(r)
	}
	if r.Member != "" {
		m.members.count(r)
	}
}

// Since is from when on none is missing of those that have ended; zero: none was forgotten yet.
func (m *Memory) Since() (since time.Time) {
	since = m.refusals.since()
	for c := range m.rings {
		r := &m.rings[c]
		next := r.next.Load()
		if next <= uint64(len(r.slots)) {
			continue
		}
		if oldest := r.slots[next%uint64(len(r.slots))].Load(); oldest != nil && oldest.Ended.After(since) {
			since = oldest.Ended
		}
	}
	return since
}

// ring is of the last requests of a class: the oldest one's place is the next one's.
type ring struct {
	next  atomic.Uint64
	slots []atomic.Pointer[Request]
}

func (r *ring) add(rq *Request) {
	place := r.next.Add(1) - 1
	r.slots[place%uint64(len(r.slots))].Store(rq)
}

// Query chooses requests. What is empty does not choose.
type Query struct {
	ID, Member, Model, Seller, Outcome string
	Limit                              int // at most so many; 0: all
}

func (q *Query) chooses(r *Request) bool {
	return (q.ID == "" || q.ID == r.RequestID) && (q.Member == "" || q.Member == r.Member) &&
		(q.Model == "" || q.Model == r.Model || q.Model == r.RequestedModel) && (q.Outcome == "" || q.Outcome == r.Outcome) &&
		(q.Seller == "" || q.Seller == r.Seller || slices.ContainsFunc(r.Attempts, func(a Attempt) bool { return a.Seller == q.Seller }))
}

// Find gives the requests that q chooses as they stand now, the last to end first.
func (m *Memory) Find(q Query) []Row {
	found := m.refusals.find(&q)
	for c := range m.rings {
		for i := range m.rings[c].slots {
			if r := m.rings[c].slots[i].Load(); r != nil && q.chooses(r) {
				found = append(found, r)
			}
		}
	}
	slices.SortFunc(found, func(a, b *Request) int {
		return cmp.Or(b.Ended.Compare(a.Ended), cmp.Compare(a.RequestID, b.RequestID))
	})
	if q.Limit > 0 && len(found) > q.Limit {
		found = found[:q.Limit]
	}
	rows := make([]Row, len(found))
	for i, r := range found {
		rows[i] = r.row()
	}
	return rows
}
