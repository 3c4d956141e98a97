#!/usr/bin/env bash
# A cent that is taken off a counter of 100 dollars, as a settlement is below its estimate, is 99.99 dollars more for Prometheus and nothing for VictoriaMetrics, for which 12 are nothing, too, and 13 are 87 more.
#
# Seen 2026-12-01 with Debian's prometheus 2.42.0+ds-5+deb12u1 (promtool) and victoria-metrics 1.79.5+ds1-2+b5, a sample each minute for 20 minutes, increase() over them.
# Expected: that a counter which goes down is taken for one that began anew at zero is written of Prometheus, and the other is made to be asked as it is. But whoever counts what he holds, and corrects
# it when the bill comes, tries it with one of the two. VictoriaMetrics takes a fall of less than an eighth for no new beginning: a correction of a cent is not seen, nor is that 5 dollars came after it lost, 4.99 more than before: it says 5.
# From an eighth on it has what Prometheus has, so that the same panel is right for large sums with small corrections, for years, and shows the whole spending of a key once more on the day when a young key's call
# costs 13 of its 100 dollars less. Both count one reset, so an alert for resets() tells, and delta() has what was spent in both. So a gateway counts up alone, what is settled and
# not what is held; holds are a gauge, and a credit is a counter of its own, to be taken off when the two are asked.
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

# ten samples of the first value, one of the second, ten of the third
names=('a cent less than 100' 'a cent less, and 5 more' '12 less' '13 less' '50 less' 'all less but a cent' '5 more')
values=('100 99.99 99.99' '100 99.99 104.99' '100 88 88' '100 87 87' '100 50 50' '100 0.01 0.01' '100 105 105')
now=$(($(date +%s) / 60 * 60 - 3600))
for i in "${!names[@]}"; do
	read -r first then last <<<"${values[i]}"
	echo "      - {series: 'spent{who=\"$i\"}', values: '${first}x9 $then ${last}x9'}" >>series.yml
	for minute in {0..20}; do
		value=$last
		[ "$minute" -gt 10 ] || value=$then
		[ "$minute" -ge 10 ] || value=$first
		echo "spent{who=\"$i\"} $value $(((now + minute * 60) * 1000))"
	done >>samples
done
functions='increase delta resets'
{
	printf 'evaluation_interval: 1m\ntests:\n  - interval: 1m\n    input_series:\n%s\n    promql_expr_test:\n' "$(<series.yml)"
	for function in $functions; do echo "      - {expr: '$function(spent[20m])', eval_time: 20m}"; done
} >test.yml
root/usr/bin/promtool test rules test.yml >prometheus.log 2>&1 || true # it expects nothing, and tells what it has
prometheus() { grep -A2 "expr: \"$1" prometheus.log | grep -oE "who=\"$2\"\} [0-9.E+-]+" | sed 's/.* //' | xargs printf '%.2f'; }

address=http://127.0.0.1:$((20000 + RANDOM % 10000))/
root/usr/bin/victoria-metrics -storageDataPath=data -httpListenAddr="${address:7:-1}" -retentionPeriod=1y >victoria.log 2>&1 &
server=$!
until curl -s -o /dev/null "${address}health"; do kill -0 "$server"; sleep 0.1; done
curl -s --data-binary @samples "${address}api/v1/import/prometheus"
ask() { curl -s -G "${address}api/v1/query" --data-urlencode "query=$1(spent{who='$2'}[20m])" -d "time=$((now + 1200))" -d nocache=1 | grep -o '"[-0-9.]*"\]' | tr -d '"]'; }
for _ in {1..50}; do [ -z "$(ask increase 6)" ] || break; sleep 0.2; curl -s "${address}internal/force_flush"; done
{
	for i in "${!names[@]}"; do
		echo -n "${names[i]}:"
		for function in $functions; do printf ' %s %.2f and %.2f;' $function "$(prometheus $function "$i")" "$(ask $function "$i")"; done
		echo
	done
} | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
a cent less than 100: increase 99.99 and 0.00; delta -0.01 and -0.01; resets 1.00 and 1.00;
a cent less, and 5 more: increase 104.99 and 5.00; delta 4.99 and 4.99; resets 1.00 and 1.00;
12 less: increase 88.00 and 0.00; delta -12.00 and -12.00; resets 1.00 and 1.00;
13 less: increase 87.00 and 87.00; delta -13.00 and -13.00; resets 1.00 and 1.00;
50 less: increase 50.00 and 50.00; delta -50.00 and -50.00; resets 1.00 and 1.00;
all less but a cent: increase 0.01 and 0.01; delta -99.99 and -99.99; resets 1.00 and 1.00;
5 more: increase 5.00 and 5.00; delta 5.00 and 5.00; resets 0.00 and 0.00;
SEEN
