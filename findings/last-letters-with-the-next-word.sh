#!/usr/bin/env bash
# Behind a HAProxy that compresses, each event of a stream comes without its end, which the next event brings: a client is always one word late, and nginx and Apache aren't.
#
# Seen 2026-11-30 with Debian's haproxy 2.6.12-1+deb12u4, nginx 1.22.1-9+deb12u11 and apache2 2.4.71-1~deb12u1, and eventsource-parser 3.1.1 and openai 6.49.0
# (Node 20.20).
# Expected: a proxy that compresses a stream as it passes ends each piece so that all of it can be unpacked, as nginx does without buffering, and Apache too.
# HAProxy passes on what its compressor has in whole bytes and keeps some last letters, the blank line among them, until there is more or the stream
# is over. That line is what makes an event of it. So the first word is shown with the second one, and a call of a tool, a question or the usage stands still for
# as long as the model thinks of what comes next; a heartbeat pushes it out, and is itself late. "compression algo gzip" is enough for that, as all
# types are compressed where none is named; Node's fetch and so each SDK on it asks for gzip. Who has HAProxy before a gateway names types there without
# text/event-stream, or the gateway says "no-transform" in Cache-Control, which HAProxy keeps to.
set -euo pipefail
tmp=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; wait; rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts --legacy-peer-deps eventsource-parser@3.1.1 openai@6.49.0
npm ls --depth=0
mkdir -p lists/partial cache/archives/partial
apt=(apt-get -qq -o "Dir::State::lists=$tmp/lists" -o "Dir::Cache=$tmp/cache" -o APT::Sandbox::User=root)
"${apt[@]}" update
"${apt[@]}" download nginx=1.22.1-9+deb12u11 haproxy=2.6.12-1+deb12u4 apache2-bin=2.4.71-1~deb12u1 liblua5.3-0 libopentracing1 libopentracing-c-wrapper0 libapr1 libaprutil1
for package in ./*.deb; do dpkg -x "$package" root; done
export LD_LIBRARY_PATH=$tmp/root/usr/lib/x86_64-linux-gnu

cat >nginx.conf <<CONF
daemon off; pid $tmp/nginx.pid; events {}
http {
	access_log off; client_body_temp_path $tmp; proxy_temp_path $tmp; fastcgi_temp_path $tmp; uwsgi_temp_path $tmp; scgi_temp_path $tmp;
	gzip on; gzip_types text/event-stream; gzip_proxied any;
	server { listen 127.0.0.1:22671; location / { proxy_pass http://127.0.0.1:22670; proxy_http_version 1.1; proxy_buffering off; } }
}
CONF
cat >apache.conf <<CONF
$(for module in mpm_event authz_core proxy proxy_http filter deflate; do echo "LoadModule ${module}_module $tmp/root/usr/lib/apache2/modules/mod_$module.so"; done)
ServerName localhost
ServerRoot $tmp
User nobody
Group nogroup
Mutex file:$tmp default
PidFile $tmp/apache.pid
ErrorLog $tmp/apache.log
Listen 127.0.0.1:22672
AddOutputFilterByType DEFLATE text/event-stream
ProxyPass / http://127.0.0.1:22670/
CONF
cat >haproxy.cfg <<CONF
defaults
	mode http
	timeout connect 5s
	timeout client 30s
	timeout server 30s
listen front
	bind 127.0.0.1:22673
	compression algo gzip
	server only 127.0.0.1:22670
CONF
{
	root/usr/sbin/nginx -c "$tmp/nginx.conf" -p "$tmp" -e "$tmp/nginx.log" &
	root/usr/sbin/apache2 -DFOREGROUND -f "$tmp/apache.conf" &
	root/usr/sbin/haproxy -f haproxy.cfg &
} >proxies.log 2>&1

cat >probe.mjs <<'JS'
import http from 'node:http'
import { createParser } from 'eventsource-parser'
import OpenAI from 'openai'

const pause = ms => new Promise(done => setTimeout(done, ms))
const words = ['Whoever', ' asks', ' is', ' told']
let got, before, transform
http.createServer(async (request, response) => {
  request.resume()
  if (request.url === '/up') return response.end()
  response.writeHead(200, { 'content-type': 'text/event-stream', ...(transform ? {} : { 'cache-control': 'no-transform' }) })
  for (const content of words) {
    response.write(`data: ${JSON.stringify({ choices: [{ index: 0, delta: { content } }] })}\n\n`)
    await pause(1000)
    before.push(got) // what the client has a second later, before there is any more
  }
  response.end('data: [DONE]\n\n')
}).listen(22670, '127.0.0.1')

const clients = {
  'eventsource-parser': async base => {
    const parser = createParser({ onEvent: ({ data }) => (got += data === '[DONE]' ? '' : JSON.parse(data).choices[0].delta.content) })
    const response = await fetch(`${base}/chat/completions`, { method: 'POST', body: '{}' })
    for await (const piece of response.body.pipeThrough(new TextDecoderStream())) parser.feed(piece)
    return response.headers.get('content-encoding') ?? 'as it is'
  },
  openai: async base => {
    const client = new OpenAI({ apiKey: 'k', baseURL: base })
    const { data, response } = await client.chat.completions.create({ model: 'm', stream: true, messages: [{ role: 'user', content: 'hi' }] }).withResponse()
    for await (const { choices } of data) got += choices[0].delta.content
    return response.headers.get('content-encoding') ?? 'as it is'
  },
}
for (const [port, proxy] of [[22671, 'nginx'], [22672, 'apache'], [22673, 'haproxy'], [22673, 'haproxy, no-transform']]) {
  const base = `http://127.0.0.1:${port}`
  for (let tries = 100; tries && !(await fetch(`${base}/up`).then(({ ok }) => ok, () => false)); tries--) await pause(100)
  for (const [name, ask] of Object.entries(clients)) {
    got = ''
    before = []
    transform = !proxy.includes('no-transform')
    const how = await ask(base)
    console.log(`${proxy}, ${how}, ${name}: ${before.map(text => `"${text}"`).join(', ')}, and at the end "${got}"`)
  }
}
process.exit()
JS
node probe.mjs | tee seen
diff - seen <<'SEEN' || { cat proxies.log; echo 'not as it was seen'; exit 1; }
nginx, gzip, eventsource-parser: "Whoever", "Whoever asks", "Whoever asks is", "Whoever asks is told", and at the end "Whoever asks is told"
nginx, gzip, openai: "Whoever", "Whoever asks", "Whoever asks is", "Whoever asks is told", and at the end "Whoever asks is told"
apache, gzip, eventsource-parser: "Whoever", "Whoever asks", "Whoever asks is", "Whoever asks is told", and at the end "Whoever asks is told"
apache, gzip, openai: "Whoever", "Whoever asks", "Whoever asks is", "Whoever asks is told", and at the end "Whoever asks is told"
haproxy, gzip, eventsource-parser: "", "Whoever", "Whoever asks", "Whoever asks is", and at the end "Whoever asks is told"
haproxy, gzip, openai: "", "Whoever", "Whoever asks", "Whoever asks is", and at the end "Whoever asks is told"
haproxy, no-transform, as it is, eventsource-parser: "Whoever", "Whoever asks", "Whoever asks is", "Whoever asks is told", and at the end "Whoever asks is told"
haproxy, no-transform, as it is, openai: "Whoever", "Whoever asks", "Whoever asks is", "Whoever asks is told", and at the end "Whoever asks is told"
SEEN
