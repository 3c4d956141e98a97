#!/usr/bin/env bash
# A commit that is cancelled while it waits for PostgreSQL's synchronous standby is reported as a success.
#
# Seen 2026-11-27 with Debian's postgresql-15 15.20-0+deb12u1.
# The standby that every commit must reach is away. An insert with statement_timeout = 500 ms waits, far beyond
# that: the statement is over, and nothing ends the wait for the standby. Cancelled by another session (as drivers do
# when a caller's context ends) it does not fail: the client gets a warning and "INSERT 0 1", psql ends with 0, and everybody
# sees the row, which is on one disk only and is gone when the standby takes over. So an answer of success counts only
# without warning 01000, and who waits needs a clock of his own and has to take its end for "not known".
set -euo pipefail
tmp=$(mktemp -d)
trap '[ ! -e "$tmp/data/postmaster.pid" ] || kill -QUIT "$(head -1 "$tmp/data/postmaster.pid")"; wait; rm -rf "$tmp"' EXIT
cd "$tmp"
mkdir -p lists/partial cache/archives/partial
apt=(apt-get -qq -o "Dir::State::lists=$tmp/lists" -o "Dir::Cache=$tmp/cache" -o APT::Sandbox::User=root)
"${apt[@]}" update
"${apt[@]}" install -y --download-only --no-install-recommends postgresql-15=15.20-0+deb12u1 >apt.log # with what is missing
"${apt[@]}" download postgresql-15=15.20-0+deb12u1 postgresql-client-15=15.20-0+deb12u1 libpq5=15.20-0+deb12u1
for package in ./*.deb cache/archives/*.deb; do [ ! -e "$package" ] || dpkg -x "$package" root; done
LD_LIBRARY_PATH=$(dirname "$(find "$tmp/root" -name 'libpq.so.5')")
export LD_LIBRARY_PATH PATH=$tmp/root/usr/lib/postgresql/15/bin:$PATH
as=()
[ "$(id -u)" != 0 ] || as=(runuser -u nobody --) # PostgreSQL refuses to run as root
chmod 755 "$tmp"
install -d -o "$("${as[@]}" id -un)" -m 700 data

"${as[@]}" initdb -D data -A trust -U books >/dev/null
"${as[@]}" postgres -D "$tmp/data" -c listen_addresses= -c "unix_socket_directories=$tmp/data" 2>server.log &
server=$!
query() { psql -h "$tmp/data" -U books -d postgres -AtqX "$@"; }
until query -c 'select' >/dev/null 2>&1; do kill -0 "$server"; sleep 0.1; done
query -c 'create table grants (id int)'
query -c "alter system set synchronous_standby_names = 'standby'" -c 'select pg_reload_conf()' >/dev/null
until [ "$(query -c 'show synchronous_standby_names')" = standby ]; do sleep 0.1; done

waiting="from pg_stat_activity where wait_event = 'SyncRep'"
(PGOPTIONS='-c statement_timeout=500ms' psql -h "$tmp/data" -U books -d postgres -X -c 'insert into grants values (1)' || echo failed) >client 2>&1 &
client=$!
until [ "$(query -c "select count(*) $waiting")" = 1 ]; do sleep 0.1; done
sleep 2
{
	query -c 'select current_setting($$server_version$$)' | cut -d' ' -f1
	echo "waiting 2 s later, with a time-out of 0.5 s: $(query -c "select count(*) $waiting")"
	echo "rows that others see: $(query -c 'select count(*) from grants')"
	query -c "select pg_cancel_backend(pid) $waiting" >/dev/null
	wait "$client"
	cat client
	echo "rows that others see: $(query -c 'select count(*) from grants')"
} >seen
cat seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
15.20
waiting 2 s later, with a time-out of 0.5 s: 1
rows that others see: 0
WARNING:  canceling wait for synchronous replication due to user request
DETAIL:  The transaction has already committed locally, but might not have been replicated to the standby.
INSERT 0 1
rows that others see: 1
SEEN
