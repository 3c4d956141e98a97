#!/usr/bin/env bash
# Tokens that are metered a second time, since the first try was an error, are billed twice by OpenMeter: its SDK gives each call an id of its own, and three others ask again themselves.
#
# Seen 2026-11-30 with @openmeter/sdk 1.0.0-beta.232, orb-billing 6.11.0, @metronome/sdk 3.10.0 and stripe 23.1.0 (Node 20.20). The meter is a stand-in on loopback, which takes what
# has an id that it has seen for the same, as all four say that theirs do, and breaks off its first answer when it has booked, or answers it with 500 and hasn't.
# Expected: what counts money is tried again by the SDK that was made for it, or what the program does again is the same event. Orb and Metronome want an id of the
# caller's, and Stripe makes one for the request, and all three ask again by themselves with it: the program sees no error, and the event is there once. OpenMeter's client
# asks once; its event has an id, as deduplication needs, but where the program gave none the client makes one in each call, and a time as well. A program that
# catches the error and calls again, with the very same object, has metered two events, and one that doesn't has metered none after a 500. In the meter
# both are an ordinary event, and the invoice is right by what was metered. So an event has for its id that of the call that it is about, as
# the gateway's books have it, and the time of that, and is kept by the program until the meter has said yes.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts @openmeter/sdk@1.0.0-beta.232 orb-billing@6.11.0 @metronome/sdk@3.10.0 stripe@23.1.0
npm ls --depth=0

cat >probe.mjs <<'JS'
import http from 'node:http'
import Metronome from '@metronome/sdk'
import { OpenMeter } from '@openmeter/sdk'
import Orb from 'orb-billing'
import Stripe from 'stripe'

let booked, requests, failure
const meter = http.createServer(async (request, response) => {
  let body = ''
  for await (const part of request) body += part
  const fails = ++requests === 1
  if (fails && failure === '500') return response.writeHead(500, { 'content-type': 'application/json' }).end('{}')
  const json = body.startsWith('{') || body.startsWith('[') ? JSON.parse(body) : {}
  const events = json.events ?? (Array.isArray(json) ? json : [json])
  for (const event of events) booked.add(event.idempotency_key ?? event.transaction_id ?? event.id ?? request.headers['idempotency-key'])
  if (fails) return request.socket.destroy()
  response.writeHead(200, { 'content-type': 'application/json' }).end('{}')
}).listen(0, '127.0.0.1', async () => {
  const { port } = meter.address(), url = `http://127.0.0.1:${port}`
  const openmeter = new OpenMeter({ baseUrl: url, apiKey: 'none' })
  const orb = new Orb({ apiKey: 'none', baseURL: url })
  const metronome = new Metronome({ bearerToken: 'none', baseURL: url })
  const stripe = new Stripe('sk_test_none', { host: '127.0.0.1', port, protocol: 'http' })
  const event = { type: 'tokens', subject: 'ada', data: { tokens: 1250 } }
  const timestamp = new Date().toISOString()
  const meters = {
    openmeter: () => openmeter.events.ingest(event),
    'openmeter, with an id': () => openmeter.events.ingest({ ...event, id: 'call-1' }),
    orb: () => orb.events.ingest({ events: [{ event_name: 'tokens', external_customer_id: 'ada', idempotency_key: 'call-1', timestamp, properties: { tokens: 1250 } }] }),
    metronome: () => metronome.v1.usage.ingest({ usage: [{ transaction_id: 'call-1', customer_id: 'ada', event_type: 'tokens', timestamp, properties: { tokens: 1250 } }] }),
    stripe: () => stripe.billing.meterEvents.create({ event_name: 'tokens', payload: { stripe_customer_id: 'cus_ada', value: '1250' } }),
  }
  for (failure of ['the answer is lost', '500']) {
    for (const [name, ingest] of Object.entries(meters)) {
      booked = new Set()
      requests = 0
      let calls = 0
      for (let done = false; !done && calls < 3; calls++) done = await ingest().then(() => true, () => false)
      console.log(`${failure}, ${name}: called ${calls}, asked ${requests}, booked ${booked.size}`)
    }
  }
  process.exit()
})
JS
node probe.mjs | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
the answer is lost, openmeter: called 2, asked 2, booked 2
the answer is lost, openmeter, with an id: called 2, asked 2, booked 1
the answer is lost, orb: called 1, asked 2, booked 1
the answer is lost, metronome: called 1, asked 2, booked 1
the answer is lost, stripe: called 1, asked 2, booked 1
500, openmeter: called 2, asked 2, booked 1
500, openmeter, with an id: called 2, asked 2, booked 1
500, orb: called 1, asked 2, booked 1
500, metronome: called 1, asked 2, booked 1
500, stripe: called 1, asked 2, booked 1
SEEN
