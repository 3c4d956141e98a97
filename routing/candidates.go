package routing

import (
	"cmp"
	"slices"
	"sync/atomic"

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
// others in the registry's order. They never change; which of them are kept ready for requests does. A nil *Candidates is
// an empty one.
type Candidates struct {
	list  []*Candidate // by ascending rank
	index *Index
	kept  atomic.Pointer[[]Ready]
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

// DefaultSeller is the id of the default seller, which need not be a candidate; empty: there is none.
func (c *Candidates) DefaultSeller() string {
	if c == nil {
		return ""
	}
	return c.index.defaultSeller
}

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

// FindKey gives the candidate of a seller by its id and origin, nil when it is none.
func (c *Candidates) FindKey(seller SellerKey) *Candidate { return c.find(seller).Candidate }

// find gives the candidate with what is known of its seller. Most likely it is one of the ready ones.
func (c *Candidates) find(seller SellerKey) (r Ready) {
	if seller.ID == "" {
		return r
	}
	ready := c.Ready()
	for i := range ready {
		if s := ready[i].Seller; s.ID == seller.ID && s.Origin == seller.Origin {
			return ready[i]
		}
	}
	if found := c.Find(seller.ID); found != nil && found.Seller.Origin == seller.Origin {
		return c.index.ready(found)
	}
	return r
}

// Ready gives the candidates that are kept ready for requests, at most MaxReady: all of them where there are no more. They
// are in no order, and not to be changed.
func (c *Candidates) Ready() []Ready {
	if c == nil {
		return nil
	}
	if kept := c.kept.Load(); kept != nil {
		return *kept
	}
	return nil
}
