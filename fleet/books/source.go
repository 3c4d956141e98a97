package books

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/tidwall/gjson"

	"github.com/tokenbuddy/caddy-tokenbuddy/fleet"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
)

// Source is a ledger, as its entries are shipped.
type Source struct {
	*ledger.Ledger
	// TakenBack hears of what was taken back, as Retract of a ledger tells it. nil: nobody does.
	TakenBack func(ledger.Retraction)
}

var _ fleet.Source = Source{}

var errEnough = errors.New("so many are enough")

// Rows gives entries as rows of the fleet's store. What was taken back settles nothing any more: where the store has forgotten that, and it is shipped
// again before the other gateway's entry is, that one is to stay.
func (s Source) Rows(ctx context.Context, after uint64, most int, yield func(fleet.Row) error) error {
	var near quarter
	err := s.Ledger.Rows(ctx, after, func(seq uint64, raw, beside []byte) error {
		row, err := rowOf(seq, raw)
		if err == nil && row.SettlementID != "" {
			var retracted bool
			if retracted, err = s.Retracted(row.ID); retracted {
				row.SettlementID = ""
			}
		}
		if err == nil {
			err = s.complete(&row, beside, &near)
		}
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

// quarter is one of an hour, and the periods of budgets then. No day of any calendar begins within it.
type quarter struct {
	begins time.Time
	begun  string
}

// complete has a row say in which periods its entry counts, and what is kept beside it. near are the periods of the row before.
func (s Source) complete(row *fleet.Row, beside []byte, near *quarter) error {
	if row.Beside = beside; row.Member == "" && beside == nil {
		return nil
	}
	if beside != nil {
		var is ledger.Beside
		if err := json.Unmarshal(beside, &is); err != nil {
			return fmt.Errorf("entry %d can't be shipped: what is kept beside it can't be read", row.Seq)
		}
		if is.Begun != nil {
			row.Begun = strings.Join(is.Begun[:], " ")
			return nil
		}
	}
	if begins := row.At.Truncate(15 * time.Minute); near.begun == "" || !begins.Equal(near.begins) {
		begun := s.PeriodsOf(row.At)
		*near = quarter{begins, strings.Join(begun[:], " ")}
	}
	row.Begun = near.begun
	return nil
}

// begunOf gives the periods of budgets that a row counts in; false: it does not say.
func begunOf(row *fleet.Row) (p ledger.Periods, ok bool) {
	parts := strings.Fields(row.Begun)
	ok = copy(p[:], parts) == len(p)
	return p, ok
}

// HashOf gives the hash of an entry; empty: there is none of that number.
func (s Source) HashOf(ctx context.Context, seq uint64) (hash string, err error) {
	err = s.Rows(ctx, seq-1, 1, func(r fleet.Row) error {
		hash = r.Hash
		return nil
	})
	return hash, err
}

// Retract takes back what a twin has cost.
func (s Source) Retract(ctx context.Context, t fleet.Twin) error {
	return s.Ledger.Retract(ctx, t.Seq, t.IdempotencyKey, s.TakenBack)
}

// said is what an entry says of whose request it is about.
type said struct{ member, model, settlementID, idempotencyKey string }

func (s *said) hear(key string, value gjson.Result) {
	switch key {
	case "member":
		s.member = value.String()
	case "model":
		s.model = value.String()
	case "settlementId":
		s.settlementID = value.String()
	case "idempotencyKey":
		s.idempotencyKey = value.String()
	}
}

// rowOf makes a row of an entry, as it is stored.
func rowOf(seq uint64, raw []byte) (fleet.Row, error) {
	row := fleet.Row{Seq: seq, Entry: bytes.Clone(raw)}
	var own, about said
	var err error
	gjson.ParseBytes(raw).ForEach(func(key, value gjson.Result) bool {
		switch key.Str {
		case "id":
			row.ID = value.String()
		case "time":
			row.At, err = time.Parse(time.RFC3339Nano, value.Str)
		case "kind":
			row.Kind = value.String()
		case "seller":
			row.Seller = value.String()
		case "hash":
			row.Hash = value.String()
		case "previousHash":
			row.Previous = value.String()
		case "attempt", "correction", "order":
			value.ForEach(func(key, value gjson.Result) bool {
				about.hear(key.Str, value)
				return true
			})
		default:
			own.hear(key.Str, value)
		}
		return true
	})
	if err != nil || row.Hash == "" {
		return row, fmt.Errorf("entry %d can't be shipped: it can't be read", seq)
	}
	row.Member, row.Model = cmp.Or(own.member, about.member), cmp.Or(own.model, about.model)
	row.SettlementID, row.IdempotencyKey = cmp.Or(own.settlementID, about.settlementID), cmp.Or(own.idempotencyKey, about.idempotencyKey)
	return row, nil
}
