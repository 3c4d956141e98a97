package postgres

import (
	"context"
	"encoding/binary"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/tokenbuddy/caddy-tokenbuddy/fleet"
)

const addRows = `insert into tokenbuddy_fleet_entry
	(gateway, seq, id, at, kind, member, model, seller, settlement_id, idempotency_key, hash, previous, entry,
	begun, beside) select $1::text, * from unnest($2::bigint[], $3::text[], $4::timestamptz[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[],
	$11::text[], $12::text[], $13::text[], $14::text[], $15::text[]) on conflict (gateway, seq) do nothing`

// insert adds the rows that are not there, and gives their number.
func insert(ctx context.Context, conn *pgxpool.Conn, gateway string, rows []fleet.Row) (added int64, err error) {
	name := func(of func(*fleet.Row) string) column {
		return texts(rows, func(r *fleet.Row) string { return clean(of(r)) })
	}
	columns := [...]column{
		{pgtype.TextOID, []byte(gateway)},
		numbers(rows, pgtype.Int8ArrayOID, pgtype.Int8OID, func(r *fleet.Row) int64 { return int64(r.Seq) }),
		name(func(r *fleet.Row) string { return r.ID }),
		numbers(rows, pgtype.TimestamptzArrayOID, pgtype.TimestamptzOID, func(r *fleet.Row) int64 { return r.At.UnixMicro() - beginning }),
		name(func(r *fleet.Row) string { return r.Kind }),
		name(func(r *fleet.Row) string { return r.Member }),
		name(func(r *fleet.Row) string { return r.Model }),
		name(func(r *fleet.Row) string { return r.Seller }),
		name(func(r *fleet.Row) string { return r.SettlementID }),
		name(func(r *fleet.Row) string { return r.IdempotencyKey }),
		name(func(r *fleet.Row) string { return r.Hash }),
		name(func(r *fleet.Row) string { return r.Previous }),
		texts(rows, func(r *fleet.Row) []byte { return r.Entry }),
		name(func(r *fleet.Row) string { return r.Begun }),
		texts(rows, func(r *fleet.Row) []byte { return r.Beside }),
	}
	var values [len(columns)][]byte
	var types [len(columns)]uint32
	var formats [len(columns)]int16
	for i, c := range columns {
		values[i], types[i], formats[i] = c.value, c.oid, pgx.BinaryFormatCode
	}
	tag, err := conn.Conn().PgConn().ExecParams(ctx, addRows, values[:], types[:], formats[:], nil).Close()
	return tag.RowsAffected(), err
}

// column is one of many rows, as a statement takes it: an array in its binary form. It is laid out here and not by pgx, which takes several times
// as long: entries are most of what a gateway in a fleet does more than one that is alone.
type column struct {
	oid   uint32
	value []byte
}

// beginning is where times of the engine begin, in microseconds of Unix time.
var beginning = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro()

// array begins one of n elements, none of them null: its dimensions, whether there are nulls, what it is of, its length, and the number of its
// first element.
func array(of uint32, n, room int) []byte {
	b := make([]byte, 0, 20+4*n+room)
	for _, v := range [...]uint32{1, 0, of, uint32(n), 1} {
		b = binary.BigEndian.AppendUint32(b, v)
	}
	return b
}

func texts[T string | []byte](rows []fleet.Row, of func(*fleet.Row) T) column {
	room := 0
	for i := range rows {
		room += len(of(&rows[i]))
	}
	b := array(pgtype.TextOID, len(rows), room)
	for i := range rows {
		value := of(&rows[i])
		b = append(binary.BigEndian.AppendUint32(b, uint32(len(value))), value...)
	}
	return column{pgtype.TextArrayOID, b}
}

func numbers(rows []fleet.Row, oid, element uint32, of func(*fleet.Row) int64) column {
	b := array(element, len(rows), 8*len(rows))
	for i := range rows {
		b = binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint32(b, 8), uint64(of(&rows[i])))
	}
	return column{oid, b}
}
