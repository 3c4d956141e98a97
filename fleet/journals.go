package fleet

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"
)

// Shipped is how far a gateway's entries are in the store.
type Shipped struct {
	Gateway string    `json:"gateway"` // its ledger's identity
	Name    string    `json:"name,omitempty"`
	Entries uint64    `json:"entries"`
	Head    string    `json:"head"`           // hash of the newest of them
	At      time.Time `json:"at,omitzero"`    // of the newest; zero: there is none
	Seen    time.Time `json:"seen,omitzero"`  // when the gateway has last spoken, by the store's clock
	Left    bool      `json:"left,omitempty"` // it has said goodbye, with all of its entries shipped
	Self    bool      `json:"self,omitempty"` // it is the gateway that tells

	// Said is the newest of its entries that the gateway has said to be in the store, and its hash; 0: it has said nothing.
	Said     uint64 `json:"-"`
	SaidHash string `json:"-"`
	// Due is the first of them whose cost it has said to take back by an entry that is not in the store yet; 0: it has said of none.
	Due uint64 `json:"-"`
	// Keeps: by what it has said last it ships none of its entries.
	Keeps bool `json:"-"`
	// Forgotten: an operator has said that it will not come back. What it had not shipped then nobody knows.
	Forgotten bool `json:"-"`
}

// Journals are the entries of all gateways as they were in the store at one moment. Of each gateway they are the first ones without a
// gap; those of one that is away may end long before those of others.
type Journals struct {
	// Gateways are all that have ever spoken, by name.
	Gateways []Shipped

	store Store
}

// ReadJournals finds the gateways, and how far the entries of each are in the store now. self is the identity of the gateway that asks.
func ReadJournals(ctx context.Context, store Store, self string) (*Journals, error) {
	j := &Journals{store: store}
	err := store.Load(ctx, func(key string, value []byte) error {
		var b Beat
		if err := json.Unmarshal(value, &b); err != nil {
			return fmt.Errorf("fleet: what a gateway says of itself can't be read: %w", err)
		}
		id := unescape(key[len(gatewayKeys):])
		j.Gateways = append(j.Gateways, Shipped{
			Gateway: id, Name: b.Name, Seen: b.Seen, Left: b.Left, Self: id == self, Said: b.Head, SaidHash: b.Hash, Due: b.Due, Keeps: b.Own > 0, Forgotten: b.Forgotten(),
		})
		return nil
	}, gatewayKeys)
	if err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(j.Gateways, func(s Shipped) bool { return s.Self }) {
		j.Gateways = append(j.Gateways, Shipped{Gateway: self, Self: true}) // it has not spoken yet
	}
	for i := range j.Gateways {
		g := &j.Gateways[i]
		there, err := store.Append(ctx, g.Gateway, nil)
		if err != nil {
			return nil, err
		}
		g.Entries, g.Head = there.Last, there.LastHash
		if g.Entries == 0 {
			continue
		}
		err = store.Journal(ctx, g.Gateway, g.Entries-1, func(r Row) error {
			g.At = r.At
			return errThat
		})
		if err != nil && !errors.Is(err, errThat) {
			return nil, err
		}
	}
	slices.SortFunc(j.Gateways, func(a, b Shipped) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Gateway, b.Gateway)) })
	return j, nil
}

// errThat ends the reading of a journal.
var errThat = errors.New("that is all")

// Total is how many entries there are in all.
func (j *Journals) Total() (n uint64) {
	for i := range j.Gateways {
		n += j.Gateways[i].Entries
	}
	return n
}

// EachOf calls yield with the rows of one gateway, in order. An error of yield ends it and is given back.
func (j *Journals) EachOf(ctx context.Context, gateway string, yield func(Row) error) error {
	i := slices.IndexFunc(j.Gateways, func(s Shipped) bool { return s.Gateway == gateway })
	if i < 0 || j.Gateways[i].Entries == 0 {
		return nil
	}
	last := j.Gateways[i].Entries
	err := j.store.Journal(ctx, gateway, 0, func(r Row) error {
		if r.Seq > last {
			return errThat // shipped since
		}
		if err := yield(r); err != nil || r.Seq < last {
			return err
		}
		return errThat
	})
	if errors.Is(err, errThat) {
		return nil
	}
	return err
}

// Each calls yield with the rows of all gateways, ordered by their times, then by gateway, then by sequence number. It keeps no more
// than some rows of each gateway. An entry that a ledger has had from before it got an identity of its own comes once. An error of
// yield ends it and is given back.
func (j *Journals) Each(ctx context.Context, yield func(gateway string, r Row) error) error {
	type source struct {
		gateway string
		row     Row
		next    func() (Row, error, bool)
	}
	var open []*source
	advance := func(s *source) (more bool, err error) {
		row, err, ok := s.next()
		s.row = row
		return ok && err == nil, err
	}
	for i := range j.Gateways {
		next, stop := iter.Pull2(j.rows(ctx, j.Gateways[i].Gateway))
		defer stop()
		s := &source{gateway: j.Gateways[i].Gateway, next: next}
		if more, err := advance(s); err != nil {
			return err
		} else if more {
			open = append(open, s)
		}
	}
	var at time.Time
	same := map[string]bool{} // hashes of the rows of that moment
	for len(open) > 0 {
		first := open[0]
		for _, s := range open[1:] {
			if cmp.Or(s.row.At.Compare(first.row.At), cmp.Compare(s.gateway, first.gateway)) < 0 {
				first = s
			}
		}
		if !first.row.At.Equal(at) {
			at = first.row.At
			clear(same)
		}
		if !same[first.row.Hash] {
			same[first.row.Hash] = true
			if err := yield(first.gateway, first.row); err != nil {
				return err
			}
		}
		if more, err := advance(first); err != nil {
			return err
		} else if !more {
			open = slices.DeleteFunc(open, func(s *source) bool { return s == first })
		}
	}
	return nil
}

// rows are those of a gateway; the last has the error, if there is one.
func (j *Journals) rows(ctx context.Context, gateway string) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		err := j.EachOf(ctx, gateway, func(r Row) error {
			if !yield(r, nil) {
				return errThat
			}
			return nil
		})
		if err != nil {
			yield(Row{}, err)
		}
	}
}

// Chain checks that rows follow each other, one gateway's, from the first. The zero value is good.
type Chain struct {
	Entries uint64 // that were good
	Head    string // hash of the last of them
}

// Next takes the next row, or says what is wrong with it.
func (c *Chain) Next(r *Row) error {
	const end, hash = `"}`, 64
	raw := r.Entry
	switch {
	case r.Seq != c.Entries+1:
		return fmt.Errorf("entry %d is missing before it", c.Entries+1)
	case r.Previous != c.Head:
		return errors.New("it does not follow the entry before it: its previous hash is another")
	case len(raw) < hash+len(end) || string(raw[len(raw)-hash-len(end):]) != r.Hash+end:
		return errors.New("it was changed: the hash in it is another than beside it")
	}
	h := sha256.New()
	h.Write([]byte(r.Previous))
	h.Write(raw[:len(raw)-hash-len(end)])
	h.Write([]byte(end))
	if hex.EncodeToString(h.Sum(nil)) != r.Hash {
		return errors.New("it was changed: its hash is another")
	}
	c.Entries, c.Head = r.Seq, r.Hash
	return nil
}
