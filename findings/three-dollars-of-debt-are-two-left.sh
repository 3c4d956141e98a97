#!/usr/bin/env bash
# A member's balance that goes from 5 dollars to minus 3 is 2 dollars to statsd, told again it is minus 1, then minus 4, and more by each minute, whichever of four clients tells it by "gauge".
#
# Seen 2026-12-01 with statsd 0.9.0, hot-shots 17.1.1, node-statsd 0.1.1 (Node 20.20), github.com/DataDog/datadog-go/v5 5.9.1 and github.com/cactus/go-statsd-client/v5 5.1.0 (Go 1.26).
# Expected: a gauge is what something is at the moment, so that telling -3 three times is -3; a change has a call of its own, as cactus has one (GaugeDelta). On the line a number with a sign, "balance:-3|g", is a change, and there is no way to write
# that something is below zero but to write 0 first and the change then. All four clients write the number as it is. A balance that is never below zero is right for years; the first member who owes something, as one does whose long answer
# was dearer than what was held for it, has money left on the page that is to tell of it, and no alarm at "below zero" comes with the first telling. Where a balance is told each ten seconds it falls by the debt each time, and an alarm that comes then has an amount that
# nobody owes. The next top-up sets it right, and so the cause is gone when someone looks. So an amount that may be below zero is told as two gauges, what is left and what is owed, or not by statsd.
set -euo pipefail
tmp=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; wait; rm -rf "$tmp"' EXIT
cd "$tmp"
export GOMODCACHE=$tmp/modules GOFLAGS='-modcacherw -trimpath'
npm install --silent --no-audit --no-fund --ignore-scripts statsd@0.9.0 hot-shots@17.1.1 node-statsd@0.1.1
npm ls --depth=0
echo "{ port: 22870, address: '127.0.0.1', mgmt_port: 22871, mgmt_address: '127.0.0.1', backends: [], flushInterval: 600000 }" >config.js
node node_modules/statsd/stats.js config.js >statsd.log &

cat >main.go <<'GO'
package main

import (
	"os"
	"strconv"

	"github.com/DataDog/datadog-go/v5/statsd"
	cactus "github.com/cactus/go-statsd-client/v5/statsd"
)

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func main() {
	dollars := must(strconv.ParseInt(os.Args[1], 10, 64))
	datadog := must(statsd.New("127.0.0.1:22870", statsd.WithoutTelemetry(), statsd.WithoutOriginDetection()))
	if err := datadog.Gauge("datadog-go", float64(dollars), nil, 1); err != nil {
		panic(err)
	}
	if err := datadog.Close(); err != nil {
		panic(err)
	}
	other := must(cactus.NewClientWithConfig(&cactus.ClientConfig{Address: "127.0.0.1:22870"}))
	if err := other.Gauge("cactus", dollars, 1); err != nil {
		panic(err)
	}
	if err := other.Close(); err != nil {
		panic(err)
	}
}
GO
{ go mod init probe && go get github.com/DataDog/datadog-go/v5@v5.9.1 github.com/cactus/go-statsd-client/v5@v5.1.0 && go get . && go build -o tell .; } 2>go.log || { cat go.log; exit 1; }
go list -m github.com/DataDog/datadog-go/v5 github.com/cactus/go-statsd-client/v5
cat >probe.mjs <<'JS'
import { execFileSync } from 'node:child_process'
import { createRequire } from 'node:module'
import net from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import HotShots from 'hot-shots'

const NodeStatsd = createRequire(import.meta.url)('node-statsd')
const hotShots = new HotShots({ host: '127.0.0.1', port: 22870 })
const nodeStatsd = new NodeStatsd('127.0.0.1', 22870)

// What statsd says of itself and its gauges, by its own port for that.
const ask = what => new Promise((resolve, reject) => {
  let said = ''
  const socket = net.connect(22871, '127.0.0.1', () => socket.write(`${what}\n`)).on('error', reject)
  socket.on('data', more => {
    said += more
    if (said.includes('END')) socket.end()
  }).on('close', () => resolve(said))
})
for (let tries = 0; ; tries++) {
  try {
    await ask('gauges')
    break
  } catch (error) {
    if (tries > 100) throw error
    await sleep(100)
  }
}
const received = async () => Number(/packets_received: (\d+)/.exec(await ask('counters'))?.[1])
let told = 0
for (const dollars of [10, 5, -3, -3, -3, 7]) {
  hotShots.gauge('hot-shots', dollars)
  nodeStatsd.gauge('node-statsd', dollars)
  execFileSync('./tell', [String(dollars)])
  told += 4
  for (let i = 0; i < 100 && await received() < told; i++) await sleep(100)
  const gauges = Object.fromEntries([...(await ask('gauges')).matchAll(/'?([a-z-]+)'?: (-?\d+)/g)].map(([, name, value]) => [name, value]))
  const all = ['hot-shots', 'node-statsd', 'datadog-go', 'cactus'].map(name => `${name} ${gauges[name]}`)
  console.log(`told ${dollars}: ${all.join(', ')}`)
}
process.exit()
JS
node probe.mjs | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
told 10: hot-shots 10, node-statsd 10, datadog-go 10, cactus 10
told 5: hot-shots 5, node-statsd 5, datadog-go 5, cactus 5
told -3: hot-shots 2, node-statsd 2, datadog-go 2, cactus 2
told -3: hot-shots -1, node-statsd -1, datadog-go -1, cactus -1
told -3: hot-shots -4, node-statsd -4, datadog-go -4, cactus -4
told 7: hot-shots 7, node-statsd 7, datadog-go 7, cactus 7
SEEN
