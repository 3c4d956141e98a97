#!/usr/bin/env bash
# An answer by OpenRouter's auto router costs minus 11,000 dollars for pi's library, whose list of models took over the -1 that means "it depends".
#
# Seen 2026-11-30 with @mariozechner/pi-ai 0.73.1 (Node 20.20), which pi counts with, and the prices that it brings along.
# Expected: a price is a number that is not negative, or is not there. In OpenRouter's list of models a price is a string of dollars a token, and that of a
# model which chooses another is "-1". Made a number and multiplied by a million, as lists like to have it, it is -1000000, and the cost of 10,000 tokens in and
# 1,000 out is the negative of their number in dollars. The response names the model that was chosen, and has a cost in its usage; neither is looked at. A sum
# over an agent's turns is below zero from the first such one on and never comes up again, so that a budget which ends at "spent > limit" ends nothing, and the
# one turn pays for all that an organisation spends in a year where costs are summed up. So who reads prices from a list refuses those below zero, and takes
# them for "not known"; and who sums up what clients report does so for each call.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts @mariozechner/pi-ai@0.73.1
npm ls --depth=0

cat >probe.mjs <<'JS'
import http from 'node:http'
import { complete, getModels, getProviders } from '@mariozechner/pi-ai'

const server = http.createServer((request, response) => {
  request.resume().on('end', () => {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    const head = { id: 'c', object: 'chat.completion.chunk', created: 1, model: 'openai/gpt-5' }
    const usage = { prompt_tokens: 10_000, completion_tokens: 1_000, total_tokens: 11_000, cost: 0.0225 }
    const chunk = fields => response.write(`data: ${JSON.stringify({ ...head, ...fields })}\n\n`)
    chunk({ choices: [{ index: 0, delta: { role: 'assistant', content: 'hello' }, finish_reason: null }] })
    chunk({ choices: [{ index: 0, delta: {}, finish_reason: 'stop' }], usage })
    response.end('data: [DONE]\n\n')
  })
})
await new Promise(done => server.listen(0, '127.0.0.1', done))
const models = getProviders().flatMap(getModels)
const below = models.filter(model => Object.values(model.cost).some(price => price < 0))
for (const { provider, id, cost } of below) console.log(`below zero: ${provider}, ${id}: ${cost.input} in, ${cost.output} out`)
let spent = 0
for (const id of ['openai/gpt-5', 'openrouter/auto', 'openai/gpt-5']) {
  const model = models.find(model => model.provider === 'openrouter' && model.id === id)
  const answer = await complete({ ...model, baseUrl: `http://127.0.0.1:${server.address().port}/v1` },
    { messages: [{ role: 'user', content: 'hi', timestamp: Date.now() }] }, { apiKey: 'k' })
  spent += answer.usage.cost.total
  console.log(`${id}: ${answer.usage.input} in, ${answer.usage.output} out, $${answer.usage.cost.total}; spent so far $${spent}, above a limit of $1: ${spent > 1}`)
}
process.exit()
JS
node probe.mjs | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
below zero: openrouter, openrouter/auto: -1000000 in, -1000000 out
openai/gpt-5: 10000 in, 1000 out, $0.0225; spent so far $0.0225, above a limit of $1: false
openrouter/auto: 10000 in, 1000 out, $-11000; spent so far $-10999.9775, above a limit of $1: false
openai/gpt-5: 10000 in, 1000 out, $0.0225; spent so far $-10999.955000000002, above a limit of $1: false
SEEN
