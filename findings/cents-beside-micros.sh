#!/usr/bin/env bash
# A thousand calls at a third of a cent are free in Beancount's books, where a cent of fee stands beside each and the wallet's amount is left to be worked out.
#
# Seen 2026-11-30 with Debian's python3-beancount 2.3.5-2+b1, hledger 1.25-2+b5 and ledger 3.3.0-3.
# Expected: the amount that a transaction leaves out, its wallet's as a rule, is what makes it balance, to the last place; and so hledger and Ledger have it.
# Beancount rounds it by the amounts that are written beside it in that currency: to cents, where a fee has two places, and the price of a token, which has
# seven, isn't looked at. Without the fee nothing is rounded. What is left over is within what its check allows, by the same two places, so that the books are
# good in each of a thousand lines and off by 3.10 of 13.10 dollars in the end; the tokens are all there. The dollar amounts look as if somebody had written
# them. So an export for it leaves no amount out, and has six places in each amount of a currency, fees and top-ups too.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
mkdir -p lists/partial cache/archives/partial
apt=(apt-get -qq -o "Dir::State::lists=$tmp/lists" -o "Dir::Cache=$tmp/cache" -o APT::Sandbox::User=root)
"${apt[@]}" update
"${apt[@]}" download python3-beancount=2.3.5-2+b1 python3-dateutil python3-six python3-ply hledger=1.25-2+b5 ledger=3.3.0-3 libboost-python1.74.0
for package in ./*.deb; do dpkg -x "$package" root; done
export PATH=$tmp/root/usr/bin:$PATH PYTHONPATH=$tmp/root/usr/lib/python3/dist-packages
LD_LIBRARY_PATH=$tmp/root/usr/lib/ledger:$(dirname "$(find "$tmp/root" -name 'libboost_python*')")
export LD_LIBRARY_PATH

# books FEE: a thousand calls of 1,000 tokens each, with a fee beside them or without; the wallet's amount is left out
books() {
	for account in Expenses:Model Expenses:Fee Assets:Wallet; do echo "2026-01-01 open $account"; done >books.beancount
	for ((call = 1; call <= 1000; call++)); do
		printf '\n2026-01-02 * "call %d"\n  Expenses:Model  1000 TOK @ 0.0000031 USD\n' "$call"
		if [ -n "$1" ]; then echo "  Expenses:Fee  $1 USD"; fi
		echo '  Assets:Wallet'
	done | tee books.journal >>books.beancount
}
cat >read.py <<'PY'
from beancount import loader

entries, errors, _ = loader.load_file("books.beancount")
units = [posting.units for entry in entries if hasattr(entry, "postings") for posting in entry.postings if posting.account == "Assets:Wallet"]
print(f"Beancount: {sum(unit.number for unit in units)} USD in the wallet, {units[0].number} of the first call, {len(errors)} errors")
PY
echo "beancount $(python3 -c 'import beancount; print(beancount.__version__)'), $(hledger --version | cut -d, -f1), $(ledger --version | head -1 | cut -d, -f1)"
for fee in '' 0.01 0.010000; do
	books "$fee"
	echo "with a fee of ${fee:-nothing}"
	python3 read.py
	echo "hledger: $(hledger -f books.journal -c '1.0000000 USD' balance -N Assets:Wallet)"
	echo "Ledger: $(ledger -f books.journal --unround balance Assets:Wallet)"
done | sed 's/  */ /g' | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
with a fee of nothing
Beancount: -3.1000000 USD in the wallet, -0.0031000 of the first call, 0 errors
hledger: -3.1000000 USD Assets:Wallet
Ledger: USD-3.1 Assets:Wallet
with a fee of 0.01
Beancount: -10.00 USD in the wallet, -0.01 of the first call, 0 errors
hledger: -13.1000000 USD Assets:Wallet
Ledger: -13.10 USD Assets:Wallet
with a fee of 0.010000
Beancount: -13.100000 USD in the wallet, -0.013100 of the first call, 0 errors
hledger: -13.1000000 USD Assets:Wallet
Ledger: -13.100000 USD Assets:Wallet
SEEN
