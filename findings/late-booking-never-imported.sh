#!/usr/bin/env bash
# A booking that comes late, or first on its day, is never imported by hledger, and another one is booked twice in its place.
#
# Seen 2026-11-28 with Debian's hledger 1.25-2+b5.
# Expected: "hledger import" of a CSV file that has grown adds what is new and nothing else. It remembers no entries: only the newest
# date, and how many entries had it. A payment that is settled a day later with its own, earlier date is passed over for ever; one
# that is sorted before another of the newest date (by seller, by id) is passed over too, and the other, which was counted to
# be new, comes a second time. Both times it says "imported 1 new transactions" and ends with 0, and with a zero balance in
# both accounts nothing shows it. So an export for it must only be added to at its end, with dates that never go back, as of
# the booking and not of the request; or be whole each time, as a journal to include.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
mkdir -p lists/partial cache/archives/partial
apt=(apt-get -qq -o "Dir::State::lists=$tmp/lists" -o "Dir::Cache=$tmp/cache" -o APT::Sandbox::User=root)
"${apt[@]}" update
"${apt[@]}" download hledger=1.25-2+b5
for package in ./*.deb; do dpkg -x "$package" root; done
export PATH=$tmp/root/usr/bin:$PATH

cat >calls.csv.rules <<'RULES'
fields date,description,amount
account1 expenses:model
account2 assets:wallet
currency USD
RULES
touch books.journal
import() {
	cat >calls.csv
	echo "$1: $(hledger -f books.journal import calls.csv | grep -o 'imported.*\|no new.*')"
	hledger -f books.journal register expenses -O csv | tail -n +2 | cut -d, -f2,4,6 | tr -d '"' | sed 's/^/  /'
}
{
	hledger --version | cut -d, -f1
	import 'at first' <<'CSV'
2026-11-01,call one,0.003
2026-11-02,call two,0.004
CSV
	import 'one of yesterday and one of today have come' <<'CSV'
2026-11-01,call one,0.003
2026-11-01,call late,0.100
2026-11-02,call two,0.004
2026-11-03,call three,0.005
CSV
	import 'one more of today, which is sorted first' <<'CSV'
2026-11-01,call one,0.003
2026-11-01,call late,0.100
2026-11-02,call two,0.004
2026-11-03,call before,0.200
2026-11-03,call three,0.005
CSV
} | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
hledger 1.25
at first: imported 2 new transactions from calls.csv
  2026-11-01,call one,USD0.003
  2026-11-02,call two,USD0.004
one of yesterday and one of today have come: imported 1 new transactions from calls.csv
  2026-11-01,call one,USD0.003
  2026-11-02,call two,USD0.004
  2026-11-03,call three,USD0.005
one more of today, which is sorted first: imported 1 new transactions from calls.csv
  2026-11-01,call one,USD0.003
  2026-11-02,call two,USD0.004
  2026-11-03,call three,USD0.005
  2026-11-03,call three,USD0.005
SEEN
