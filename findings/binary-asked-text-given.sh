#!/usr/bin/env bash
# A PostgreSQL driver for Go takes the form that a query wants its results in, and asks the server for another in one of its modes.
#
# Seen 2026-11-30 with pgx 5.13.0 (Go 1.26), and with 5.11.0: pgx.QueryResultFormats{pgx.BinaryFormatCode} as the first argument of Query is documented to
# "control the result format (text=0, binary=1)". In QueryExecModeCacheDescribe the server is asked for binary. In QueryExecModeExec, the mode for poolers such as
# PgBouncer, the argument is taken and dropped: the server is asked for text, there is no error, and nearly all works. Text is what settings change:
# where a role or a database has bytea_output = escape, or a datestyle that is not ISO, Scan fails for a []byte or a time.Time, though the query has asked
# for the form that no setting changes. So no test finds it on a server as it comes. The server here only writes down what it is asked.
set -euo pipefail
tmp=$(mktemp -d)
trap 'chmod -R u+w "$tmp"; rm -rf "$tmp"' EXIT
cd "$tmp"
export GOFLAGS=-mod=mod GOWORK=off
go mod init probe 2>/dev/null
go get github.com/jackc/pgx/v5@v5.13.0 2>/dev/null
go list -m github.com/jackc/pgx/v5

cat >main.go <<'GO'
package main

import (
	"context"
	"fmt"
	"net"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgproto3"
)

// serve is a server whose only column is a bytea, and which says in which form the result is wanted.
func serve(conn net.Conn, asked chan<- []int16) {
	b := pgproto3.NewBackend(conn, conn)
	if _, err := b.ReceiveStartupMessage(); err != nil {
		return
	}
	b.Send(&pgproto3.AuthenticationOk{})
	b.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
	b.Flush()
	column := pgproto3.FieldDescription{Name: []byte("value"), DataTypeOID: 17, DataTypeSize: -1, TypeModifier: -1}
	for {
		m, err := b.Receive()
		if err != nil {
			return
		}
		switch m := m.(type) {
		case *pgproto3.Parse:
			b.Send(&pgproto3.ParseComplete{})
		case *pgproto3.Bind:
			asked <- append([]int16(nil), m.ResultFormatCodes...)
			if len(m.ResultFormatCodes) > 0 {
				column.Format = m.ResultFormatCodes[0]
			}
			b.Send(&pgproto3.BindComplete{})
		case *pgproto3.Describe:
			if m.ObjectType == 'S' {
				b.Send(&pgproto3.ParameterDescription{})
			}
			b.Send(&pgproto3.RowDescription{Fields: []pgproto3.FieldDescription{column}})
		case *pgproto3.Execute:
			b.Send(&pgproto3.DataRow{Values: [][]byte{[]byte("ab")}}) // in binary, and as text where bytea_output is escape
			b.Send(&pgproto3.CommandComplete{CommandTag: []byte("SELECT 1")})
		case *pgproto3.Sync:
			b.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
			b.Flush()
		case *pgproto3.Terminate:
			return
		}
	}
}

func main() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	asked := make(chan []int16, 4)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go serve(conn, asked)
		}
	}()
	for _, mode := range []pgx.QueryExecMode{pgx.QueryExecModeCacheDescribe, pgx.QueryExecModeExec} {
		config, err := pgx.ParseConfig("postgres://u@" + l.Addr().String() + "/d?sslmode=disable")
		if err != nil {
			panic(err)
		}
		config.DefaultQueryExecMode = mode
		conn, err := pgx.ConnectConfig(context.Background(), config)
		if err != nil {
			panic(err)
		}
		var value []byte
		err = conn.QueryRow(context.Background(), "select value from t", pgx.QueryResultFormats{pgx.BinaryFormatCode}).Scan(&value)
		fmt.Printf("%s: the server is asked for %v, the value is %q, failed: %t\n", mode, <-asked, value, err != nil)
		conn.Close(context.Background())
	}
}
GO
go run . | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
cache describe: the server is asked for [1], the value is "ab", failed: false
exec: the server is asked for [], the value is "", failed: true
SEEN
