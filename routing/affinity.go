package routing

import (
	"hash/maphash"
	"slices"
	"time"
)

const (
	// Conversations is the usual capacity of an [Affinity], shared by all members.
	Conversations = 65_536
	// ConversationLife is how long a conversation stays with a seller after its last use, where the config says nothing.
	ConversationLife = 10 * time.Minute
)

// Affinity remembers which seller served a conversation last. It holds a bounded number of them, forgets first those of
// members that have many, and takes no lock.
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

// Put remembers the seller of a member's key for a time from now on, in the place of the one before.
func (a *Affinity) Put(member string, key [16]byte, seller SellerKey, now time.Time, life time.Duration) {
	if a != nil && life > 0 {
		a.sellers.put(key, maphash.String(seed, member), seller, now, now.Add(life))
	}
}

// prefer moves the seller that served the conversation last to the front of list[from:], if it is a candidate and fit. It
// need not have been in the list, unless only what is named may be moved.
func prefer(q *Query, candidates *Candidates, list []*Candidate, from int, named bool) []*Candidate {
	last := candidates.find(q.Last)
	if last.Candidate == nil || cap(list) == from || !isFit(q, candidates, &last) {
		return list
	}
	at := slices.Index(list[from:], last.Candidate)
	switch {
	case at >= 0:
		at += from
	case named:
		return list
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
