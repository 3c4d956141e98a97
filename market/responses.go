package market

import (
	"context"
	"encoding/json"
	"time"

	"go.uber.org/zap"

	"github.com/tokenbuddy/caddy-tokenbuddy/fleet"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/routing"
)

// responseStore keeps in the ledger's directory who made which response, and in a fleet where there is one.
type responseStore struct {
	ledger *ledger.Ledger
	fleet  *fleet.Makers // nil: there is none
	logger *zap.Logger
}

var _ routing.ResponseFinder = (*responseStore)(nil)

// shareResponses has the gateways of a fleet know who has made which response, until the context ends.
func (m *Market) shareResponses(ctx context.Context, store fleet.Store) {
	m.made.fleet = fleet.NewMakers(store)
	m.tending.Go(func() {
		m.made.fleet.Run(ctx, func(lost int64, err error) {
			m.logger.Warn("fleet.responses.unwritten", zap.Int64("responses", lost), zap.Error(err))
		})
	})
}

func (s *responseStore) KeepResponse(key [16]byte, member uint64, m routing.Made) {
	made := ledger.Response{Member: member, Seller: m.Seller.ID, Origin: m.Seller.Origin, Model: m.Model, Tokens: m.Tokens, Until: m.Until}
	s.ledger.PutResponse(key, made)
	if s.fleet == nil {
		return
	}
	raw, err := json.Marshal(made)
	if err != nil {
		s.logger.Error("responses.unwritten", zap.Error(err))
		return
	}
	s.fleet.Keep(key, raw, m.Until)
}

func (s *responseStore) ForgetResponse(key [16]byte) {
	s.ledger.DropResponse(key)
	if s.fleet != nil {
		s.fleet.Forget(key)
	}
}

func (s *responseStore) EachResponse(visit func(key [16]byte, member uint64, m routing.Made)) error {
	return s.ledger.EachResponse(func(key ledger.ResponseKey, r ledger.Response) { visit(key, r.Member, madeOf(r)) })
}

// FindResponse asks the fleet, and keeps here what it says.
func (s *responseStore) FindResponse(ctx context.Context, key [16]byte, justNow bool) (member uint64, m routing.Made, err error) {
	if s.fleet == nil {
		return 0, routing.Made{}, routing.ErrUnmade
	}
	raw, err := s.fleet.Find(ctx, key, justNow)
	var made ledger.Response
	switch {
	case err != nil:
		return 0, routing.Made{}, err
	case raw == nil:
		return 0, routing.Made{}, routing.ErrUnmade
	}
	if err := json.Unmarshal(raw, &made); err != nil { // of a newer release: asked again it is the same
		s.logger.Debug("fleet.response.unread", zap.Error(err))
		return 0, routing.Made{}, routing.ErrUnmade
	}
	if !made.Until.After(time.Now()) {
		return 0, routing.Made{}, routing.ErrUnmade
	}
	s.ledger.PutResponse(key, made)
	return made.Member, madeOf(made), nil
}

func madeOf(r ledger.Response) routing.Made {
	return routing.Made{Seller: routing.SellerKey{ID: r.Seller, Origin: r.Origin}, Model: r.Model, Tokens: r.Tokens, Until: r.Until}
}
