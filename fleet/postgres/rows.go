package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/tokenbuddy/caddy-tokenbuddy/fleet"
)

const (
	// In an order that all gateways share, so that none waits for one that waits for it.
	addSettlements = `insert into tokenbuddy_fleet_settlement (seller, settlement_id, gateway, seq)
	select seller, settlement_id, gateway, min(seq) from tokenbuddy_fleet_entry
	where gateway = $1 and seq between $2 and $3 and settlement_id <> '' group by seller, settlement_id, gateway
	order by seller, settlement_id on conflict (seller, settlement_id) do nothing`
	readTwins = `select mine.seq, first.gateway, first.seq, other.idempotency_key from tokenbuddy_fleet_entry mine
	join tokenbuddy_fleet_settlement first on first.seller = mine.seller and first.settlement_id = mine.settlement_id
	join tokenbuddy_fleet_entry other on other.gateway = first.gateway and other.seq = first.seq
	where mine.gateway = $1 and mine.seq between $2 and $3 and mine.settlement_id <> '' and first.gateway <> $1 order by mine.seq`
	readHashes = `select seq, hash from tokenbuddy_fleet_entry where gateway = $1 and seq between $2 and $3 order by seq`
	readLast   = `select seq, hash from tokenbuddy_fleet_entry where gateway = $1 order by seq desc limit 1`
	readRows   = `select seq, id, at, kind, member, model, seller, settlement_id, idempotency_key, hash, previous, entry, begun, beside
	from tokenbuddy_fleet_entry where gateway = $1 and seq > $2 order by seq limit $3`
)

// Append implements fleet.Store. Rows that are there must be the same, and what is added must follow what is there: else it is
// fleet.ErrFork. Which of two rows with one settlement was first is decided once, by the engine, so that a repeated call says the same.
func (s *Store) Append(ctx context.Context, gateway string, rows []fleet.Row) (fleet.Appended, error) {
	var out fleet.Appended
	if err := follow(rows); err != nil {
		return out, fmt.Errorf("fleet postgres: append: %w", err)
	}
	err := s.write(ctx, "append", rowsTime, func(ctx context.Context, conn *pgxpool.Conn, _ *engine) error {
		out = fleet.Appended{}
		if len(rows) > 0 {
			if err := add(ctx, conn, gateway, rows); err != nil {
				return err
			}
			var err error
			if out.Twins, err = twins(ctx, conn, gateway, rows); err != nil {
				return err
			}
		}
		err := queryRow(ctx, conn, readLast, []any{gateway}, []any{&out.Last, &out.LastHash})
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		return err
	})
	if err != nil {
		return fleet.Appended{}, err
	}
	return out, nil
}

// follow checks that rows are what one gateway's books have in a row.
func follow(rows []fleet.Row) error {
	for i := range rows {
		switch r := &rows[i]; {
		case r.Seq == 0 || r.Hash == "":
			return fmt.Errorf("row %d has no number or no hash", r.Seq)
		case i > 0 && (r.Seq != rows[i-1].Seq+1 || r.Previous != rows[i-1].Hash):
			return fmt.Errorf("row %d does not follow row %d", r.Seq, rows[i-1].Seq)
		}
	}
	return nil
}

// add adds rows that are not there, and compares those that are, as well as the one before them.
func add(ctx context.Context, conn *pgxpool.Conn, gateway string, rows []fleet.Row) error {
	added, err := insert(ctx, conn, gateway, rows)
	if err != nil {
		return err
	}
	first, last := int64(rows[0].Seq), int64(rows[len(rows)-1].Seq)
	compared := rows // with what was there
	if added == int64(len(rows)) {
		compared = nil
	}
	there, err := query(ctx, conn, readHashes, gateway, first-1, first-1+int64(len(compared)))
	if err != nil {
		return err
	}
	has := make(map[uint64]string, len(compared)+1)
	var seq uint64
	var hash string
	if _, err := pgx.ForEachRow(there, []any{&seq, &hash}, func() error {
		has[seq] = hash
		return nil
	}); err != nil {
		return err
	}
	if before, ok := has[rows[0].Seq-1]; first > 1 && !ok {
		return &refusal{fmt.Errorf("fleet postgres: append: row %d of gateway %s follows none: row %d is not in the store", first, gateway, first-1)}
	} else if ok && before != rows[0].Previous {
		return fork(gateway, rows[0].Seq-1)
	}
	for i := range compared {
		if has[rows[i].Seq] != rows[i].Hash {
			return fork(gateway, rows[i].Seq)
		}
	}
	_, err = conn.Exec(ctx, addSettlements, gateway, first, last)
	return err
}

func fork(gateway string, seq uint64) error {
	return &refusal{fmt.Errorf("fleet postgres: append: %w: entry %d of gateway %s", fleet.ErrFork, seq, gateway)}
}

// twins finds those of the rows whose settlement another gateway has booked first.
func twins(ctx context.Context, conn *pgxpool.Conn, gateway string, rows []fleet.Row) ([]fleet.Twin, error) {
	there, err := query(ctx, conn, readTwins, gateway, int64(rows[0].Seq), int64(rows[len(rows)-1].Seq))
	if err != nil {
		return nil, err
	}
	var found []fleet.Twin
	var t fleet.Twin
	_, err = pgx.ForEachRow(there, []any{&t.Seq, &t.Gateway, &t.Other, &t.IdempotencyKey}, func() error {
		found = append(found, t)
		return nil
	})
	return found, err
}

// clean makes of a name what a text of a database may be. What it really is stands in the entry.
func clean(name string) string {
	if utf8.ValidString(name) && strings.IndexByte(name, 0) < 0 {
		return name
	}
	return strings.ReplaceAll(strings.ToValidUTF8(name, "\uFFFD"), "\x00", "\uFFFD")
}

// page is how many rows are read at once: no transaction stays open while they are worked on.
const page = 512

// Journal implements fleet.Store.
func (s *Store) Journal(ctx context.Context, gateway string, after uint64, yield func(fleet.Row) error) error {
	for {
		var rows []fleet.Row
		err := s.read(ctx, "journal", rowsTime, func(ctx context.Context, conn *pgxpool.Conn) error {
			there, err := query(ctx, conn, readRows, gateway, int64(after), page)
			if err != nil {
				return err
			}
			rows, err = pgx.CollectRows(there, scanRow)
			return err
		})
		if err != nil {
			return err
		}
		for i := range rows {
			if err := yield(rows[i]); err != nil {
				return err
			}
			after = rows[i].Seq
		}
		if len(rows) < page {
			return nil
		}
	}
}

func scanRow(row pgx.CollectableRow) (r fleet.Row, err error) {
	var entry, beside string
	err = row.Scan(&r.Seq, &r.ID, &r.At, &r.Kind, &r.Member, &r.Model, &r.Seller, &r.SettlementID, &r.IdempotencyKey, &r.Hash, &r.Previous, &entry,
		&r.Begun, &beside)
	if r.At, r.Entry = r.At.UTC(), []byte(entry); beside != "" {
		r.Beside = []byte(beside)
	}
	return r, err
}
