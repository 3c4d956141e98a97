#!/usr/bin/env bash
# A budget for a month, "P1M", is one for a minute by three of five readers of durations, "1M" is by all five, and "1,5h" is fifteen hours for two.
#
# Seen 2026-11-30 with ms 2.1.3, @lukeed/ms 2.0.2, parse-duration 2.1.9, timestring 7.0.0, enhanced-ms 5.0.0 and iso8601-duration 2.1.4 (Node 20.20).
# Expected: what a reader of durations doesn't know is an error to it, or nothing. Periods of prices and budgets are written as ISO 8601 has them where they come from an API, "P1M",
# and as "1M" by whoever means a month by it, as a capital M does in many a format of dates. Three of the five take the letters that they know out of a text and leave the
# others alone: of "P1M" remains "1M", and M is m, a minute. The same way "1h30" is an hour for two of them, a half hour less, and "1,5h", as most of Europe writes it, is
# fifteen for two: the comma is taken for one between thousands. ms and @lukeed/ms have none of the three, and undefined is a timer of now for setTimeout; "1M" they
# have as a minute, too. "60" is 60 ms for four, where a config may mean seconds. A member's ten dollars a month are given
# out anew each minute then, and nothing of it is an error. "1 month" is one of 30.4 days where it is read. So a gateway's config has units of its own,
# refuses what it doesn't know to the last letter, and a budget goes by the calendar and not by a length.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts ms@2.1.3 @lukeed/ms@2.0.2 parse-duration@2.1.9 timestring@7.0.0 enhanced-ms@5.0.0 iso8601-duration@2.1.4
npm ls --depth=0

cat >probe.mjs <<'JS'
import { parse as lukeed } from '@lukeed/ms'
import { ms as enhanced } from 'enhanced-ms'
import { parse, toSeconds } from 'iso8601-duration'
import ms from 'ms'
import parseDuration from 'parse-duration'
import timestring from 'timestring'

const readers = {
  ms,
  '@lukeed/ms': lukeed,
  'parse-duration': parseDuration,
  timestring: text => timestring(text, 'ms'),
  'enhanced-ms': enhanced,
  'iso8601-duration': text => toSeconds(parse(text), new Date('2026-11-01T00:00:00Z')) * 1000,
}
for (const text of ['1m', '1M', 'P1M', '1 month', '1.5h', '1,5h', '1h30', '60']) {
  const read = Object.entries(readers).map(([name, reader]) => {
    let value
    try {
      value = reader(text)
    } catch {
      value = 'an error'
    }
    return `${name} ${typeof value === 'number' && value >= 1000 ? value / 1000 + ' s' : typeof value === 'number' ? value + ' ms' : value}`
  })
  console.log(`${text}: ${read.join(', ')}`)
}
JS
node probe.mjs | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
1m: ms 60 s, @lukeed/ms 60 s, parse-duration 60 s, timestring 60 s, enhanced-ms 60 s, iso8601-duration an error
1M: ms 60 s, @lukeed/ms 60 s, parse-duration 60 s, timestring 60 s, enhanced-ms 60 s, iso8601-duration an error
P1M: ms undefined, @lukeed/ms undefined, parse-duration 60 s, timestring 60 s, enhanced-ms 60 s, iso8601-duration 2592000 s
1 month: ms undefined, @lukeed/ms undefined, parse-duration 2629800 s, timestring 2629800 s, enhanced-ms 2628000 s, iso8601-duration an error
1.5h: ms 5400 s, @lukeed/ms 5400 s, parse-duration 5400 s, timestring 5400 s, enhanced-ms 5400 s, iso8601-duration an error
1,5h: ms undefined, @lukeed/ms undefined, parse-duration 54000 s, timestring 54000 s, enhanced-ms NaN ms, iso8601-duration an error
1h30: ms undefined, @lukeed/ms undefined, parse-duration 5400 s, timestring 3600 s, enhanced-ms 3600 s, iso8601-duration an error
60: ms 60 ms, @lukeed/ms 60 ms, parse-duration 60 ms, timestring 60 ms, enhanced-ms null, iso8601-duration an error
SEEN
