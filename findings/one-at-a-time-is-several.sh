#!/usr/bin/env bash
# "One at a time, and each for half a second at most" is several at a time for three queues of Node: who is over his time makes room and goes on, is answered and is paid.
#
# Seen 2026-11-30 with p-queue 9.3.5, bottleneck 2.19.5 and cockatiel 3.2.1 (Node 20.20), in front of a model that takes four times as long as the queue waits.
# Expected: a place in the queue is free when what had it is over, since the number is what a seller, or a plan, lets one ask at once. A time-out ends the
# waiting and not the work, as nobody can end a promise: the next one is asked while the last is being answered, and the more so the slower the seller is. He
# says 429, or is slower still, and a member who may have one call open has five. None of the six answers arrives, and each is written and paid. A test has a
# fast answer or none at all. p-queue's signal is the caller's alone, and hears nothing of its time-out; cockatiel's "cooperative" hands on one that does, if
# the work listens. So who bounds calls in flight gives the time to the request itself, by its signal or the SDK's own timeout, shorter than the queue's, and
# leaves the queue's away.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts p-queue@9.3.5 bottleneck@2.19.5 cockatiel@3.2.1
npm ls --depth=0

cat >probe.mjs <<'JS'
import http from 'node:http'
import Bottleneck from 'bottleneck'
import { bulkhead, timeout, TimeoutStrategy, wrap } from 'cockatiel'
import PQueue from 'p-queue'

let open, most, answered
const server = http.createServer(async (request, response) => { // takes two seconds, and refuses nobody
  for await (const _ of request);
  most = Math.max(most, ++open)
  response.on('close', () => open--)
  await new Promise(done => setTimeout(done, 2000))
  if (response.destroyed) return
  answered++
  response.end('hello')
})
await new Promise(done => server.listen(0, '127.0.0.1', done))
const ask = async signal => (await fetch(`http://127.0.0.1:${server.address().port}/`, { method: 'POST', body: '{}', signal })).text()
const queue = new PQueue({ concurrency: 1, timeout: 500 }), slots = new Bottleneck({ maxConcurrent: 1 })
const inside = wrap(bulkhead(1, 10), timeout(500, TimeoutStrategy.Aggressive)), cooperative = wrap(bulkhead(1, 10), timeout(500, TimeoutStrategy.Cooperative))
const ways = {
  'p-queue': () => queue.add(() => ask()),
  'p-queue, with a signal of its own': () => {
    const caller = new AbortController()
    return queue.add(({ signal }) => ask(signal), { signal: caller.signal })
  },
  'p-queue, and fetch ends itself': () => queue.add(() => ask(AbortSignal.timeout(400))),
  bottleneck: () => slots.schedule({ expiration: 500 }, () => ask()),
  'cockatiel, aggressive': () => inside.execute(() => ask()),
  'cockatiel, cooperative, the signal handed on': () => cooperative.execute(({ signal }) => ask(signal)),
}
for (const [name, way] of Object.entries(ways)) {
  open = most = answered = 0
  const ends = await Promise.all(Array.from({ length: 6 }, () => way().then(() => true, () => false)))
  await new Promise(done => setTimeout(done, 3000))
  console.log(`${name}: ${ends.filter(Boolean).length} of 6 done for the program, ${most > 2 ? 'several' : 'one'} at a time, ${answered} answered`)
}
process.exit()
JS
node probe.mjs | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
p-queue: 0 of 6 done for the program, several at a time, 6 answered
p-queue, with a signal of its own: 0 of 6 done for the program, several at a time, 6 answered
p-queue, and fetch ends itself: 0 of 6 done for the program, one at a time, 0 answered
bottleneck: 0 of 6 done for the program, several at a time, 6 answered
cockatiel, aggressive: 0 of 6 done for the program, several at a time, 6 answered
cockatiel, cooperative, the signal handed on: 0 of 6 done for the program, one at a time, 0 answered
SEEN
