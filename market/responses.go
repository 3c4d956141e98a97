package market

import (
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/routing"
)

// responseStore keeps in the ledger's directory who made which response.
type responseStore struct{ ledger *ledger.Ledger }

func (s responseStore) KeepResponse(key [16]byte, member uint64, m routing.Made) {
	s.ledger.PutResponse(key, ledger.Response{
		Member: member, Seller: m.Seller.ID, Origin: m.Seller.Origin, Model: m.Model, Tokens: m.Tokens, Until: m.Until,
	})
}

func (s responseStore) ForgetResponse(key [16]byte) { s.ledger.DropResponse(key) }

func (s responseStore) EachResponse(visit func(key [16]byte, member uint64, m routing.Made)) error {
	return s.ledger.EachResponse(func(key ledger.ResponseKey, r ledger.Response) {
		visit(key, r.Member, routing.Made{
			Seller: routing.SellerKey{ID: r.Seller, Origin: r.Origin}, Model: r.Model, Tokens: r.Tokens, Until: r.Until,
		})
	})
}
