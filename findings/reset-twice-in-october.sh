#!/usr/bin/env bash
# The money that a member has for a day is set anew at half past two twice on the night when the clocks go back, for Go's usual cron, and not at all on the one when they go forward.
#
# Seen 2026-11-30 with github.com/robfig/cron/v3 3.0.1, github.com/adhocore/gronx 1.20.4 (Go 1.26), croner 11.0.1, cron-parser 5.10.6 and cron 4.4.0 (Node 20.20), asked when "30 2 * * *" and
# "0 * * * *" come next in Berlin; no clock is needed.
# Expected: what is to be done each day is done on each day, once, as Vixie's cron has it and as three of Node's do, in the spring at 3:00 or half past. robfig's
# skips the day in the spring, which its manual says of itself, and goes by the clock on the wall in the autumn, which has 2:30 twice. gronx skips it too, and has one of the
# two; but of a job for each hour it leaves out the first of the two hours, which is a full hour of money like any other. So a budget that is
# reset by such a job is given out twice on one night of the year, and on another yesterday's is what there is today; a bill for each
# day has a day of two parts and none for the other; and an export for each hour has a gap. It is so in whatever zone the container has, and not in a test, nor with
# UTC. So a day's money goes by the date of a call, worked out when it comes, and not by a job that has to run; where there is one, by UTC.
set -euo pipefail
tmp=$(mktemp -d)
trap 'chmod -R u+w "$tmp"; rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts croner@11.0.1 cron-parser@5.10.6 cron@4.4.0
npm ls --depth=0
export GOFLAGS=-mod=mod
cat >go.mod <<'MOD'
module probe

go 1.26

require (
	github.com/adhocore/gronx v1.20.4
	github.com/robfig/cron/v3 v3.0.1
)
MOD

cat >probe.mjs <<'JS'
import { CronTime } from 'cron'
import { CronExpressionParser } from 'cron-parser'
import { Cron } from 'croner'

const tz = 'Europe/Berlin'
const libraries = {
  croner: (job, after) => new Cron(job, { timezone: tz }).nextRun(after),
  'cron-parser': (job, currentDate) => CronExpressionParser.parse(job, { currentDate, tz }).next().toDate(),
  cron: (job, after) => new CronTime(job, tz).getNextDateFrom(after, tz).toJSDate(),
}
for (const line of process.argv.slice(2)) {
  const [job, from, to] = line.split(',')
  for (const [name, next] of Object.entries(libraries)) {
    const times = []
    for (let time = next(job, new Date(from)); time < new Date(to); time = next(job, time)) times.push(time.toISOString().slice(8, 16))
    console.log(`${job}, ${name}: ${times.length}, ${times.join(' ')}`)
  }
}
JS
cat >main.go <<'GO'
package main

import (
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/adhocore/gronx"
	"github.com/robfig/cron/v3"
)

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func main() {
	berlin := must(time.LoadLocation("Europe/Berlin"))
	for _, line := range os.Args[1:] {
		part := strings.Split(line, ",")
		from, to := must(time.Parse(time.RFC3339, part[1])).In(berlin), must(time.Parse(time.RFC3339, part[2]))
		for _, library := range []struct {
			name string
			next func(time.Time) time.Time
		}{
			{"robfig", must(cron.ParseStandard(part[0])).Next},
			{"gronx", func(after time.Time) time.Time { return must(gronx.NextTickAfter(part[0], after, false)) }},
		} {
			var times []string
			for next := library.next(from); next.Before(to); next = library.next(next) {
				times = append(times, next.UTC().Format("02T15:04"))
			}
			fmt.Printf("%s, %s: %d, %s\n", part[0], library.name, len(times), strings.Join(times, " "))
		}
	}
}
GO
go mod tidy >tidy.log 2>&1 || { cat tidy.log; exit 1; }
go build -o probe .
go version
go list -m all | grep -E 'gronx|robfig'
# two days with the night between them, in UTC: 2:30 in Berlin is 1:30 in the winter and 0:30 in the summer
spring='30 2 * * *,2027-03-26T12:00:00Z,2027-03-29T12:00:00Z' autumn='30 2 * * *,2026-10-23T12:00:00Z,2026-10-26T12:00:00Z'
hours='0 * * * *,2026-10-24T22:30:00Z,2026-10-25T02:30:00Z'
{
	for when in "$spring" "$autumn" "$hours"; do
		node probe.mjs "$when"
		./probe "$when"
	done
} | tee seen # of each: how often, and the days and times in UTC
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
30 2 * * *, croner: 3, 27T01:30 28T01:00 29T00:30
30 2 * * *, cron-parser: 3, 27T01:30 28T01:30 29T00:30
30 2 * * *, cron: 3, 27T01:30 28T01:00 29T00:30
30 2 * * *, robfig: 2, 27T01:30 29T00:30
30 2 * * *, gronx: 2, 27T01:30 29T00:30
30 2 * * *, croner: 3, 24T00:30 25T00:30 26T01:30
30 2 * * *, cron-parser: 3, 24T00:30 25T00:30 26T01:30
30 2 * * *, cron: 3, 24T00:30 25T00:30 26T01:30
30 2 * * *, robfig: 4, 24T00:30 25T00:30 25T01:30 26T01:30
30 2 * * *, gronx: 3, 24T00:30 25T01:30 26T01:30
0 * * * *, croner: 4, 24T23:00 25T00:00 25T01:00 25T02:00
0 * * * *, cron-parser: 4, 24T23:00 25T00:00 25T01:00 25T02:00
0 * * * *, cron: 4, 24T23:00 25T00:00 25T01:00 25T02:00
0 * * * *, robfig: 4, 24T23:00 25T00:00 25T01:00 25T02:00
0 * * * *, gronx: 3, 24T23:00 25T01:00 25T02:00
SEEN
