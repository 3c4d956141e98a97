#!/usr/bin/env bash
# 100 satoshis, written "s", are 1.7 of what millions of tokens are written with, "m", for Ledger, which adds the two up; for hledger they are two things.
#
# Seen 2026-11-30 with Debian's ledger 3.3.0-3 and hledger 1.25-2+b5.
# Expected: a commodity is what the journal says, so that a wallet of 100 s and 2 m has 100 s and 2 m. To Ledger "s", "m" and "h" are seconds, minutes and hours
# from before the first line on, as it keeps time, too: 60 of the one are one of the next, a balance is shown in the largest that it reaches, with a decimal,
# and satoshis and millions of tokens in one account are one sum. Each line of the journal, and its CSV, is as it was written, and a balance of less than 60 as
# well, which is what a test has. The whole balances, so that no check says a word. So an export writes no commodity of one small letter, but "SAT" and "MTOK";
# and who compares the balance of a journal with a wallet compares the commodity, too.
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

# books SATOSHIS MILLIONS: a wallet of satoshis and of millions of tokens, which are bought and spent
books() {
	printf '2026-11-28 top-up\n  Assets:Wallet  100 %s\n  Equity:Own\n2026-11-29 tokens\n  Assets:Wallet  2 %s\n  Equity:Own\n2026-11-29 call\n  Assets:Wallet  -40 %s\n  Expenses:Calls\n' "$1" "$2" "$1"
}
{
	ledger --version | head -1 | cut -d, -f1
	hledger --version | cut -d, -f1
	for names in 's m' 'SAT MTOK'; do
		# shellcheck disable=SC2086 # two words
		books $names >books.journal
		for day in 2026-11-29 2026-11-30; do
			echo "$names, before $day: ledger $(ledger -f books.journal balance -e "$day" Wallet | xargs), hledger $(hledger -f books.journal balance -N -e "$day" Wallet | xargs)"
		done
	done
	books s m >books.journal
	echo "as written: $(ledger -f books.journal csv Wallet | cut -d, -f5,6 | xargs)"
} | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
Ledger 3.3.0-20230208
hledger 1.25
s m, before 2026-11-29: ledger 1.7 m Assets:Wallet, hledger 100 s Assets:Wallet
s m, before 2026-11-30: ledger 3.0 m Assets:Wallet, hledger 2 m 60 s Assets:Wallet
SAT MTOK, before 2026-11-29: ledger 100 SAT Assets:Wallet, hledger 100 SAT Assets:Wallet
SAT MTOK, before 2026-11-30: ledger 2 MTOK 60 SAT Assets:Wallet, hledger 2 MTOK 60 SAT Assets:Wallet
as written: s,100 s,120 s,-40
SEEN
