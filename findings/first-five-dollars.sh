#!/usr/bin/env bash
# The first 5 dollars of a key are 5 to VictoriaMetrics' increase(), the first 50 are nothing, 5 in millionths are nothing, and Prometheus has none of the three.
#
# Seen 2026-11-30 with Debian's prometheus 2.42.0+ds-5+deb12u1 (promtool) and victoria-metrics 1.79.5+ds1-2+b5.
# Expected: a counter that comes into being with a value, as one with a label for a new key, member or model does, has increased by it, or not, in both
# alike: the one is made to be asked as the other is. Prometheus has only what comes after the first sample. VictoriaMetrics begins at zero
# if the first value is less than ten times as much as the next increase and one more, else at the value: it is made to see what was just begun and not to
# count what a scrape has found grown up. So the number's unit decides: in dollars 5 are counted and 50 are not, in millionths nothing is, unless as much
# again comes with the next sample. The same panel shows other money for the same calls when either the server or the unit is changed, and
# each restart of the gateway loses the first call of each key again. increase_pure() has them all, in VictoriaMetrics alone. So a
# gateway writes its counters for whoever may come with a 0 before the first call, and a bill is read from a ledger.
set -euo pipefail
tmp=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; wait; rm -rf "$tmp"' EXIT
cd "$tmp"
mkdir -p lists/partial cache/archives/partial
apt=(apt-get -qq -o "Dir::State::lists=$tmp/lists" -o "Dir::Cache=$tmp/cache" -o APT::Sandbox::User=root)
"${apt[@]}" update
"${apt[@]}" download prometheus=2.42.0+ds-5+deb12u1 victoria-metrics=1.79.5+ds1-2+b5
for package in ./*.deb; do dpkg -x "$package" root; done
dpkg-deb -f prometheus_*.deb Version
dpkg-deb -f victoria-metrics_*.deb Version

# a sample a minute, of which the first ten are missing
declare -A spent=([5 dollars]='5 5' [50 dollars]='50 50' [5 dollars in millionths]='5000000 5000000' [50 dollars and 6 more]='50 56' [5 dollars after a 0]='0 5')
: >series.yml
now=$(($(date +%s) / 60 * 60 - 3600))
for who in "${!spent[@]}"; do
	read -r first then <<<"${spent[$who]}"
	echo "      - {series: 'spent{who=\"$who\"}', values: '_x10 $first ${then}x18'}" >>series.yml
	for minute in {11..30}; do
		echo "spent{who=\"$who\"} $([ "$minute" = 11 ] && echo "$first" || echo "$then") $(((now + minute * 60) * 1000))"
	done >>samples
done
printf 'evaluation_interval: 1m\ntests:\n  - interval: 1m\n    input_series:\n%s\n    promql_expr_test:\n      - {expr: "round(increase(spent[1h]))", eval_time: 30m}\n' "$(<series.yml)" >test.yml
root/usr/bin/promtool test rules test.yml >prometheus.log 2>&1 || true # it expects nothing, and tells what it has

address=http://127.0.0.1:$((20000 + RANDOM % 10000))/
root/usr/bin/victoria-metrics -storageDataPath=data -httpListenAddr="${address:7:-1}" -retentionPeriod=1y >victoria.log 2>&1 &
server=$!
until curl -s -o /dev/null "${address}health"; do kill -0 "$server"; sleep 0.1; done
curl -s --data-binary @samples "${address}api/v1/import/prometheus"
ask() { curl -s -G "${address}api/v1/query" --data-urlencode "query=$1(spent{who='$2'}[1h])" -d "time=$((now + 1800))" -d nocache=1 | grep -o '"[0-9.]*"\]' | tr -d '"]'; }
for _ in {1..50}; do [ -z "$(ask increase '5 dollars')" ] || break; sleep 0.2; curl -s "${address}internal/force_flush"; done
{
	for who in '5 dollars' '50 dollars' '5 dollars in millionths' '50 dollars and 6 more' '5 dollars after a 0'; do
		echo "$who: prometheus $(grep -oE "who=\"$who\"\} [0-9.E+-]+" prometheus.log | sed 's/.* //' | xargs printf '%.0f'), victoria-metrics $(ask increase "$who"), its increase_pure $(ask increase_pure "$who")"
	done
} | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
5 dollars: prometheus 0, victoria-metrics 5, its increase_pure 5
50 dollars: prometheus 0, victoria-metrics 0, its increase_pure 50
5 dollars in millionths: prometheus 0, victoria-metrics 0, its increase_pure 5000000
50 dollars and 6 more: prometheus 6, victoria-metrics 56, its increase_pure 56
5 dollars after a 0: prometheus 5, victoria-metrics 5, its increase_pure 5
SEEN
