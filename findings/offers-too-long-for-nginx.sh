#!/usr/bin/env bash
# A dozen offers of an x402 seller, or one with a long description, are 502 behind nginx, where one short one is a 402 that can be paid.
#
# Seen 2026-11-29 with Debian's nginx 1.22.1-9+deb12u11, @x402/express, core and evm 2.27.0, express 5.3.0 (Node 20.20). No chain is needed.
# Expected: offers may be as many as a seller has networks, tokens and prices, as they could when they stood in the body. Version 2 of x402 has them in
# a header, in Base64, some 300 bytes each with one word about the resource. nginx takes 4 kB of headers from a server, unless it is told
# otherwise ("proxy_buffer_size"), and makes 502 of what is longer, which clients take for an outage and ask again for; Node's own fetch
# takes 16 kB, and throws "fetch failed". On loopback the seller works. So a gateway that sells by this protocol keeps its offers
# few and its description short, says how long they are when it starts, and one that buys should not take a 502 of a seller's to mean that it is away.
set -euo pipefail
tmp=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; wait; rm -rf "$tmp"' EXIT
cd "$tmp"
mkdir -p lists/partial cache/archives/partial
apt=(apt-get -qq -o "Dir::State::lists=$tmp/lists" -o "Dir::Cache=$tmp/cache" -o APT::Sandbox::User=root)
"${apt[@]}" update
"${apt[@]}" download nginx=1.22.1-9+deb12u11
dpkg -x ./*.deb root
npm install --silent --no-audit --no-fund --ignore-scripts @x402/express@2.27.0 @x402/core@2.27.0 @x402/evm@2.27.0 express@5.3.0
npm ls --depth=0

cat >nginx.conf <<CONF
daemon off; pid $tmp/nginx.pid; events {}
http {
	access_log off; client_body_temp_path $tmp; proxy_temp_path $tmp; fastcgi_temp_path $tmp; uwsgi_temp_path $tmp; scgi_temp_path $tmp;
	server { listen 127.0.0.1:22641; location / { proxy_pass http://127.0.0.1:22640; } }
}
CONF
cat >probe.mjs <<'JS'
import { ExactEvmScheme } from '@x402/evm/exact/server'
import { paymentMiddleware, x402ResourceServer } from '@x402/express'
import express from 'express'

const network = 'eip155:8453'
const facilitator = { getSupported: async () => ({ kinds: [{ x402Version: 2, scheme: 'exact', network }], extensions: [], signers: {} }) }
const offer = { scheme: 'exact', network, price: '$0.01', payTo: `0x${'1'.repeat(40)}` }
const resources = { 1: 'Chat', 11: 'Chat', 13: 'Chat', 60: 'Chat', 'with-words': 'Chat completions: takes model, messages, tools and stream. '.repeat(60) }
const routes = Object.entries(resources).map(([name, description]) => [`POST /${name}`, { description, accepts: Array(Number(name) || 1).fill(offer) }])
const app = express()
app.use(paymentMiddleware(Object.fromEntries(routes), new x402ResourceServer(facilitator).register(network, new ExactEvmScheme())))
app.listen(22640, '127.0.0.1', async () => {
  const ask = (port, name) => fetch(`http://127.0.0.1:${port}/${name}`, { method: 'POST' }).then(answer => answer.status, error => error.message)
  while ((await ask(22641, '')) === 'fetch failed') await new Promise(done => setTimeout(done, 100))
  for (const name of Object.keys(resources)) console.log(`${name}: seller ${await ask(22640, name)}, behind nginx ${await ask(22641, name)}`)
  process.exit()
})
JS
root/usr/sbin/nginx -c "$tmp/nginx.conf" -p "$tmp" -e "$tmp/nginx.log" &
node probe.mjs | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
1: seller 402, behind nginx 402
11: seller 402, behind nginx 402
13: seller 402, behind nginx 502
60: seller fetch failed, behind nginx 502
with-words: seller 402, behind nginx 502
SEEN
