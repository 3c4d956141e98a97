package fleet

import (
	"context"
	"maps"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// SharedToken is what the store has of a shared token, to be held against books.
type SharedToken struct {
	Token, Seller string
	Credit        money.Micros
	Free          money.Micros // set aside for nobody; below zero: so much was spent, or is set aside, that is not there
	Over          bool
	Parts         map[string]SharedPart // by gateway
}

// SharedPart is a gateway's part of it.
type SharedPart struct {
	Granted, Spent money.Micros
	Ended          bool   // all of it counts as spent
	Head           string // the newest entry of its books when it last spoke, as its hash; empty: not known
}

// SharedTokens reads what the store has of shared tokens. unread are those of a newer release.
func SharedTokens(ctx context.Context, store Store) (all []SharedToken, unread []string, err error) {
	err = eachPool(ctx, store, func(id string, p *pool) {
		if p == nil {
			unread = append(unread, id)
			return
		}
		s := SharedToken{Token: id, Seller: p.Seller, Credit: p.Credit, Free: p.free(), Over: p.Over != "", Parts: make(map[string]SharedPart, len(p.Parts))}
		for gateway, one := range p.Parts {
			s.Parts[gateway] = SharedPart{one.Granted, one.Spent, one.Ended, one.Head}
		}
		all = append(all, s)
	})
	return all, unread, err
}

// TokenSums are what the shared tokens of a seller have that are not over, and of which nobody has said that it is spent.
type TokenSums struct {
	Free   money.Micros // set aside for nobody
	Own    money.Micros // set aside for this gateway
	Others money.Micros // set aside for others
}

// see sums up what the store has.
func (t *Tokens) see(all pools) {
	seen := make(map[string]TokenSums)
	for _, p := range all {
		if p.Over != "" {
			continue
		}
		s := seen[p.Seller]
		s.Free += max(0, p.free())
		s.Others += p.idle(t.o.Gateway)
		if one := p.Parts[t.o.Gateway]; one != nil {
			s.Own += max(0, one.Granted-one.Spent)
		}
		seen[p.Seller] = s
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for seller := range t.seen { // of one that had some there is nothing left
		if _, has := seen[seller]; !has {
			seen[seller] = TokenSums{}
		}
	}
	t.seen = seen
}

// Seen gives the sums by seller, as they were when the store was last looked at: a second ago or so, while it answers. It asks nobody.
func (t *Tokens) Seen() map[string]TokenSums {
	t.mu.Lock()
	defer t.mu.Unlock()
	return maps.Clone(t.seen)
}
