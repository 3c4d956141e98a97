package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// inBinary asks for all columns of a result in the form that no setting of a role or a database changes, as datestyle and bytea_output do with text.
var inBinary = []int16{pgx.BinaryFormatCode}

// query is conn.Query, in binary: pgx has no ear for pgx.QueryResultFormats where nothing is prepared.
func query(ctx context.Context, conn *pgxpool.Conn, sql string, args ...any) (pgx.Rows, error) {
	types := conn.Conn().TypeMap()
	var q pgx.ExtendedQueryBuilder
	if err := q.Build(types, nil, args); err != nil {
		return nil, err
	}
	return pgx.RowsFromResultReader(types, conn.Conn().PgConn().ExecParams(ctx, sql, q.ParamValues, nil, q.ParamFormats, inBinary)), nil
}

// queryRow reads the one row that a query gives; pgx.ErrNoRows: it gives none.
func queryRow(ctx context.Context, conn *pgxpool.Conn, sql string, args, into []any) error {
	rows, err := query(ctx, conn, sql, args...)
	if err != nil {
		return err
	}
	_, err = pgx.CollectExactlyOneRow(rows, func(row pgx.CollectableRow) (struct{}, error) { return struct{}{}, row.Scan(into...) })
	return err
}
