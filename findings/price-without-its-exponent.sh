#!/usr/bin/env bash
# 15 cents a million tokens, with the price of one as a program prints it, are a dollar and a half for each in Ledger's price list.
#
# Seen 2026-11-29 with Debian's ledger 3.3.0-3, hledger 1.25-2+b5 and python3-beancount 2.3.5-2+b1 (and Node 20.20, which writes the price).
# Expected: 0.00000015 and 1.5e-7 are one number, or the second is an error. hledger reads it. Beancount refuses it, and so does Ledger where
# it is what was paid for a token. But of a "P" line, which is how market prices get into Ledger, it reads the digits up to the
# "e" and leaves the rest alone: with the currency before it, 100 million tokens are worth 150 million dollars and not 15, without a word; with
# the currency behind it the price is in a commodity "e" that nobody has declared. Below a millionth of a dollar, where the prices of
# small models lie, JavaScript writes each number so by itself. So who writes prices of a
# token for these programs has to write all places, by a decimal type or a format of fixed places, and check a list by the cheapest of it.
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

# worth PROGRAM PRICE: what 100 million tokens are worth by a price list that has PRICE for one
worth() {
	printf 'P 2026-01-01 TOK %s\n\n2026-01-02 call\n  tokens  100000000 TOK\n  seller\n' "$2" >prices.journal
	local out
	out=$("$1" -f prices.journal balance -V tokens 2>&1) || { echo refused && return; }
	head -1 <<<"$out" | sed 's/ *tokens$//' | xargs
}
# paid PROGRAM PRICE: the same where PRICE is what was paid for each token
paid() {
	printf '2026-01-02 call\n  tokens  100000000 TOK @ %s\n  seller\n' "$2" >paid.journal
	local out
	out=$("$1" -f paid.journal balance -B tokens 2>&1) || { echo refused && return; }
	head -1 <<<"$out" | sed 's/ *tokens$//' | xargs
}
short=$(node -p '0.15 / 1e6')
{
	ledger --version | grep -o '3\.3\.[0-9]*' | sed 's/^/ledger /'
	hledger --version | cut -d, -f1
	/usr/bin/python3 -c 'import beancount; print("beancount", beancount.__version__)'
	for price in 0.00000015 "$short"; do
		echo "$price dollars a token:"
		for program in ledger hledger; do
			for written in "\$$price" "USD $price" "$price USD"; do
				echo "  $program, \"$written\": as a price $(worth "$program" "$written"), as a cost $(paid "$program" "$written")"
			done
		done
		printf '2026-01-01 price TOK %s USD\n' "$price" >prices.beancount
		echo "  beancount: $(/usr/bin/python3 -c '
from beancount import loader
entries, errors, _ = loader.load_file("prices.beancount")
print("refused" if errors else f"a price {entries[0].amount.number * 100000000:.2f}")')"
	done
} | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
ledger 3.3.0
hledger 1.25
beancount 2.3.5
0.00000015 dollars a token:
  ledger, "$0.00000015": as a price $15, as a cost $15
  ledger, "USD 0.00000015": as a price USD15, as a cost USD15
  ledger, "0.00000015 USD": as a price USD15, as a cost USD15
  hledger, "$0.00000015": as a price $15.00000000, as a cost $15.00000000
  hledger, "USD 0.00000015": as a price USD 15.00000000, as a cost USD 15.00000000
  hledger, "0.00000015 USD": as a price 15.00000000 USD, as a cost 15.00000000 USD
  beancount: a price 15.00
1.5e-7 dollars a token:
  ledger, "$1.5e-7": as a price $150000000, as a cost refused
  ledger, "USD 1.5e-7": as a price USD150000000, as a cost refused
  ledger, "1.5e-7 USD": as a price e150000000, as a cost refused
  hledger, "$1.5e-7": as a price $15.00000000, as a cost $15.00000000
  hledger, "USD 1.5e-7": as a price USD 15.00000000, as a cost USD 15.00000000
  hledger, "1.5e-7 USD": as a price 15.00000000 USD, as a cost 15.00000000 USD
  beancount: refused
SEEN
