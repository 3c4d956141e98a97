package routing

import (
	"slices"
	"time"
)

const (
	// Conversations is the usual capacity of an [Affinity].
	Conversations = 65_536
	// ConversationLife is how long a conversation stays with a seller after its last use, where the config says nothing.
	ConversationLife = 10 * time.Minute
	// ResponseLife is how long the maker of a response is remembered, after which a request that builds on it may go to
	// any seller; the ones that don't know the response refuse it.
	ResponseLife = 24 * time.Hour
)

// Affinity remembers which seller served a conversation last, or made a response. It holds a bounded number of them,
// forgets those that expire first when it is full, and takes no lock.
type Affinity struct{ sellers memos[SellerKey] }

// NewAffinity makes an empty memory for about as many keys as the capacity says.
func NewAffinity(capacity int) *Affinity { return &Affinity{newMemos[SellerKey](capacity)} }

// Get gives the seller of a key, a hash of at least 128 bits; ok is false when none is known or it has expired. A nil
// *Affinity knows none.
func (a *Affinity) Get(key [16]byte, now time.Time) (seller SellerKey, ok bool) {
	if a == nil {
		return SellerKey{}, false
	}
	return a.sellers.get(key, now)
}

// Put remembers the seller of a key for a time from now on, in the place of the one before.
func (a *Affinity) Put(key [16]byte, seller SellerKey, now time.Time, life time.Duration) {
	if a != nil && life > 0 {
		a.sellers.put(key, seller, now.Add(life))
	}
}

// prefer moves the seller that served the conversation last to the front of list[from:], if it is a candidate and fit. It
// need not have been in the list.
func prefer(q *Query, candidates *Candidates, list []*Candidate, from int) []*Candidate {
	last := candidates.find(q.Last)
	if last.Candidate == nil || cap(list) == from || !isFit(q, candidates, &last) {
		return list
	}
	at := slices.Index(list[from:], last.Candidate)
	switch {
	case at >= 0:
		at += from
	case len(list) < cap(list):
		list = append(list, last.Candidate)
		at = len(list) - 1
	default:
		at = len(list) - 1 // the last one gives up its place
	}
	copy(list[from+1:at+1], list[from:at])
	list[from] = last.Candidate
	return list
}
