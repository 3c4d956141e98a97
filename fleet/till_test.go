package fleet

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// till is a gateway's books and desk. What is on its disk outlives the process.
type till struct {
	key    string
	disk   map[string]*TokenPart
	sealed map[string][]byte
	waste  map[string]money.Micros
	over   map[string]money.Micros // spent beyond what was set aside

	held    map[string]money.Micros
	retired map[string]bool
	used    time.Time

	crash int  // so many moves fail from now on
	hasty bool // a fault: what is given back is spent from all the same
	twice bool // a fault: what is granted is booked twice
}

func newTill() *till {
	return &till{
		key: "key", disk: map[string]*TokenPart{}, sealed: map[string][]byte{}, waste: map[string]money.Micros{}, over: map[string]money.Micros{},
		held: map[string]money.Micros{}, retired: map[string]bool{},
	}
}

func (b *till) Parts(context.Context) (all []TokenPart, err error) {
	for _, id := range slices.Sorted(maps.Keys(b.disk)) {
		all = append(all, *b.disk[id])
	}
	return all, nil
}

func (b *till) Part(_ context.Context, id string) (TokenPart, bool, error) {
	if p := b.disk[id]; p != nil {
		return *p, true, nil
	}
	return TokenPart{}, false, nil
}

func (b *till) free(id string) money.Micros {
	if p := b.disk[id]; p != nil && !b.retired[id] {
		return max(0, p.Left-b.held[id])
	}
	return 0
}

func (b *till) Use(p TokenPart, _ money.Micros) (money.Micros, time.Time, bool) {
	return b.free(p.ID), b.used, b.disk[p.ID] != nil && !b.retired[p.ID]
}

func (b *till) Move(_ context.Context, id string, sealed []byte, by money.Micros, use bool) error {
	if b.crash > 0 {
		b.crash--
		return errors.New("the books are shut")
	}
	p := b.disk[id]
	if p == nil {
		if sealed == nil {
			return errors.New("no token")
		}
		if b.key != "key" {
			return ErrOtherKey
		}
		p = partSealed(sealed)
		b.disk[id], b.sealed[id] = p, sealed
	}
	p.Shared = true
	switch {
	case by < 0 && use:
		by = -min(-by, b.free(id))
	case by < 0:
		by = -min(-by, p.Left)
	case b.twice:
		by *= 2
	}
	p.Granted += by
	if p.Left += by; b.hasty && by < 0 {
		p.Left -= by
	}
	return nil
}

func (b *till) Retire(p TokenPart, _ string) { b.retired[p.ID] = true }

// dropToken books what is left as waste.
func (b *till) dropToken(id string) {
	b.waste[id] += b.disk[id].Left
	delete(b.disk, id)
	delete(b.retired, id)
}

func (b *till) Seal(_ context.Context, id string) ([]byte, error) { return b.sealed[id], nil }
func (b *till) Proof() []byte                                     { return []byte(b.key) }
func (b *till) Proves(proof []byte) bool                          { return string(proof) == b.key }

// buy has the books have a token that was bought there.
func (b *till) buy(id string, credit money.Micros, expires time.Time) {
	b.disk[id] = &TokenPart{ID: id, Seller: "acme", Origin: "o", Credit: credit, Granted: credit, Left: credit, Bought: time.Now(), Expires: expires}
	b.sealed[id] = fmt.Appendf(nil, "%s %d %d", id, credit, expires.UnixMicro())
}

func partSealed(sealed []byte) *TokenPart {
	p := &TokenPart{Seller: "acme", Origin: "o"}
	var at int64
	if _, err := fmt.Sscanf(string(sealed), "%s %d %d", &p.ID, &p.Credit, &at); err != nil {
		panic(err)
	}
	p.Expires = time.UnixMicro(at)
	return p
}

// spend books a cost, which may be more than what is set aside.
func (b *till) spend(id string, cost money.Micros) {
	p := b.disk[id]
	if short := cost - p.Left; short > 0 {
		p.Granted += short
		p.Left += short
		b.over[id] += short
	}
	p.Left -= cost
}
