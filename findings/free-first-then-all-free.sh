#!/usr/bin/env bash
# Calls for 2,100 dollars have cost nothing, and calls for 3,000 dollars 5,000, for DuckDB, which was given a log that begins with 25,000 free ones; and no error.
#
# Seen 2026-11-30 with @duckdb/node-api 1.5.6-r.1 (Node 20.20), and Debian's miller 6.6.0-2+b3 beside it.
# Expected: who finds the type of a column by looking at a file says so where a later line doesn't fit, or takes a wider one. DuckDB looks at the first 20,480 lines of a log:
# costs of 0 are whole numbers, and each later cost is made one, 0.42 is 0 and 0.60 is 1. A text in their place would be an error; a fraction is
# rounded, from JSON and from CSV alike. A month that begins with a free model, or with the calls of a cache, is free to its end, and another file of the same gateway,
# where a fraction comes earlier, is right to the cent: a test with a few lines always is. In CSV a call's id of digits and an e is a number, too, and two ids
# are one. miller, given the same lines, has the sum. With sample_size=-1 all lines are looked at, and with the columns' types given none. So a
# log that is made for such readers writes costs as whole millionths, or all of them with a point (0.0), and a report over months has its columns named.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts @duckdb/node-api@1.5.6-r.1
npm ls --depth=0
mkdir -p lists/partial cache/archives/partial
apt=(apt-get -qq -o "Dir::State::lists=$tmp/lists" -o "Dir::Cache=$tmp/cache" -o APT::Sandbox::User=root)
"${apt[@]}" update
"${apt[@]}" download miller=6.6.0-2+b3
dpkg -x miller_*.deb root
root/usr/bin/mlr --version

cat >probe.mjs <<'JS'
import { writeFileSync } from 'node:fs'
import { DuckDBInstance } from '@duckdb/node-api'

const duck = await (await DuckDBInstance.create()).connect()
const ask = async (what, from) => (await duck.runAndReadAll(`select ${what} from ${from}`)).getRowsJson()[0].join()
const dollars = 'sum(cost)::decimal(18, 2)'
for (const free of [1000, 25000]) {
  for (const cents of [42, 60]) {
    const calls = Array.from({ length: free + 5000 }, (_, i) => (i < free ? { cost: 0, id: `a${i}` } : { cost: cents / 100, id: `b${i}` }))
    writeFileSync(`${free}-${cents}.jsonl`, calls.map(call => JSON.stringify(call) + '\n').join(''))
    writeFileSync(`${free}-${cents}.csv`, 'cost,id\n' + calls.map(({ cost, id }) => `${cost},${id}\n`).join(''))
    const json = `'${free}-${cents}.jsonl'`, csv = `'${free}-${cents}.csv'`
    console.log(`${free} free, 5000 at ${cents} cents, duckdb: ${await ask(dollars, json)}, of csv ${await ask(dollars, csv)}, all looked at ${await ask(dollars, `read_json(${json}, sample_size=-1)`)}`)
  }
}
writeFileSync('ids.csv', 'cost,id\n1,12000\n2,12e3\n')
writeFileSync('ids.jsonl', '{"cost":1,"id":"12000"}\n{"cost":2,"id":"12e3"}\n')
console.log(`two ids, duckdb: ${await ask('count(distinct id)', "'ids.jsonl'")}, of csv ${await ask('count(distinct id)', "'ids.csv'")}`)
JS
{
	node probe.mjs
	for log in {1000,25000}-{42,60}; do
		echo "$log, miller: $(root/usr/bin/mlr --ijsonl --onidx --ofmt %.2f stats1 -a sum -f cost "$log.jsonl"), of csv $(root/usr/bin/mlr --icsv --onidx --ofmt %.2f stats1 -a sum -f cost "$log.csv")"
	done
} | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
1000 free, 5000 at 42 cents, duckdb: 2100.00, of csv 2100.00, all looked at 2100.00
1000 free, 5000 at 60 cents, duckdb: 3000.00, of csv 3000.00, all looked at 3000.00
25000 free, 5000 at 42 cents, duckdb: 0.00, of csv 0.00, all looked at 2100.00
25000 free, 5000 at 60 cents, duckdb: 5000.00, of csv 5000.00, all looked at 3000.00
two ids, duckdb: 2, of csv 1
1000-42, miller: 2100.00, of csv 2100.00
1000-60, miller: 3000.00, of csv 3000.00
25000-42, miller: 2100.00, of csv 2100.00
25000-60, miller: 3000.00, of csv 3000.00
SEEN
