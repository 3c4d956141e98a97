package routing

import (
	"cmp"
	"slices"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// Candidate is a seller that can serve a model: it speaks the protocol, and takes a payment method of ours.
type Candidate struct {
	Seller  *Seller
	Model   string       // the id that the seller knows the model by
	Price   *money.Price // never nil; shared, not to be changed
	Methods []string     // payment methods that both sides know, in our order of preference; shared, not to be changed

	rank int32 // place among the index's sellers
}

// Candidates are all that can serve a model over a protocol: the pinned sellers in the order of the config, then the
// others in the registry's order. They never change. A nil *Candidates is an empty one.
type Candidates struct {
	list  []*Candidate // by ascending rank
	index *Index
}

// Len says how many there are.
func (c *Candidates) Len() int {
	if c == nil {
		return 0
	}
	return len(c.list)
}

// At gives the candidate at a place from 0 to Len()-1.
func (c *Candidates) At(i int) *Candidate { return c.list[i] }

// Find gives the candidate of a seller, nil when it is none. It does not look at all of them.
func (c *Candidates) Find(sellerID string) *Candidate {
	if c == nil {
		return nil
	}
	rank, ok := c.index.rank(sellerID)
	if !ok {
		return nil
	}
	i, ok := slices.BinarySearchFunc(c.list, rank, func(a *Candidate, rank int32) int { return cmp.Compare(a.rank, rank) })
	if !ok {
		return nil
	}
	return c.list[i]
}
