package fleet

import (
	"context"

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
	err = store.Load(ctx, func(key string, value []byte) error {
		id, ok := poolOf(key)
		if !ok {
			return nil
		}
		p, err := readPool(value)
		if err != nil {
			unread = append(unread, id)
			return nil //nolint:nilerr // it is told apart
		}
		s := SharedToken{Token: id, Seller: p.Seller, Credit: p.Credit, Free: p.free(), Over: p.Over != "", Parts: make(map[string]SharedPart, len(p.Parts))}
		for gateway, one := range p.Parts {
			s.Parts[gateway] = SharedPart{one.Granted, one.Spent, one.Ended, one.Head}
		}
		all = append(all, s)
		return nil
	}, poolKeys)
	return all, unread, err
}
