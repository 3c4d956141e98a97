#!/usr/bin/env bash
# Of 2,500 keys, models and sellers that money is counted by, 501 are one without a name to OpenTelemetry, and which ones goes by who came first.
#
# Seen 2026-11-30 with go.opentelemetry.io/otel/sdk/metric 1.47.0, github.com/prometheus/client_golang 1.24.1 (Go 1.26), @opentelemetry/sdk-metrics 2.12.1,
# @opentelemetry/exporter-prometheus 0.223.0 and prom-client 15.1.3 (Node 20.20), none with an option.
# Expected: a counter has a row for each set of labels that it was given, as with Prometheus' own libraries, or refuses one aloud. OpenTelemetry's have 2,000
# rows: from the 2,000th set on whatever is added goes to one row, labelled otel.metric.overflow and nothing else, with no word in any log. 25 members, 20
# models and 5 sellers are 2,500 sets. The sum of all is right, so that a comparison with the bill finds nothing, while the members who came last have spent
# nothing: a limit or an alarm on a member's dollars never comes for them, and after a restart it is others. A smaller team, or a test, has no overflow. So
# money for each member, model and seller is not a metric but a ledger's; where it is one all the same, a view has to raise the limit, and an alarm to look for
# that label.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
export GOMODCACHE=$tmp/modules GOFLAGS='-modcacherw -trimpath'
npm install --silent --no-audit --no-fund --ignore-scripts @opentelemetry/exporter-prometheus@0.223.0 @opentelemetry/sdk-metrics@2.12.1 @opentelemetry/api@1.9.1 \
	prom-client@15.1.3
npm ls --depth=0

cat >probe.mjs <<'JS'
import { PrometheusExporter } from '@opentelemetry/exporter-prometheus'
import { MeterProvider } from '@opentelemetry/sdk-metrics'
import prom from 'prom-client'

const exporter = new PrometheusExporter({ preventServerStart: true })
const counter = new MeterProvider({ readers: [exporter] }).getMeter('m').createCounter('spent_dollars')
const own = new prom.Counter({ name: 'spent_dollars_total', help: 'h', labelNames: ['member', 'model', 'seller'] })
for (let call = 0; call < 2; call++)
  for (let member = 1; member <= 25; member++)
    for (let model = 1; model <= 20; model++)
      for (let seller = 1; seller <= 5; seller++) {
        const labels = { member: `member-${member}`, model: `model-${model}`, seller: `seller-${seller}` }
        counter.add(1, labels)
        own.inc(labels)
      }
let page = ''
await new Promise(done => exporter.getMetricsRequestHandler(null, { statusCode: 0, setHeader() {}, end(text) { page = text; done() } }))
for (const [name, text] of [['OpenTelemetry, Node', page], ['prom-client', await prom.register.metrics()]]) {
  const rows = text.split('\n').filter(line => line.startsWith('spent_dollars_total{')).map(line => [line, Number(line.match(/} (\d+)/)[1])])
  const sum = part => rows.filter(([line]) => line.includes(part)).reduce((all, [, dollars]) => all + dollars, 0)
  console.log(`${name}: ${rows.length} rows, $${sum('')}; member 1 $${sum('"member-1"')}, member 20 $${sum('"member-20"')}, member 21 $${sum('"member-21"')}; nobody's $${sum('overflow')}`)
}
JS
cat >main.go <<'GO'
package main

import (
	"context"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	sdk "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
)

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func main() {
	ctx := context.Background()
	reader := sdk.NewManualReader()
	counter, err := sdk.NewMeterProvider(sdk.WithReader(reader)).Meter("m").Int64Counter("spent_dollars")
	check(err)
	registry := prometheus.NewRegistry()
	own := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "spent_dollars_total", Help: "h"}, []string{"member", "model", "seller"})
	check(registry.Register(own))
	for range 2 {
		for member := range 25 {
			for model := range 20 {
				for seller := range 5 {
					labels := []string{fmt.Sprint("member-", member+1), fmt.Sprint("model-", model+1), fmt.Sprint("seller-", seller+1)}
					counter.Add(ctx, 1, metric.WithAttributes(attribute.String("member", labels[0]), attribute.String("model", labels[1]), attribute.String("seller", labels[2])))
					own.WithLabelValues(labels...).Inc()
				}
			}
		}
	}
	say := func(name string, rows int, dollars map[string]int64) {
		all := int64(0)
		for _, some := range dollars {
			all += some
		}
		fmt.Printf("%s: %d rows, $%d; member 1 $%d, member 20 $%d, member 21 $%d; nobody's $%d\n", name, rows, all, dollars["member-1"], dollars["member-20"], dollars["member-21"], dollars[""])
	}
	var metrics metricdata.ResourceMetrics
	check(reader.Collect(ctx, &metrics))
	dollars := map[string]int64{}
	points := metrics.ScopeMetrics[0].Metrics[0].Data.(metricdata.Sum[int64]).DataPoints
	for _, point := range points {
		member, _ := point.Attributes.Value("member")
		dollars[member.AsString()] += point.Value
	}
	say("OpenTelemetry, Go", len(points), dollars)
	families, err := registry.Gather()
	check(err)
	dollars = map[string]int64{}
	for _, row := range families[0].GetMetric() {
		dollars[row.GetLabel()[0].GetValue()] += int64(row.GetCounter().GetValue())
	}
	say("client_golang", len(families[0].GetMetric()), dollars)
}
GO
{
	go mod init probe
	go get go.opentelemetry.io/otel/sdk/metric@v1.47.0 github.com/prometheus/client_golang/prometheus@v1.24.1
} 2>go.log || { cat go.log; exit 1; }
go list -m go.opentelemetry.io/otel/sdk/metric github.com/prometheus/client_golang
{
	node probe.mjs
	go run .
} | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
OpenTelemetry, Node: 2000 rows, $5000; member 1 $200, member 20 $198, member 21 $0; nobody's $1002
prom-client: 2500 rows, $5000; member 1 $200, member 20 $200, member 21 $200; nobody's $0
OpenTelemetry, Go: 2000 rows, $5000; member 1 $200, member 20 $198, member 21 $0; nobody's $1002
client_golang: 2500 rows, $5000; member 1 $200, member 20 $200, member 21 $200; nobody's $0
SEEN
