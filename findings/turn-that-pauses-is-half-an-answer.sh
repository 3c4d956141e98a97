#!/usr/bin/env bash
# A turn that a seller has paused, to be asked to go on, is the whole answer for LangChain and half the time for the AI SDK; where a search's result never comes, that one asks on and on.
#
# Seen 2026-11-30 with @anthropic-ai/sdk 1.14.0, ai 6.0.326, @ai-sdk/anthropic 3.0.140, @langchain/anthropic 1.5.11, @langchain/core 1.4.0 and
# langchain 1.5.14 (Node 20.20).
# Expected: the Messages API ends a long turn with the tools that the seller runs itself by "pause_turn", and goes on with it as soon as it gets back what it
# said; a client with a loop does that, as it does for its own tools. Anthropic's toolRunner does. LangChain's agent ends with what was said before the search,
# without an error. The AI SDK goes on only where a search is without its result, and by that alone, whatever the turn's end says: paused after a result, the
# turn is over for it, "stop" being the reason. And a search without a result that a later answer doesn't bring, as behind a gateway that
# drops such blocks, has it ask after a whole and ended answer, too, until its steps are used up, each paid. So a gateway passes such blocks and
# the turn's end as they are, a member's answers that end in "pause_turn" aren't worth a complaint at the seller, and steps need a limit.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts --legacy-peer-deps @anthropic-ai/sdk@1.14.0 ai@6.0.326 @ai-sdk/anthropic@3.0.140 \
	@langchain/anthropic@1.5.11 @langchain/core@1.4.0 langchain@1.5.14 zod@4.6.7
npm ls --depth=0

cat >probe.mjs <<'JS'
import http from 'node:http'
import Anthropic from '@anthropic-ai/sdk'
import { createAnthropic } from '@ai-sdk/anthropic'
import { ChatAnthropic } from '@langchain/anthropic'
import { generateText, stepCountIs } from 'ai'
import { createAgent } from 'langchain'

globalThis.AI_SDK_LOG_WARNINGS = false
const search = { type: 'server_tool_use', id: 'srvtoolu_1', name: 'web_search', input: { query: 'weather' } }
const found = { type: 'web_search_tool_result', tool_use_id: search.id, content: [] }
const text = text => ({ type: 'text', text })
const ways = {
  'paused after the result': [[text('I look.'), search, found], [text('It rains.')]],
  'paused before the result': [[text('I look.'), search], [found, text('It rains.')]],
  'paused, and no result ever': [[text('I look.'), search], [text('It rains.')]],
}
let way, asked
const seller = http.createServer((request, response) => {
  request.resume()
  const paused = asked++ === 0
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({
    id: `msg_${asked}`, type: 'message', role: 'assistant', model: 'm', content: way[paused ? 0 : 1],
    stop_reason: paused ? 'pause_turn' : 'end_turn', stop_sequence: null, usage: { input_tokens: 10, output_tokens: 5 },
  }))
})
await new Promise(done => seller.listen(0, '127.0.0.1', done))
const base = `http://127.0.0.1:${seller.address().port}`
const tools = [{ type: 'web_search_20250305', name: 'web_search' }]
const messages = [{ role: 'user', content: 'weather?' }]
const vercel = createAnthropic({ apiKey: 'k', baseURL: `${base}/v1` })
const clients = {
  'the SDK\'s toolRunner': async () => {
    const answer = await new Anthropic({ apiKey: 'k', baseURL: base }).beta.messages.toolRunner({ model: 'm', max_tokens: 99, messages, tools })
    return [answer.content.at(-1).text, answer.stop_reason]
  },
  LangChain: async () => {
    const model = new ChatAnthropic({ apiKey: 'k', anthropicApiUrl: base, model: 'm' })
    const answer = (await createAgent({ model, tools }).invoke({ messages })).messages.at(-1)
    return [answer.text, answer.response_metadata.stop_reason]
  },
  ai: async () => {
    const answer = await generateText({ model: vercel('m'), messages, stopWhen: stepCountIs(10), tools: { web_search: vercel.tools.webSearch_20250305() } })
    return [answer.text, answer.finishReason]
  },
}
for (const [name, answers] of Object.entries(ways)) {
  for (const [client, ask] of Object.entries(clients)) {
    way = answers
    asked = 0
    const [said, end] = await ask()
    console.log(`${name}, ${client}: "${said}", ${end}, asked ${asked} times`)
  }
}
process.exit()
JS
node probe.mjs 2>/dev/null | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
paused after the result, the SDK's toolRunner: "It rains.", end_turn, asked 2 times
paused after the result, LangChain: "I look.", pause_turn, asked 1 times
paused after the result, ai: "I look.", stop, asked 1 times
paused before the result, the SDK's toolRunner: "It rains.", end_turn, asked 2 times
paused before the result, LangChain: "I look.", pause_turn, asked 1 times
paused before the result, ai: "It rains.", stop, asked 2 times
paused, and no result ever, the SDK's toolRunner: "It rains.", end_turn, asked 2 times
paused, and no result ever, LangChain: "I look.", pause_turn, asked 1 times
paused, and no result ever, ai: "It rains.", stop, asked 10 times
SEEN
