#!/usr/bin/env bash
# Five cents that are added to a counter in Redis are ten after seven slow seconds or a broken connection, for two clients of four, and the call is a success.
#
# Seen 2026-11-30 with github.com/redis/go-redis/v9 9.23.0, github.com/redis/rueidis 1.0.79 (Go 1.26), ioredis 6.0.0, redis 6.3.1 (Node 20.20) and Debian's
# redis-server 5:7.0.15-1~deb12u10, each client with its own defaults.
# Expected: INCRBY, the usual way to count what a key has spent, is done once or is an error; a client that tries again does so with what may be done
# twice. go-redis tries each command again, after a connection that broke and after its time-out of five seconds, while the first is in
# Redis' buffer and is carried out as soon as Redis has time; the caller is told the counter after the last of them. ioredis has no time-out, but
# sends again what had no reply when its connection ends. node-redis never does, and rueidis only with what reads: both tell an error, of a
# command that was carried out. So a budget that is kept so is used up before its time after a slow command of somebody else's, a fork or a
# switch to another node, a limiter built on one of the two counts one call as two, and nothing is in a log. MaxRetries: -1, or
# autoResendUnfulfilledCommands: false, makes an error of it; a command that names its booking, as "SET booking-7 5 NX", may come twice.
set -euo pipefail
tmp=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; wait; rm -rf "$tmp"' EXIT
cd "$tmp"
export GOMODCACHE=$tmp/modules GOFLAGS='-modcacherw -trimpath'
npm install --silent --no-audit --no-fund --ignore-scripts ioredis@6.0.0 redis@6.3.1
npm ls --depth=0
mkdir -p lists/partial cache/archives/partial
apt=(apt-get -qq -o "Dir::State::lists=$tmp/lists" -o "Dir::Cache=$tmp/cache" -o APT::Sandbox::User=root)
"${apt[@]}" update
"${apt[@]}" install -y --download-only --no-install-recommends redis-server=5:7.0.15-1~deb12u10 >apt.log # with what is missing
"${apt[@]}" download redis-server=5:7.0.15-1~deb12u10 redis-tools=5:7.0.15-1~deb12u10
for package in ./*.deb cache/archives/*.deb; do [ ! -e "$package" ] || dpkg -x "$package" root; done
LD_LIBRARY_PATH=$(dirname "$(find "$tmp/root" -name 'libjemalloc.so.2' | head -1)")
export LD_LIBRARY_PATH

cat >main.go <<'GO'
package main

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/redis/go-redis/v9"
	"github.com/redis/rueidis"
)

// "go-redis" or "rueidis", the address, and the counter; it counts when a line comes.
func main() {
	ctx := context.Background()
	var add func() (int64, error)
	switch client, address, counter := os.Args[1], os.Args[2], os.Args[3]; client {
	case "go-redis":
		c := redis.NewClient(&redis.Options{Addr: address})
		if err := c.Get(ctx, "nothing").Err(); err != redis.Nil {
			log.Fatal(err)
		}
		add = func() (int64, error) { return c.IncrBy(ctx, counter, 5).Result() }
	case "rueidis":
		c, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{address}})
		if err != nil {
			log.Fatal(err)
		}
		if err := c.Do(ctx, c.B().Get().Key("nothing").Build()).Error(); !rueidis.IsRedisNil(err) {
			log.Fatal(err)
		}
		add = func() (int64, error) { return c.Do(ctx, c.B().Incrby().Key(counter).Increment(5).Build()).AsInt64() }
	}
	fmt.Println("ready")
	_, _ = fmt.Scanln()
	if n, err := add(); err != nil {
		fmt.Println("an error")
	} else {
		fmt.Println(n)
	}
}
GO
{ go mod init probe && go get github.com/redis/go-redis/v9@v9.23.0 github.com/redis/rueidis@v1.0.79; } 2>go.log || { cat go.log; exit 1; }
go list -m github.com/redis/go-redis/v9 github.com/redis/rueidis
go build -o count .

root/usr/bin/redis-server --port 0 --unixsocket "$tmp/redis.sock" --save '' --enable-debug-command local >redis.log &
until grep -q 'ready to accept' redis.log; do sleep 0.1; done

cat >probe.mjs <<'JS'
import { spawn } from 'node:child_process'
import net from 'node:net'
import { createInterface } from 'node:readline'
import { Redis } from 'ioredis'
import { createClient } from 'redis'

const redis = new Redis(`${process.cwd()}/redis.sock`)
let breaks = false // the connection of the next INCRBY, when its reply comes
const gate = net.createServer(client => {
  const server = net.connect(`${process.cwd()}/redis.sock`)
  let last = false
  client.on('data', data => { last = breaks && /incrby/i.test(data); server.write(data) })
  server.on('data', data => {
    if (!last) return client.write(data)
    breaks = false
    client.destroy()
  })
  for (const [one, other] of [[client, server], [server, client]]) one.on('error', () => {}).on('close', () => other.destroy())
}).listen(0, '127.0.0.1')
await new Promise(done => gate.once('listening', done))
const { port } = gate.address()

const inGo = client => async counter => {
  const child = spawn('./count', [client, `127.0.0.1:${port}`, counter], { stdio: ['pipe', 'pipe', 'ignore'] })
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]()
  await lines.next()
  return async () => { child.stdin.end('\n'); return (await lines.next()).value }
}
const ways = {
  'go-redis': inGo('go-redis'),
  rueidis: inGo('rueidis'),
  ioredis: async counter => {
    const client = new Redis(port).on('error', () => {})
    await client.ping()
    return () => client.incrby(counter, 5)
  },
  'node-redis': async counter => {
    const client = await createClient({ url: `redis://127.0.0.1:${port}` }).on('error', () => {}).connect()
    return () => client.incrBy(counter, 5)
  },
}
const settled = async counter => { // what is in the counter when nothing more comes
  await new Promise(done => setTimeout(done, 500))
  return redis.get(counter)
}
for (const [name, make] of Object.entries(ways)) {
  const add = await make(`${name}, broken`)
  breaks = true
  const told = await add().catch(() => 'an error')
  console.log(`${name}, a connection that breaks: told ${told}, counted ${await settled(`${name}, broken`)}`)
}
const adds = await Promise.all(Object.entries(ways).map(async ([name, make]) => [name, await make(`${name}, slow`)]))
const slow = redis.call('DEBUG', 'SLEEP', '7')
await new Promise(done => setTimeout(done, 200))
const told = await Promise.all(adds.map(([, add]) => add().catch(() => 'an error')))
await slow
for (const [i, [name]] of adds.entries())
  console.log(`${name}, seven slow seconds: told ${told[i]}, counted ${await settled(`${name}, slow`)}`)
process.exit()
JS
node probe.mjs | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
go-redis, a connection that breaks: told 10, counted 10
rueidis, a connection that breaks: told an error, counted 5
ioredis, a connection that breaks: told 10, counted 10
node-redis, a connection that breaks: told an error, counted 5
go-redis, seven slow seconds: told 10, counted 10
rueidis, seven slow seconds: told 5, counted 5
ioredis, seven slow seconds: told 5, counted 5
node-redis, seven slow seconds: told 5, counted 5
SEEN
