#!/usr/bin/env bash
# A monthly budget that begins on the 31st of January is renewed seven times in the year that follows by the calendar's rule "monthly", stays on the 3rd for ever by Go and SQLite, and on the 28th by date-fns and Luxon.
#
# Seen 2026-12-01 with github.com/teambition/rrule-go 1.8.2 (Go 1.26), rrule 2.8.1, date-fns 4.1.0, luxon 3.7.2 (Node 20.20) and Debian's sqlite3 3.40.1-2+deb12u2.
# Expected: a month after the 31st is the last day of the next month, and twelve of them are a year; so say contracts, and so plans are sold. FREQ=MONTHLY of RFC 5545, which calendars and both libraries for it have, leaves out each month that has no 31st: between March
# and May nothing is renewed. Go's AddDate and SQLite's "+1 month" have the 31st of February be the 3rd of March, and skip February; who adds a month to the last renewal then stays on the 3rd, and pays eleven times in the year.
# date-fns and Luxon have the 28th of February, and stay there when the next month is added to that; added from the beginning, n months at a time, both are right, and Go and SQLite have the 1st of May after the 31st of March. With a beginning up to the 28th, as in most tests, all are the same.
# So a program that makes budgets in Go and sums up their use in SQL, or in a page, has two months of them; a period is kept as its own beginning and end, and the day of the contract beside it.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
export TZ=UTC GOMODCACHE=$tmp/modules GOFLAGS='-modcacherw -trimpath'
npm install --silent --no-audit --no-fund --ignore-scripts rrule@2.8.1 date-fns@4.1.0 luxon@3.7.2
npm ls --depth=0
mkdir -p lists/partial cache/archives/partial
apt=(apt-get -qq -o "Dir::State::lists=$tmp/lists" -o "Dir::Cache=$tmp/cache" -o APT::Sandbox::User=root)
"${apt[@]}" update
"${apt[@]}" download sqlite3=3.40.1-2+deb12u2 libsqlite3-0=3.40.1-2+deb12u2 libreadline8 libtinfo6
for package in ./*.deb; do dpkg -x "$package" root; done
dpkg-deb -W --showformat '${Package} ${Version}\n' ./sqlite3_*.deb
cat >main.go <<'GO'
package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/teambition/rrule-go"
)

func say(name string, days []time.Time) {
	var said []string
	for _, day := range days {
		if !day.After(time.Date(2027, time.January, 31, 0, 0, 0, 0, time.UTC)) {
			said = append(said, day.Format("01-02"))
		}
	}
	fmt.Printf("%s: %d: %s\n", name, len(said), strings.Join(said, " "))
}

func main() {
	start := time.Date(2026, time.January, 31, 0, 0, 0, 0, time.UTC)
	rule, err := rrule.NewRRule(rrule.ROption{Freq: rrule.MONTHLY, Dtstart: start, Count: 13})
	if err != nil {
		panic(err)
	}
	say("rrule-go", rule.All()[1:])
	var stepped, counted []time.Time
	for last, i := start, 1; i <= 12; i++ {
		last = last.AddDate(0, 1, 0)
		stepped = append(stepped, last)
		counted = append(counted, start.AddDate(0, i, 0))
	}
	say("Go, a month after the last", stepped)
	say("Go, n months after the first", counted)
}
GO
cat >probe.mjs <<'JS'
import { addMonths } from 'date-fns'
import { DateTime } from 'luxon'
import rrule from 'rrule'

const start = new Date('2026-01-31T00:00:00Z'), end = new Date('2027-01-31T00:00:00Z')
const say = (name, days) => {
  const said = days.filter(day => day <= end).map(day => day.toISOString().slice(5, 10))
  console.log(`${name}: ${said.length}: ${said.join(' ')}`)
}
say('rrule', new rrule.RRule({ freq: rrule.RRule.MONTHLY, dtstart: start, count: 13 }).all().slice(1))
const adds = { 'date-fns': (day, n) => addMonths(day, n), luxon: (day, n) => DateTime.fromJSDate(day, { zone: 'utc' }).plus({ months: n }).toJSDate() }
for (const [name, add] of Object.entries(adds)) {
  const months = Array.from({ length: 12 }, (_, i) => i + 1)
  let last = start
  say(`${name}, a month after the last`, months.map(() => { last = add(last, 1); return last }))
  say(`${name}, n months after the first`, months.map(n => add(start, n)))
}
JS
{ go mod init probe && go get github.com/teambition/rrule-go@v1.8.2; } 2>go.log || { cat go.log; exit 1; }
go list -m github.com/teambition/rrule-go
sqlite() { LD_LIBRARY_PATH=$tmp/root/usr/lib/x86_64-linux-gnu:$tmp/root/lib/x86_64-linux-gnu "$tmp/root/usr/bin/sqlite3" -init /dev/null :memory: "$1" 2>sqlite.log; }
{
	go run .
	node probe.mjs
	echo "sqlite, a month after the last: $(sqlite "with recursive days(day, i) as (values (date('2026-01-31'), 0) union all select date(day, '+1 month'), i + 1 from days where i < 12)
		select count(*) || ': ' || group_concat(substr(day, 6), ' ') from days where i > 0 and day <= '2027-01-31'")"
	echo "sqlite, n months after the first: $(sqlite "with recursive n(i) as (values (1) union all select i + 1 from n where i < 12)
		select count(*) || ': ' || group_concat(substr(date('2026-01-31', '+' || i || ' month'), 6), ' ') from n where date('2026-01-31', '+' || i || ' month') <= '2027-01-31'")"
} | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
rrule-go: 7: 03-31 05-31 07-31 08-31 10-31 12-31 01-31
Go, a month after the last: 11: 03-03 04-03 05-03 06-03 07-03 08-03 09-03 10-03 11-03 12-03 01-03
Go, n months after the first: 12: 03-03 03-31 05-01 05-31 07-01 07-31 08-31 10-01 10-31 12-01 12-31 01-31
rrule: 7: 03-31 05-31 07-31 08-31 10-31 12-31 01-31
date-fns, a month after the last: 12: 02-28 03-28 04-28 05-28 06-28 07-28 08-28 09-28 10-28 11-28 12-28 01-28
date-fns, n months after the first: 12: 02-28 03-31 04-30 05-31 06-30 07-31 08-31 09-30 10-31 11-30 12-31 01-31
luxon, a month after the last: 12: 02-28 03-28 04-28 05-28 06-28 07-28 08-28 09-28 10-28 11-28 12-28 01-28
luxon, n months after the first: 12: 02-28 03-31 04-30 05-31 06-30 07-31 08-31 09-30 10-31 11-30 12-31 01-31
sqlite, a month after the last: 11: 03-03 04-03 05-03 06-03 07-03 08-03 09-03 10-03 11-03 12-03 01-03
sqlite, n months after the first: 12: 03-03 03-31 05-01 05-31 07-01 07-31 08-31 10-01 10-31 12-01 12-31 01-31
SEEN
