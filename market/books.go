package market

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/fleet"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
)

// source is a ledger, as its entries are shipped.
type source struct{ *ledger.Ledger }

var errEnough = errors.New("so many are enough")

// Rows gives entries as rows of the fleet's store.
func (s source) Rows(ctx context.Context, after uint64, most int, yield func(fleet.Row) error) error {
	err := s.Ledger.Rows(ctx, after, func(seq uint64, raw []byte) error {
		row, err := rowOf(seq, raw)
		if err != nil {
			return err
		}
		if err := yield(row); err != nil {
			return err
		}
		if most--; most == 0 {
			return errEnough
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}

// Retract takes back what a twin has cost.
func (s source) Retract(ctx context.Context, t fleet.Twin) error {
	return s.Ledger.Retract(ctx, t.Seq, t.IdempotencyKey)
}

// said is what a row says of whose request it is about.
type said struct {
	Member         string `json:"member"`
	Model          string `json:"model"`
	SettlementID   string `json:"settlementId"`
	IdempotencyKey string `json:"idempotencyKey"`
}

// rowOf makes a row of an entry, as it is stored.
func rowOf(seq uint64, raw []byte) (fleet.Row, error) {
	var e struct {
		ID     string    `json:"id"`
		Time   time.Time `json:"time"`
		Kind   string    `json:"kind"`
		Seller string    `json:"seller"`
		said
		Attempt      said   `json:"attempt"`
		Correction   said   `json:"correction"`
		Order        said   `json:"order"`
		PreviousHash string `json:"previousHash"`
		Hash         string `json:"hash"`
	}
	if err := json.Unmarshal(raw, &e); err != nil {
		return fleet.Row{}, err
	}
	return fleet.Row{
		Seq: seq, ID: e.ID, At: e.Time, Kind: e.Kind, Seller: e.Seller,
		Member:       cmp.Or(e.Member, e.Attempt.Member, e.Correction.Member, e.Order.Member),
		Model:        cmp.Or(e.Model, e.Attempt.Model, e.Correction.Model),
		SettlementID: cmp.Or(e.SettlementID, e.Attempt.SettlementID), IdempotencyKey: cmp.Or(e.IdempotencyKey, e.Attempt.IdempotencyKey),
		Hash: e.Hash, Previous: e.PreviousHash, Entry: bytes.Clone(raw),
	}, nil
}
