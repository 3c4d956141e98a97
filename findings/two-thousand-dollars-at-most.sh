#!/usr/bin/env bash
# 3,500 dollars in millionths, added up by Debian's own awk, are "3.5e+09", and by "%d" they are 2,147 dollars, or minus 2,147 where awk is busybox; gawk has them right.
#
# Seen 2026-11-30 with Debian's mawk 1.3.4.20200120-3.1, gawk 1:5.2.1-2, original-awk 2022-09-12-1, busybox 1:1.35.0-4+deb12u1+b1, datamash 1.7-2, miller 6.6.0-2+b3 and jq 1.6-2.1+deb12u3.
# Expected: a sum of whole numbers is written as a whole number, which is what the one line is used for with which everybody adds up a log, {s += $1} END {print s}; it is so where
# awk is gawk, as on other systems. Debian's awk is mawk: it takes a number for whole up to 2^31, writes six digits of a larger one, and where somebody has
# learned of that and says "%d", it ends at 2147483647, an amount like any other and no error: 2,147.48 dollars for whatever is more. Busybox, the awk of small
# containers, writes the sum whole and has the least of 32 bits for %d (on amd64). Dollars with a fraction have six digits with all four: 12345.7. A test has small numbers, and a member's day is below both; the sum of a month isn't, and a
# script that compares it with a limit of 3,000 dollars by what awk has written never sees it reached. miller, datamash and jq have all of it right.
# So who adds up a gateway's log says "%.0f" for millionths and "%.6f" for dollars, or takes one of the three.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
mkdir -p lists/partial cache/archives/partial
apt=(apt-get -qq -o "Dir::State::lists=$tmp/lists" -o "Dir::Cache=$tmp/cache" -o APT::Sandbox::User=root)
"${apt[@]}" update
"${apt[@]}" download mawk=1.3.4.20200120-3.1 gawk=1:5.2.1-2 libsigsegv2 original-awk=2022-09-12-1 busybox=1:1.35.0-4+deb12u1+b1 datamash=1.7-2 miller=6.6.0-2+b3 \
	jq=1.6-2.1+deb12u3 libjq1=1.6-2.1+deb12u3 libonig5
for package in ./*.deb; do
	dpkg -x "$package" root
	dpkg-deb -W --showformat '${Package} ${Version}\n' "$package"
done
export LD_LIBRARY_PATH=$tmp/root/usr/lib/x86_64-linux-gnu LC_ALL=C
bin=$tmp/root/usr/bin

# millionths and dollars of two calls
printf '%s\n' '2000000000 6172.839506' '1500000000 6172.839506' >log
{
	for awk in mawk gawk original-awk busybox; do
		run=("$bin/$awk")
		[ "$awk" != busybox ] || run=("$tmp/root/bin/busybox" awk)
		echo "$awk: $("${run[@]}" '{ s += $1; d += $2 } END { print s " " d; printf "%%d %d, %%.0f %.0f, %%.6f %.6f\n", s, s, d }' log | paste -sd ' ')"
	done
	echo "datamash: $("$bin/datamash" -W sum 1 sum 2 <log | tr '\t' ' ')"
	echo "miller: $("$bin/mlr" --inidx --ifs ' ' --onidx stats1 -a sum -f 1,2 log)"
	echo "jq: $("$bin/jq" -R 'split(" ") | map(tonumber)' log | "$bin/jq" -s -r '"\(map(.[0]) | add) \(map(.[1]) | add)"')"
} | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
mawk: 3.5e+09 12345.7 %d 2147483647, %.0f 3500000000, %.6f 12345.679012
gawk: 3500000000 12345.7 %d 3500000000, %.0f 3500000000, %.6f 12345.679012
original-awk: 3500000000 12345.7 %d 3500000000, %.0f 3500000000, %.6f 12345.679012
busybox: 3500000000 12345.7 %d -2147483648, %.0f 3500000000, %.6f 12345.679012
datamash: 3500000000 12345.679012
miller: 3500000000 12345.679012
jq: 3500000000 12345.679012
SEEN
