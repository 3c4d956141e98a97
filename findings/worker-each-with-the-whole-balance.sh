#!/usr/bin/env bash
# A balance of $10 is $40 in the metrics of a Node program with four workers, and a limit of 5 calls a second is 20.
#
# Seen 2026-11-28 with prom-client 15.1.3 (Node 20.20).
# Expected: a gauge is a state, so what four processes say of the same wallet, price or limit is one number, and prom-client's registry
# for clusters, which asks the workers and makes one page of their answers, can't know another. It adds: a gauge like a counter,
# unless it was made with another aggregator. An alarm at "less than $20 left" comes at $5, and the more workers, the later. In tests,
# where the program is a single process, the number is right. So money, prices and limits need "aggregator: 'first'", or one process
# alone that tells them: of workers that do not know the same, the first to answer need not know best.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts prom-client@15.1.3
npm ls --depth=0

cat >probe.cjs <<'JS'
const cluster = require('node:cluster')
const { AggregatorRegistry, Counter, Gauge, register } = require('prom-client')

const registry = new AggregatorRegistry()
const help = 'h'
const balance = new Gauge({ name: 'balance_dollars', help })
const limit = new Gauge({ name: 'limit_calls_per_second', help })
const told = new Gauge({ name: 'balance_dollars_first', help, aggregator: 'first' })
const calls = new Counter({ name: 'calls_total', help })
const work = () => {
  balance.set(10)
  limit.set(5)
  told.set(10)
  calls.inc()
}
const show = (name, text) => console.log(`${name}: ${text.split('\n').filter(line => line && !line.startsWith('#')).join(', ')}`)
if (cluster.isWorker) {
  work()
  process.send('ready')
} else {
  const workers = 4
  let ready = 0
  cluster.on('message', async (_, message) => {
    if (message !== 'ready' || ++ready < workers) return
    show(`${workers} workers`, await registry.clusterMetrics())
    work()
    show('one process', await register.metrics())
    process.exit()
  })
  for (let i = 0; i < workers; i++) cluster.fork()
}
JS
node probe.cjs | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
4 workers: balance_dollars 40, limit_calls_per_second 20, balance_dollars_first 10, calls_total 4
one process: balance_dollars 10, limit_calls_per_second 5, balance_dollars_first 10, calls_total 1
SEEN
