#!/usr/bin/env bash
# A request's line in the journal that is longer than 4,087 bytes is null to whoever reads the journal as JSON, and one with colours is a list of numbers: of three calls of a member the dearest isn't there, and no error.
#
# Seen 2026-12-01 with Debian's systemd and systemd-journal-remote 252.39-1~deb12u2 and jq 1.6-2.1+deb12u3; the journal is a file that systemd-journal-remote writes from the journal's own export format, and no journal has to run.
# Expected: "journalctl -o json" gives each entry as an object, so that a gateway's log, one JSON to a line, can be read out of MESSAGE and added up. To save bytes a field of 4,096 and more, its name counted, is null there, unless "--all" is said. Lines of most
# calls are far shorter. Those that grow are the ones with many tools, long model lists, errors of a seller and tries at several sellers, which cost the most: 'select(.MESSAGE)' or fromjson? passes over them. A letter that can't be shown, such as
# the escape that begins a colour, makes a list of bytes of the whole line, as does anything that isn't UTF-8, with --all too. "-o cat" has all lines whole. The journal itself, which no file can
# show, cuts what a service writes to its standard output at 48 KiB, into entries of which none is JSON. So whoever sums up a log by the journal says "-o cat", or "--all",
# and a gateway's line has its money, whatever else it tells, within 4,000 bytes.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
mkdir -p lists/partial cache/archives/partial
apt=(apt-get -qq -o "Dir::State::lists=$tmp/lists" -o "Dir::Cache=$tmp/cache" -o APT::Sandbox::User=root)
"${apt[@]}" update
"${apt[@]}" download systemd=252.39-1~deb12u2 systemd-journal-remote=252.39-1~deb12u2 libsystemd-shared=252.39-1~deb12u2 libsystemd0=252.39-1~deb12u2 libmicrohttpd12 libcurl3-gnutls \
	jq=1.6-2.1+deb12u3 libjq1=1.6-2.1+deb12u3 libonig5
for package in ./*.deb; do dpkg -x "$package" root; done
for package in systemd_ systemd-journal-remote jq; do dpkg-deb -W --showformat '${Package} ${Version}\n' ./"$package"*.deb; done
export LD_LIBRARY_PATH=$tmp/root/usr/lib/x86_64-linux-gnu:$tmp/root/lib/x86_64-linux-gnu:$tmp/root/usr/lib/x86_64-linux-gnu/systemd
journalctl=("$tmp/root/bin/journalctl" -q --file "$tmp/gateway.journal")
jq=$tmp/root/usr/bin/jq

at=0
log() { # a line of the gateway's
	at=$((at + 1))
	printf '%s\n' "__REALTIME_TIMESTAMP=$((1790000000000000 + at))" "__MONOTONIC_TIMESTAMP=$((1000 + at))" _BOOT_ID=00000000000000000000000000000001 \
		_TRANSPORT=stdout PRIORITY=6 SYSLOG_IDENTIFIER=gateway "MESSAGE=$1" ''
}
pad() { printf "%$1s" '' | tr ' ' t; }
{
	log '{"member":"ada","micros":5000}'
	log "{\"member\":\"ada\",\"micros\":70000,\"tools\":\"$(pad 4000)\"}"
	log "{\"member\":\"ada\",\"micros\":900000,\"tools\":\"$(pad 4100)\"}"
	log $'\e[32m{"member":"ada","micros":11000000}\e[0m'
} | "$tmp/root/lib/systemd/systemd-journal-remote" -o "$tmp/gateway.journal" - 2>remote.log
{
	for all in '' --all; do
		echo "as JSON${all:+ with $all}: $("${journalctl[@]}" -o json $all | "$jq" -r '.MESSAGE | type' | paste -sd ' ')"
		echo "  micros of ada: $("${journalctl[@]}" -o json $all | "$jq" -c '.MESSAGE | strings | fromjson? | .micros' | "$jq" -s add)"
	done
	echo "as text: $("${journalctl[@]}" -o cat | wc -l) lines, micros of ada: $("${journalctl[@]}" -o cat | sed $'s/\e\\[[0-9;]*m//g' | "$jq" -s 'map(.micros) | add')"
} | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
as JSON: string string null array
  micros of ada: 75000
as JSON with --all: string string string array
  micros of ada: 975000
as text: 4 lines, micros of ada: 11975000
SEEN
