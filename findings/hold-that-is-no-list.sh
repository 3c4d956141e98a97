#!/usr/bin/env bash
# A member's record that a script in Redis has read and written again has an object where its list of holds was, once the last hold is gone, and of a balance in a token's units the last digits are gone.
#
# Seen 2026-11-30 with Debian's redis-server 5:7.0.15-1~deb12u10 and encoding/json of Go 1.26.
# Expected: cjson.decode and cjson.encode, which a script has for just this, give back what was there but for what the script changes. To Lua a list without anything in it and an
# object without anything are the same table, and cjson writes {}: with one hold, and with two, the record is as it was, and when the last one is taken out, or there was
# none, "holds" is an object. A reader in Go, whose record has a slice there, has an error from the next call of that member on; Node reads it, and its length is undefined. Numbers
# are written with 14 digits: a balance in millionths is whole up to a hundred million dollars, and one in the units of a token of 18 decimals has lost its last digits
# from 0.0001 of the token on, in JSON as in a text made with "..", and is not an integer for INCRBY any more; a number that is handed to redis.call itself has 17 digits,
# so that the two copies of one balance differ. So a script changes fields of a hash, by HINCRBY, and not JSON, holds are a list or a set
# of Redis' own, and amounts above 2^53 stay out of Lua.
set -euo pipefail
tmp=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; wait; chmod -R u+w "$tmp"; rm -rf "$tmp"' EXIT
cd "$tmp"
mkdir -p lists/partial cache/archives/partial
apt=(apt-get -qq -o "Dir::State::lists=$tmp/lists" -o "Dir::Cache=$tmp/cache" -o APT::Sandbox::User=root)
"${apt[@]}" update
"${apt[@]}" download redis-server=5:7.0.15-1~deb12u10 redis-tools=5:7.0.15-1~deb12u10 libatomic1 libjemalloc2 liblua5.1-0 liblzf1 lua-bitop lua-cjson
for package in ./*.deb; do dpkg -x "$package" root; done
export LD_LIBRARY_PATH=$tmp/root/usr/lib/x86_64-linux-gnu
for package in redis-server lua-cjson; do dpkg-deb -W ./"$package"_*.deb; done
go version

root/usr/bin/redis-server --port 0 --unixsocket "$tmp/socket" --save '' --dir "$tmp" >redis.log &
redis=(root/usr/bin/redis-cli -s "$tmp/socket")
until "${redis[@]}" ping >/dev/null 2>&1; do sleep 0.1; done

cat >go.mod <<'MOD'
module probe

go 1.26
MOD
cat >main.go <<'GO'
package main

import (
	"encoding/json"
	"fmt"
	"os"
)

func main() {
	var record struct {
		Balance json.Number
		Holds   []string
	}
	if err := json.Unmarshal([]byte(os.Args[1]), &record); err != nil {
		fmt.Println("  Go: an error")
		return
	}
	fmt.Printf("  Go: %d hold(s), balance %s\n", len(record.Holds), record.Balance)
}
GO
go build -o read main.go

# takes the last hold out of the record, or none
script='local record = cjson.decode(redis.call("GET", KEYS[1]))
if ARGV[1] == "remove" then table.remove(record.holds) end
redis.call("SET", KEYS[1], cjson.encode(record))
redis.call("SET", "number", record.balance)
redis.call("SET", "text", record.balance .. "")'
go_on() {
	"${redis[@]}" set record "$1" >/dev/null
	"${redis[@]}" eval "$script" 1 record "$2" >/dev/null
	record=$("${redis[@]}" get record)
	echo "$1, $2: holds $(grep -oE '"holds":(\[[^]]*\]|\{\})' <<<"$record" | cut -d: -f2), balance $(grep -oE '"balance":[^,}]*' <<<"$record" | cut -d: -f2), as number $("${redis[@]}" get number), as text $("${redis[@]}" get text), and 1 more $("${redis[@]}" incrby text 1 2>&1)"
	./read "$record"
}
{
	go_on '{"balance":12500000,"holds":["a","b"]}' remove
	go_on '{"balance":12500000,"holds":["a"]}' remove
	go_on '{"balance":12500000,"holds":[]}' nothing
	go_on '{"balance":123456789012345,"holds":["a"]}' nothing
} | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
{"balance":12500000,"holds":["a","b"]}, remove: holds ["a"], balance 12500000, as number 12500000, as text 12500000, and 1 more 12500001
  Go: 1 hold(s), balance 12500000
{"balance":12500000,"holds":["a"]}, remove: holds {}, balance 12500000, as number 12500000, as text 12500000, and 1 more 12500001
  Go: an error
{"balance":12500000,"holds":[]}, nothing: holds {}, balance 12500000, as number 12500000, as text 12500000, and 1 more 12500001
  Go: an error
{"balance":123456789012345,"holds":["a"]}, nothing: holds ["a"], balance 1.2345678901234e+14, as number 123456789012345, as text 1.2345678901234e+14, and 1 more ERR value is not an integer or out of range
  Go: 1 hold(s), balance 1.2345678901234e+14
SEEN
