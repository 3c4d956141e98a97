#!/usr/bin/env bash
# Beancount's check lets a transaction pass that is off by four per cent, if its zeros have been trimmed.
#
# Seen 2026-11-27 with Debian's python3-beancount 2.3.5-2+b1.
# How far a transaction may be off is inferred from the digits of its amounts, half a unit of the last place, and the
# coarsest amount with a decimal point decides. So a micro-dollar too much is found where all amounts have six places, and in
# whole dollars too, as a number without a point says nothing. But "1.2" says that 0.05 is nothing, and with it
# -1.150001 balances. "1.20" would let 0.005 pass. An export that trims zeros takes away, entry by entry and by
# chance, what the check is there for: write all six places, always.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
mkdir -p lists/partial cache/archives/partial
apt=(apt-get -qq -o "Dir::State::lists=$tmp/lists" -o "Dir::Cache=$tmp/cache" -o APT::Sandbox::User=root)
"${apt[@]}" update
"${apt[@]}" download python3-beancount=2.3.5-2+b1 python3-dateutil python3-six python3-ply
for package in ./*.deb; do dpkg -x "$package" root; done
export PYTHONPATH=$tmp/root/usr/lib/python3/dist-packages

entry() { printf '2026-01-02 * "%s and %s"\n  Expenses:Model  %s USD\n  Assets:Wallet  %s USD\n\n' "$1" "$2" "$1" "$2"; }
{
	printf '2026-01-01 open Expenses:Model\n2026-01-01 open Assets:Wallet\n\n'
	entry 1.200000 -1.199999
	entry 1 -0.999999
	entry 1.20 -1.195001
	entry 1.2 -1.150001
	entry 1.2 -1.149999
} >books.beancount
cat >check.py <<'PY'
import beancount
from beancount import loader

print("beancount", beancount.__version__)
entries, errors, _ = loader.load_file("books.beancount")
bad = {error.entry.narration for error in errors}
for entry in entries:
    if hasattr(entry, "narration"):
        print(f"{entry.narration}: {'does not balance' if entry.narration in bad else 'balances'}")
PY
python3 check.py | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
beancount 2.3.5
1.200000 and -1.199999: does not balance
1 and -0.999999: does not balance
1.20 and -1.195001: balances
1.2 and -1.150001: balances
1.2 and -1.149999: does not balance
SEEN
