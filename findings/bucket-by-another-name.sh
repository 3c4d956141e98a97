#!/usr/bin/env bash
# The bucket that /metrics shows as le="1000" is le="1000.0" to Prometheus, the next one is le="1e+06" to both, and a counter is none.
#
# Seen 2026-11-28 with github.com/prometheus/client_golang 1.24.1 (Go 1.26) and Debian's prometheus 2.42.0+ds-5+deb12u1.
# With EnableOpenMetrics the handler writes another format for Prometheus, which asks for it, than for curl. In that one whole
# numbers get ".0", so a rule made from what curl shows, with le="1000", finds nothing and reports no error; from 1e+06
# on, where token counts and micro-dollars lie, the exponent stays as it is. And a counter whose name lacks "_total"
# is a counter to curl and of unknown type to Prometheus.
set -euo pipefail
tmp=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; wait; rm -rf "$tmp"' EXIT
cd "$tmp"
export GOMODCACHE=$tmp/modules GOFLAGS='-modcacherw -trimpath'
mkdir -p lists/partial cache/archives/partial
apt=(apt-get -qq -o "Dir::State::lists=$tmp/lists" -o "Dir::Cache=$tmp/cache" -o APT::Sandbox::User=root)
"${apt[@]}" update
"${apt[@]}" download prometheus=2.42.0+ds-5+deb12u1
dpkg -x prometheus_*.deb root

cat >main.go <<'GO'
package main

import (
	"log"
	"net"
	"net/http"
	"os"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

func main() {
	registry := prometheus.NewRegistry()
	spent := prometheus.NewCounter(prometheus.CounterOpts{Name: "spent_micros", Help: "Money spent."})
	size := prometheus.NewHistogram(prometheus.HistogramOpts{Name: "prompt_tokens", Help: "Tokens.", Buckets: []float64{1000, 1000000}})
	registry.MustRegister(spent, size)
	spent.Add(3)
	size.Observe(5)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	if err := os.WriteFile("target", []byte(listener.Addr().String()), 0o600); err != nil {
		log.Fatal(err)
	}
	log.Fatal(http.Serve(listener, promhttp.HandlerFor(registry, promhttp.HandlerOpts{EnableOpenMetrics: true})))
}
GO
go mod init probe 2>/dev/null
go get github.com/prometheus/client_golang/prometheus/promhttp@v1.24.1 2>/dev/null
go list -m github.com/prometheus/client_golang
go build -o probe .
./probe &
until [ -s target ]; do sleep 0.1; done

cat >prometheus.yml <<YAML
scrape_configs:
  - {job_name: x, scrape_interval: 1s, static_configs: [{targets: ["$(cat target)"]}]}
YAML
own=127.0.0.1:$((20000 + RANDOM % 10000))
root/usr/bin/prometheus --config.file=prometheus.yml --storage.tsdb.path=data --web.listen-address=$own 2>log &
ask() { curl -sG "http://$own/api/v1/query" --data-urlencode "query=$1"; }
for _ in $(seq 300); do ask prompt_tokens_count | grep -q '"value"' && break || sleep 0.2; done
{
	curl -s "http://$(cat target)" | grep -E '_bucket|TYPE spent'
	for le in 1000 1000.0 1e+06 1000000 1000000.0; do
		echo "Prometheus, le=\"$le\": $(ask "prompt_tokens_bucket{le=\"$le\"}" | grep -c '"value"' || true) found"
	done
	echo "Prometheus, TYPE spent_micros: $(curl -s "http://$own/api/v1/targets/metadata?metric=spent_micros" | grep -o '"type":"[a-z]*"')"
} | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
prompt_tokens_bucket{le="1000"} 1
prompt_tokens_bucket{le="1e+06"} 1
prompt_tokens_bucket{le="+Inf"} 1
# TYPE spent_micros counter
Prometheus, le="1000": 0 found
Prometheus, le="1000.0": 1 found
Prometheus, le="1e+06": 1 found
Prometheus, le="1000000": 0 found
Prometheus, le="1000000.0": 0 found
Prometheus, TYPE spent_micros: "type":"unknown"
SEEN
