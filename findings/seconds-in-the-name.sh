#!/usr/bin/env bash
# OpenTelemetry's Prometheus exporters name the same instrument in two ways: with its unit in Go and without it in Node, money included.
#
# Seen 2026-11-28 with go.opentelemetry.io/otel/exporters/prometheus 0.69.0, sdk/metric 1.47.0 (Go 1.26), @opentelemetry/exporter-prometheus
# 0.223.0 and sdk-metrics 2.12.1 (Node 20.20; 0.301.0, which wants a newer Node, has the same names), both as they come.
# Expected: gen_ai.client.operation.duration, which has its name and unit from a standard, is one metric in Prometheus, whatever its
# program is written in. It is two: _seconds is at its end in Go alone, as are _bytes and _ratio, and a currency, which no list of units
# knows, stands in the middle of the counter's name with its capitals. A unit in braces is left out by both. So a dashboard or a
# limit on spending made with the one's metrics sees nothing of the other, and "nothing" is no alarm. Who has both asks for
# both names, or writes the unit into the instrument's own name and gives none.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
export GOMODCACHE=$tmp/modules GOFLAGS='-modcacherw -trimpath'
npm install --silent --no-audit --no-fund --ignore-scripts @opentelemetry/exporter-prometheus@0.223.0 @opentelemetry/sdk-metrics@2.12.1 \
	@opentelemetry/api@1.9.1
npm ls --depth=0

cat >main.go <<'GO'
package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/metric"
	sdk "go.opentelemetry.io/otel/sdk/metric"
)

func try[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func main() {
	ctx := context.Background()
	meter := sdk.NewMeterProvider(sdk.WithReader(try(prometheus.New()))).Meter("probe")
	try(meter.Float64Histogram("gen_ai.client.operation.duration", metric.WithUnit("s"))).Record(ctx, 1.5)
	try(meter.Int64Histogram("gen_ai.client.token.usage", metric.WithUnit("{token}"))).Record(ctx, 100)
	try(meter.Float64Counter("money.spent", metric.WithUnit("USD"))).Add(ctx, 1)
	try(meter.Int64Counter("money.spent.usd")).Add(ctx, 1)
	try(meter.Float64UpDownCounter("money.held", metric.WithUnit("USD"))).Add(ctx, 1)
	try(meter.Float64Gauge("cache.share", metric.WithUnit("1"))).Record(ctx, 0.5)
	try(meter.Int64Gauge("body.size", metric.WithUnit("By"))).Record(ctx, 5)
	server := httptest.NewServer(promhttp.Handler())
	answer := try(http.Get(server.URL))
	fmt.Print(string(try(io.ReadAll(answer.Body))))
}
GO
go mod init probe 2>/dev/null
go get go.opentelemetry.io/otel/exporters/prometheus@v0.69.0 go.opentelemetry.io/otel/sdk/metric@v1.47.0 \
	github.com/prometheus/client_golang/prometheus/promhttp@v1.24.1 2>/dev/null
go list -m go.opentelemetry.io/otel/exporters/prometheus go.opentelemetry.io/otel/sdk/metric

cat >probe.mjs <<'JS'
import { PrometheusExporter, PrometheusSerializer } from '@opentelemetry/exporter-prometheus'
import { MeterProvider } from '@opentelemetry/sdk-metrics'

const exporter = new PrometheusExporter({ preventServerStart: true })
const meter = new MeterProvider({ readers: [exporter] }).getMeter('probe')
meter.createHistogram('gen_ai.client.operation.duration', { unit: 's' }).record(1.5)
meter.createHistogram('gen_ai.client.token.usage', { unit: '{token}' }).record(100)
meter.createCounter('money.spent', { unit: 'USD' }).add(1)
meter.createCounter('money.spent.usd').add(1)
meter.createUpDownCounter('money.held', { unit: 'USD' }).add(1)
meter.createGauge('cache.share', { unit: '1' }).record(0.5)
meter.createGauge('body.size', { unit: 'By' }).record(5)
const { resourceMetrics } = await exporter.collect()
console.log(new PrometheusSerializer().serialize(resourceMetrics))
JS
names() { sed -n 's/^# TYPE \([^ ]*\) .*/\1/p' | grep -E '^(gen_ai|money|cache|body)' | LC_ALL=C sort; }
go run . >go.txt
node probe.mjs >node.txt
{
	echo 'Go:' && names <go.txt
	echo 'Node:' && names <node.txt
} | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
Go:
body_size_bytes
cache_share_ratio
gen_ai_client_operation_duration_seconds
gen_ai_client_token_usage
money_held_USD
money_spent_USD_total
money_spent_usd_total
Node:
body_size
cache_share
gen_ai_client_operation_duration
gen_ai_client_token_usage
money_held
money_spent_total
money_spent_usd_total
SEEN
