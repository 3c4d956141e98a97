#!/usr/bin/env bash
# Telling hledger or Ledger to show cents makes both accept books that do not balance by parts of a cent.
#
# Seen 2026-11-27 with Debian's hledger 1.25-2+b5 and ledger 3.3.0-3.
# A model's call for 0.003 is paid with 0.007. As it stands both programs refuse it. A user who includes the export from
# a journal with the usual line for his currency ("commodity 1000.00 USD"; Ledger: "format 1000.00 USD") gets
# "balanced": both round the sum to the places that are shown before they compare it with zero. The totals are then off by
# what was lost, here by a cent that stands nowhere in the books. Ledger takes no notice of hledger's form of the line.
# An export should declare its own commodity with six places, and its own check must not be left to theirs.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
mkdir -p lists/partial cache/archives/partial
apt=(apt-get -qq -o "Dir::State::lists=$tmp/lists" -o "Dir::Cache=$tmp/cache" -o APT::Sandbox::User=root)
"${apt[@]}" update
"${apt[@]}" download hledger=1.25-2+b5 ledger=3.3.0-3 libboost-python1.74.0
for package in ./*.deb; do dpkg -x "$package" root; done
export PATH=$tmp/root/usr/bin:$PATH
LD_LIBRARY_PATH=$tmp/root/usr/lib/ledger:$(dirname "$(find "$tmp/root" -name 'libboost_python*')")
export LD_LIBRARY_PATH

entry='2026-01-02 call
  expenses:model   0.003 USD
  assets:wallet   -0.007 USD'
printf '%s\n' "$entry" >plain.journal
printf 'commodity 1000.00 USD\n\n%s\n' "$entry" >commodity.journal
printf 'commodity USD\n  format 1000.00 USD\n\n%s\n' "$entry" >format.journal
total() {
	local program=$1 journal=$2 out
	if out=$("$program" -f "$journal.journal" balance 2>&1); then
		echo "$program, $journal: accepted, last line $(tail -1 <<<"$out" | xargs | cut -d' ' -f1,2)"
	else
		echo "$program, $journal: refused"
	fi
}
{
	hledger --version | cut -d, -f1
	ledger --version | head -1 | cut -d- -f1
	for journal in plain commodity format; do
		total hledger "$journal"
		total ledger "$journal"
	done
} | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
hledger 1.25
Ledger 3.3.0
hledger, plain: refused
ledger, plain: refused
hledger, commodity: accepted, last line -0.01 USD
ledger, commodity: refused
hledger, format: accepted, last line -0.01 USD
ledger, format: accepted, last line -0.01 USD
SEEN
