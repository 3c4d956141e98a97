#!/usr/bin/env bash
# With "encode" in its site Debian's Caddy keeps a stream's status to itself until the first word, and where that is longer than 512 bytes the whole answer until it is over.
#
# Seen 2026-11-30 with Debian's caddy 2.6.2-5 (Node 20.20).
# Expected: reverse_proxy passes an event stream on at once, as it does without "encode", and what compresses behind it keeps to that. With "encode gzip" the
# headers wait for the first byte of the body, since it is not known yet whether to compress: a client that waits for a status, so that it knows that it was let
# in, waits for the model, and its time-out for headers counts that. What is first then decides for all of it. A short event goes as it is, and so do all
# that follow, each at once. An event above 512 bytes, as the first of an Anthropic or a Responses stream may be, starts the compressor, and the events
# that come after it aren't pushed through: the client has all of them at the end. Caddy 2.11.9 does neither. So
# a gateway behind or in such a Caddy has no "encode" before it, or one that matches other paths.
set -euo pipefail
tmp=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; wait; rm -rf "$tmp"' EXIT
cd "$tmp"
mkdir -p lists/partial cache/archives/partial
apt=(apt-get -qq -o "Dir::State::lists=$tmp/lists" -o "Dir::Cache=$tmp/cache" -o APT::Sandbox::User=root)
"${apt[@]}" update
"${apt[@]}" download caddy=2.6.2-5
dpkg -x ./caddy*.deb root
printf '{\nadmin off\nauto_https off\n}\nhttp://127.0.0.1:22681 {\nreverse_proxy 127.0.0.1:22680\n}\nhttp://127.0.0.1:22682 {\nencode gzip\nreverse_proxy 127.0.0.1:22680\n}\n' >Caddyfile
HOME=$tmp root/usr/bin/caddy run --adapter caddyfile --config Caddyfile >log 2>&1 &
root/usr/bin/caddy version

cat >probe.mjs <<'JS'
import http from 'node:http'
import zlib from 'node:zlib'

const pause = ms => new Promise(done => setTimeout(done, ms))
let status, got, before
http.createServer(async (request, response) => {
  if (request.url === '/up') return response.end()
  response.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders()
  for (const event of [undefined, request.url === '/long' ? `data: ${'a'.repeat(600)}\n\n` : 'data: a\n\n', 'data: b\n\n', 'data: c\n\n']) {
    if (event) response.write(event)
    await pause(1000)
    before.push(`${status} and ${got.match(/\n\n/g)?.length ?? 0} events`) // what the client has a second later, before there is any more
  }
  response.end()
}).listen(22680, '127.0.0.1')

const ask = url => new Promise((done, fail) => {
  http.get(url, { headers: { 'accept-encoding': 'gzip' } }, response => {
    status = response.statusCode
    const how = response.headers['content-encoding'] ?? 'as it is'
    const body = how === 'gzip' ? response.pipe(zlib.createGunzip()) : response
    body.on('data', piece => (got += piece)).on('end', () => done(how)).on('error', fail)
  }).on('error', fail)
})
for (const [port, name] of [[22681, 'reverse_proxy'], [22682, 'encode, reverse_proxy']]) {
  for (let tries = 100; tries && !(await fetch(`http://127.0.0.1:${port}/up`).then(({ ok }) => ok, () => false)); tries--) await pause(100)
  for (const first of ['short', 'long']) {
    status = 'nothing'
    got = ''
    before = []
    const how = await ask(`http://127.0.0.1:${port}/${first}`)
    console.log(`${name}, ${how}, a ${first} first event: ${before.join('; ')}`)
  }
}
process.exit()
JS
node probe.mjs | tee seen
diff - seen <<'SEEN' || { cat log; echo 'not as it was seen'; exit 1; }
reverse_proxy, as it is, a short first event: 200 and 0 events; 200 and 1 events; 200 and 2 events; 200 and 3 events
reverse_proxy, as it is, a long first event: 200 and 0 events; 200 and 1 events; 200 and 2 events; 200 and 3 events
encode, reverse_proxy, as it is, a short first event: nothing and 0 events; 200 and 1 events; 200 and 2 events; 200 and 3 events
encode, reverse_proxy, gzip, a long first event: nothing and 0 events; 200 and 0 events; 200 and 0 events; 200 and 0 events
SEEN
