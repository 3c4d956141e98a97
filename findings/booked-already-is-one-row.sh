#!/usr/bin/env bash
# "on duplicate key update" says one row of a booking that is new and one of a booking that was there, to both of Node's clients of MariaDB, and 0 to Go's, for which a lease that is renewed twice in a second is lost.
#
# Seen 2026-12-01 with mysql2 3.24.6, mariadb 3.5.4 (Node 20.20), github.com/go-sql-driver/mysql 1.10.1 (Go 1.26) and Debian's mariadb-server-core 1:10.11.19-0+deb12u1, no options set.
# Expected: how many rows a statement has changed is for the server to say, so that all clients have one number. The protocol has a flag by which it is the number of rows
# found in its place; both clients for Node set it, and Go's doesn't. The manual of the statement says 1 for a row that is new and 2 for one that was changed, and 0 for one that was there as it should be:
# with the flag that 0 is a 1, and "affectedRows === 1", by which a program learns that a top-up or a settlement came for the first time, credits it each time that it comes.
# The other way round an update to what is there already is 0 rows in Go: a leader that writes its lease again within the same second, or a settlement that is repeated,
# looks as if nobody had that row. "insert ignore" has 1 and 0 with all three. So a booking goes by insert, and its error 1062; who moves a program from one
# language to the other looks for each use of that number, and Go's clientFoundRows=true, or Node's flags: ['-FOUND_ROWS'] and foundRows: false, make them alike.
set -euo pipefail
tmp=$(mktemp -d)
trap '[ ! -e "$tmp/data/pid" ] || kill "$(cat "$tmp/data/pid")"; wait; rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts mysql2@3.24.6 mariadb@3.5.4
npm ls --depth=0
mkdir -p lists/partial cache/archives/partial
version=1:10.11.19-0+deb12u1
apt=(apt-get -qq -o "Dir::State::lists=$tmp/lists" -o "Dir::Cache=$tmp/cache" -o APT::Sandbox::User=root)
"${apt[@]}" update
"${apt[@]}" install -y --download-only --no-install-recommends mariadb-server-core=$version mariadb-client-core=$version >apt.log # with what is missing
"${apt[@]}" download mariadb-server-core=$version mariadb-client-core=$version
for package in ./*.deb cache/archives/*.deb; do [ ! -e "$package" ] || dpkg -x "$package" root; done
LD_LIBRARY_PATH=$tmp/root/usr/lib/x86_64-linux-gnu
export LD_LIBRARY_PATH
mkdir data
"$tmp/root/usr/bin/mariadb-install-db" --no-defaults --basedir="$tmp/root/usr" --datadir="$tmp/data" --user="$(id -un)" --auth-root-authentication-method=normal >install.log 2>&1 || { cat install.log; exit 1; }
"$tmp/root/usr/sbin/mariadbd" --no-defaults --datadir="$tmp/data" --user="$(id -un)" --lc-messages-dir="$tmp/root/usr/share/mysql" --skip-networking \
	--socket="$tmp/data/socket" --pid-file="$tmp/data/pid" 2>server.log &
server=$!
until [ -S data/socket ]; do kill -0 "$server"; sleep 0.1; done

export GOMODCACHE=$tmp/modules GOFLAGS='-modcacherw -trimpath'
cat >statements <<'SQL'
insert into bookings values ('top-up 1', 500) on duplicate key update amount = 500
insert into bookings values ('top-up 1', 500) on duplicate key update amount = 500
insert into bookings values ('top-up 1', 700) on duplicate key update amount = 700
insert ignore into bookings values ('top-up 2', 500)
insert ignore into bookings values ('top-up 2', 500)
update leases set until = '2026-12-01 00:00:30' where owner = 'gateway 1'
update leases set until = '2026-12-01 00:00:30' where owner = 'gateway 1'
update leases set until = '2026-12-01 00:00:30' where owner = 'gateway 2'
SQL
cat >begin <<'SQL'
create database if not exists books
create or replace table books.bookings (id varchar(20) primary key, amount bigint)
create or replace table books.leases (owner varchar(20) primary key, until datetime)
insert into books.leases values ('gateway 1', '2026-12-01 00:00:00')
SQL
cat >probe.mjs <<'JS'
import { readFileSync } from 'node:fs'
import mariadb from 'mariadb'
import mysql from 'mysql2/promise'

const to = { socketPath: `${process.cwd()}/data/socket`, user: 'root' }
const lines = name => readFileSync(name, 'utf8').trim().split('\n')
const clients = { 'mysql2': await mysql.createConnection(to), 'mariadb': await mariadb.createConnection(to), 'mysql2, -FOUND_ROWS': await mysql.createConnection({ ...to, flags: ['-FOUND_ROWS'] }) }
for (const [name, client] of Object.entries(clients)) {
  for (const line of lines('begin')) await client.query(line)
  await client.query('use books')
  const rows = []
  for (const line of lines('statements')) {
    const result = await client.query(line)
    rows.push((result[0] ?? result).affectedRows)
  }
  console.log(`${name}: on duplicate key update ${rows.slice(0, 3)}; insert ignore ${rows.slice(3, 5)}; the same update twice, and one of nobody's ${rows.slice(5)}`)
}
process.exit()
JS
cat >main.go <<'GO'
package main

import (
	"database/sql"
	"fmt"
	"os"
	"strings"

	_ "github.com/go-sql-driver/mysql"
)

func lines(name string) []string {
	text, _ := os.ReadFile(name)
	return strings.Split(strings.TrimSpace(string(text)), "\n")
}

func main() {
	for _, options := range []string{"", "?clientFoundRows=true"} {
		db, err := sql.Open("mysql", "root@unix("+os.Args[1]+"/data/socket)/books"+options)
		if err != nil {
			panic(err)
		}
		for _, line := range lines("begin") {
			if _, err := db.Exec(line); err != nil {
				panic(err)
			}
		}
		var rows []string
		for _, line := range lines("statements") {
			result, err := db.Exec(line)
			if err != nil {
				panic(err)
			}
			n, _ := result.RowsAffected()
			rows = append(rows, fmt.Sprint(n))
		}
		join := func(part []string) string { return strings.Join(part, ",") }
		fmt.Printf("go-sql-driver%s: on duplicate key update %s; insert ignore %s; the same update twice, and one of nobody's %s\n",
			options, join(rows[:3]), join(rows[3:5]), join(rows[5:]))
	}
}
GO
{ go mod init probe && go get github.com/go-sql-driver/mysql@v1.10.1; } 2>go.log || { cat go.log; exit 1; }
go list -m github.com/go-sql-driver/mysql
{ node probe.mjs && go run . "$tmp"; } | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
mysql2: on duplicate key update 1,1,2; insert ignore 1,0; the same update twice, and one of nobody's 1,1,0
mariadb: on duplicate key update 1,1,2; insert ignore 1,0; the same update twice, and one of nobody's 1,1,0
mysql2, -FOUND_ROWS: on duplicate key update 1,0,2; insert ignore 1,0; the same update twice, and one of nobody's 1,0,0
go-sql-driver: on duplicate key update 1,0,2; insert ignore 1,0; the same update twice, and one of nobody's 1,0,0
go-sql-driver?clientFoundRows=true: on duplicate key update 1,1,2; insert ignore 1,0; the same update twice, and one of nobody's 1,1,0
SEEN
