#!/usr/bin/env bash
# What was spent today is nothing to SQL in a file that modernc's SQLite wrote, and a time in microseconds is the year 1688 to mattn's.
#
# Seen 2026-11-30 with modernc.org/sqlite 1.62.0 and github.com/mattn/go-sqlite3 1.14.53 (Go 1.26), Go's two usual drivers of SQLite.
# Expected: a time.Time that is bound to a TIMESTAMP column is written so that SQLite knows it, and a number in that column is a number. modernc writes
# Go's own words, "2026-06-02 23:30:00 +0000 UTC", which it reads back, so that a program sees no difference; date() and strftime() are NULL for it, and a
# sum by day is one sum under no day, as is each "where date(t) = ..." nothing. Its option _time_format=sqlite, which nobody has by default, is mattn's form.
# Both keep each time's own zone and compare as text: 01:15 in Berlin comes after 00:10 in UTC, though it is 55 minutes before it, and an hour's window has it or not by
# the zone of who writes. And mattn makes a time of an integer there, of seconds or, above 10^12, of milliseconds: a ledger's microseconds
# overflow without an error. So books in SQLite have their times as integers in an INTEGER column, or as text that the program itself has written in UTC.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
export GOMODCACHE=$tmp/modules GOFLAGS='-modcacherw -trimpath'

cat >main.go <<'GO'
package main

import (
	"database/sql"
	"fmt"
	"time"

	_ "github.com/mattn/go-sqlite3"
	_ "modernc.org/sqlite"
)

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func show(name, driver, dsn string) {
	db := must(sql.Open(driver, dsn))
	defer db.Close()
	db.SetMaxOpenConns(1)
	must(db.Exec("create table entries (booked TIMESTAMP, micros INTEGER)"))
	berlin := time.FixedZone("CEST", 2*60*60)
	for _, booked := range []time.Time{
		time.Date(2026, 6, 2, 23, 30, 0, 0, time.UTC),
		time.Date(2026, 6, 3, 1, 15, 0, 0, berlin), // a quarter of an hour before the first
		time.Date(2026, 6, 3, 0, 10, 0, 0, time.UTC),
	} {
		must(db.Exec("insert into entries values (?, 100)", booked))
	}
	rows := must(db.Query("select coalesce(date(booked), 'no day'), sum(micros) from entries group by 1 order by 1"))
	for rows.Next() {
		var day string
		var micros int
		must(0, rows.Scan(&day, &micros))
		fmt.Printf("%s: %d on %s\n", name, micros, day)
	}
	var text string
	must(0, db.QueryRow("select cast(booked as text) from entries order by booked desc limit 1").Scan(&text))
	fmt.Printf("%s: the last one is %s\n", name, text)
	must(db.Exec("delete from entries"))
	at := time.Date(2026, 6, 2, 23, 30, 0, 0, time.UTC)
	for unit, number := range []int64{at.Unix(), at.UnixMilli(), at.UnixMicro()} {
		must(db.Exec("delete from entries"))
		must(db.Exec("insert into entries values (?, 100)", number))
		var read any
		must(0, db.QueryRow("select booked from entries").Scan(&read))
		fmt.Printf("%s: %d %s are %v\n", name, number, []string{"seconds", "milliseconds", "microseconds"}[unit], read)
	}
}

func main() {
	show("modernc", "sqlite", ":memory:")
	show("modernc with _time_format=sqlite", "sqlite", "file::memory:?_time_format=sqlite")
	show("mattn", "sqlite3", ":memory:")
}
GO
go mod init probe 2>/dev/null
go get modernc.org/sqlite@v1.62.0 github.com/mattn/go-sqlite3@v1.14.53 2>/dev/null
go list -m modernc.org/sqlite github.com/mattn/go-sqlite3
go run . | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
modernc: 300 on no day
modernc: the last one is 2026-06-03 01:15:00 +0200 CEST
modernc: 1780443000 seconds are 1780443000
modernc: 1780443000000 milliseconds are 1780443000000
modernc: 1780443000000000 microseconds are 1780443000000000
modernc with _time_format=sqlite: 200 on 2026-06-02
modernc with _time_format=sqlite: 100 on 2026-06-03
modernc with _time_format=sqlite: the last one is 2026-06-03 01:15:00+02:00
modernc with _time_format=sqlite: 1780443000 seconds are 1780443000
modernc with _time_format=sqlite: 1780443000000 milliseconds are 1780443000000
modernc with _time_format=sqlite: 1780443000000000 microseconds are 1780443000000000
mattn: 200 on 2026-06-02
mattn: 100 on 2026-06-03
mattn: the last one is 2026-06-03 01:15:00+02:00
mattn: 1780443000 seconds are 2026-06-02 23:30:00 +0000 UTC
mattn: 1780443000000 milliseconds are 2026-06-02 23:30:00 +0000 UTC
mattn: 1780443000000000 microseconds are 1688-03-31 21:07:30.173493248 +0000 UTC
SEEN
