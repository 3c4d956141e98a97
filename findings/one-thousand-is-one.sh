#!/usr/bin/env bash
# "USD 1,000" is one dollar in hledger's books and a thousand in Ledger's and Beancount's; hledger shows it as "1,000" all the same, and its check passes.
#
# Seen 2026-11-30 with Debian's hledger 1.25-2+b5, ledger 3.3.0-3 and python3-beancount 2.3.5-2+b1.
# Expected: a comma before three digits is what it looks like, or is refused where it could be either. hledger takes a single comma or point for the
# decimal mark, of each amount by itself, so that "1,000" is one, and "1,000.00" a thousand; and as it shows amounts with the mark that they were written
# with, the top-up looks right and only the sum is off: 1,000 less 0.25 is 0,750. It is whole amounts that are hit, which top-ups
# are and what is spent is not. "check" finds nothing, as both sides of the booking are wrong alike. A line "decimal-mark ." at the top is enough,
# or "commodity USD 1,000.00". So a gateway's export groups no digits, writes the cents of whole amounts, or says the mark in its first
# line, and who compares books with a wallet compares the balance and not the lines.
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

# books FIRST TOPUP: a top-up, and a quarter of a dollar that was spent
books() { printf '%s\n2026-11-28 top-up\n  assets:wallet  USD %s\n  equity\n\n2026-11-28 call\n  assets:wallet  USD -0.25\n  equity\n' "$1" "$2" >books.journal; }
beancount() {
	printf '2026-01-01 open Assets:Wallet\n2026-01-01 open Equity:Own\n2026-11-28 * "top-up"\n  Assets:Wallet  %s USD\n  Equity:Own\n2026-11-28 * "call"\n  Assets:Wallet  -0.25 USD\n  Equity:Own\n' "$1" >books.beancount
	python3 -c 'from beancount import loader
from beancount.core import realization
entries, errors, _ = loader.load_file("books.beancount")
wallet = realization.get(realization.realize(entries), "Assets:Wallet")
print("refused" if errors else str(wallet.balance).strip("()"))'
}
{
	hledger --version | cut -d, -f1
	ledger --version | head -1 | cut -d, -f1
	for amount in 1,000 1,000.00 1000 12,345,678; do
		books '' "$amount"
		hledger -f books.journal check && checked=passes || checked=fails
		echo "$amount: hledger's line $(hledger -f books.journal register assets -O csv | sed -n 2p | cut -d'"' -f12), sum $(hledger -f books.journal balance -N assets | xargs), check $checked; ledger $(ledger -f books.journal balance assets | xargs); beancount $(beancount "$amount")"
	done
	books 'decimal-mark .' 1,000
	echo "1,000 below \"decimal-mark .\": hledger $(hledger -f books.journal balance -N assets | xargs)"
	books 'commodity USD 1,000.00' 1,000
	echo "1,000 below \"commodity USD 1,000.00\": hledger $(hledger -f books.journal balance -N assets | xargs)"
} | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
hledger 1.25
Ledger 3.3.0-20230208
1,000: hledger's line USD 1,000, sum USD 0,750 assets:wallet, check passes; ledger USD 999.75 assets:wallet; beancount 999.75 USD
1,000.00: hledger's line USD 1000.00, sum USD 999.75 assets:wallet, check passes; ledger USD 999.75 assets:wallet; beancount 999.75 USD
1000: hledger's line USD 1000.00, sum USD 999.75 assets:wallet, check passes; ledger USD 999.75 assets:wallet; beancount 999.75 USD
12,345,678: hledger's line USD 12345678.00, sum USD 12,345,677.75 assets:wallet, check passes; ledger USD 12,345,677.75 assets:wallet; beancount 12345677.75 USD
1,000 below "decimal-mark .": hledger USD 999.75 assets:wallet
1,000 below "commodity USD 1,000.00": hledger USD 999.75 assets:wallet
SEEN
