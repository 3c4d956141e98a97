#!/usr/bin/env bash
# "The wallet had 13 dollars on the 28th" is true for one of three accounting programs each time: by the day's beginning, its end, or the line it stands on.
#
# Seen 2026-11-30 with Debian's hledger 1.25-2+b5, ledger 3.3.0-3 and python3-beancount 2.3.5-2+b1.
# Expected: an asserted balance, which is how books are held against a wallet, is that after all that the day has, or after all that stands above it. The
# journal is one file for hledger and Ledger, with a dollar of the 27th that came late and was written below. Ledger takes what stands above: 13. hledger
# goes by dates, and has the late dollar first: 12. There is no number that both accept, and Ledger's error ends the whole report. Beancount's
# "balance" is that before the day's first booking: of the 28th, 10 and then 9, whatever the day brought, so a check of the evening has the next
# day's date. So a gateway's export writes no assertions into a journal that is read by more than one program or goes on growing, gives
# balances at the end of a day that is over and dates them for Beancount a day later; and who books late breaks an old assertion in two
# of the three.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
mkdir -p lists/partial cache/archives/partial
apt=(apt-get -qq -o "Dir::State::lists=$tmp/lists" -o "Dir::Cache=$tmp/cache" -o APT::Sandbox::User=root)
"${apt[@]}" update
"${apt[@]}" download hledger=1.25-2+b5 ledger=3.3.0-3 libboost-python1.74.0 python3-beancount=2.3.5-2+b1 python3-dateutil python3-six python3-ply
for package in ./*.deb; do dpkg -x "$package" root; done
export PATH=$tmp/root/usr/bin:$PATH PYTHONPATH=$tmp/root/usr/lib/python3/dist-packages
LD_LIBRARY_PATH=$tmp/root/usr/lib/ledger:$(dirname "$(find "$tmp/root" -name 'libboost_python*')")
export LD_LIBRARY_PATH

# journal ASSERTED: a dollar of the 27th is booked after the 28th
journal() {
	cat >books.journal <<JOURNAL
2026-11-27 top-up
  assets:wallet  USD 10.00
  equity

2026-11-28 top-up
  assets:wallet  USD 5.00
  equity

2026-11-28 calls
  assets:wallet  USD -2.00 = USD $1.00
  equity

2026-11-27 a late call
  assets:wallet  USD -1.00
  equity
JOURNAL
}
# beancount DAY ASSERTED
beancount() {
	cat >books.beancount <<BEANCOUNT
2026-01-01 open Assets:Wallet
2026-01-01 open Equity:Own
2026-11-27 * "top-up"
  Assets:Wallet  10.00 USD
  Equity:Own
2026-11-28 * "top-up"
  Assets:Wallet  5.00 USD
  Equity:Own
2026-11-28 * "calls"
  Assets:Wallet  -2.00 USD
  Equity:Own
2026-11-$1 balance Assets:Wallet  $2.00 USD
2026-11-27 * "a late call"
  Assets:Wallet  -1.00 USD
  Equity:Own
BEANCOUNT
	python3 -c 'from beancount import loader; exit(bool(loader.load_file("books.beancount")[1]))'
}
holds() { "$@" >/dev/null 2>&1 && echo true || echo false; }
{
	hledger --version | cut -d, -f1
	ledger --version | head -1 | cut -d, -f1
	for dollars in 15 14 13 12 10 9; do
		journal "$dollars"
		echo "$dollars on the 28th: hledger $(holds hledger -f books.journal check), ledger $(holds ledger -f books.journal balance), beancount $(holds beancount 28 "$dollars"), beancount on the 29th $(holds beancount 29 "$dollars")"
	done
} | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
hledger 1.25
Ledger 3.3.0-20230208
15 on the 28th: hledger false, ledger false, beancount false, beancount on the 29th false
14 on the 28th: hledger false, ledger false, beancount false, beancount on the 29th false
13 on the 28th: hledger false, ledger true, beancount false, beancount on the 29th false
12 on the 28th: hledger true, ledger false, beancount false, beancount on the 29th true
10 on the 28th: hledger false, ledger false, beancount false, beancount on the 29th false
9 on the 28th: hledger false, ledger false, beancount true, beancount on the 29th false
SEEN
