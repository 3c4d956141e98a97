#!/usr/bin/env bash
# "No money left" in the middle of an Ollama stream, and a stream that breaks off, are "pay 12" and no error to the AI SDK's most used client for it; before the first word it keeps the seller's words back.
#
# Seen 2026-12-01 with ollama-ai-provider-v2 4.0.1, ai-sdk-ollama 4.3.0, ai 7.0.173, @langchain/ollama 1.3.0, @langchain/core 1.4.0 and ollama 0.6.4 (Node 20.20), each pointed at
# a stand-in for Ollama by its own option for that, with the retries that it has by itself.
# Expected: Ollama's stream is lines of JSON, the last one with "done" and the counts, and a line with "error" where it can't go on; a client gives that as an
# error, as Ollama's own does, and the two that are built on it. ollama-ai-provider-v2 reads the lines itself: one that it doesn't know is written to the
# console and passed over, and an end without "done" is an end. textStream is "pay 12" of "pay 1250 cents", onError is never called, and all that there is to
# see are the finish reason "other" and counts that are undefined, which a sum takes for nothing. A refusal before the first word is by its status'
# name to it, "Payment Required" for "member ada has no money left": the body's "error" is a text with Ollama, where it looks for an object.
# And a 503 is asked about three times by it, and once by the three others, of which two are for frameworks that ask again elsewhere.
# So who speaks this API for others ends a stream that can't go on by breaking the connection, and reads "other" as half an answer.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts --legacy-peer-deps ollama-ai-provider-v2@4.0.1 ai-sdk-ollama@4.3.0 ai@7.0.173 \
	@langchain/ollama@1.3.0 @langchain/core@1.4.0 ollama@0.6.4 zod@4.4.3
npm ls --depth=0

cat >probe.mjs <<'JS'
import http from 'node:http'
import { once } from 'node:events'
import { setTimeout as pause } from 'node:timers/promises'
import { ChatOllama } from '@langchain/ollama'
import { streamText } from 'ai'
import { createOllama as createByOthers } from 'ai-sdk-ollama'
import { Ollama } from 'ollama'
import { createOllama } from 'ollama-ai-provider-v2'

const line = more => JSON.stringify({ model: 'm', created_at: '2026-12-01T00:00:00Z', message: { role: 'assistant', content: '' }, done: false, ...more }) + '\n'
const words = content => line({ message: { role: 'assistant', content } })
const streams = {
  whole: [words('pay 12'), words('50 cents'), line({ done: true, done_reason: 'stop', prompt_eval_count: 1000, eval_count: 50 })],
  'no money left': [words('pay 12'), '{"error":"member ada has no money left"}\n'],
  ended: [words('pay 12')],
  torn: [words('pay 12')],
}
let [now, asked] = ['', 0]
const server = http.createServer(async (request, response) => {
  asked++
  request.resume()
  await once(request, 'end')
  if (Number(now)) return response.writeHead(Number(now), { 'content-type': 'application/json', 'retry-after-ms': '1' }).end('{"error":"member ada has no money left"}')
  response.writeHead(200, { 'content-type': 'application/x-ndjson' })
  for (const one of streams[now]) {
    response.write(one)
    await pause(100)
  }
  if (now !== 'torn') return response.end()
  response.destroy()
}).listen(0, '127.0.0.1')
await once(server, 'listening')
const url = `http://127.0.0.1:${server.address().port}`
const messages = [{ role: 'user', content: 'hi' }]
const vercel = model => async say => {
  let failed
  const result = streamText({ model, messages, onError: ({ error }) => { failed = error.lastError ?? error } })
  for await (const piece of result.textStream) say(piece)
  if (failed) throw failed
  const { inputTokens, outputTokens } = await result.usage
  return `${await result.finishReason}, ${inputTokens} and ${outputTokens} tokens`
}
const clients = {
  ollama: async say => {
    let last
    for await (last of await new Ollama({ host: url }).chat({ model: 'm', messages, stream: true })) say(last.message.content)
    return `${last.done_reason}, ${last.prompt_eval_count} and ${last.eval_count} tokens`
  },
  langchain: async say => {
    let all
    for await (const piece of await new ChatOllama({ model: 'm', baseUrl: url }).stream('hi')) {
      say(piece.content)
      all = all ? all.concat(piece) : piece
    }
    return `${all.response_metadata.done_reason}, ${all.usage_metadata.input_tokens} and ${all.usage_metadata.output_tokens} tokens`
  },
  'ai-sdk-ollama': vercel(createByOthers({ baseURL: url })('m')),
  'ollama-ai-provider-v2': vercel(createOllama({ baseURL: `${url}/api` })('m')),
}
for (now of [...Object.keys(streams), '402', '503'])
  for (const [name, client] of Object.entries(clients)) {
    let text = ''
    asked = 0
    const end = await client(piece => { text += piece }).catch(({ message }) => `error: ${message}`)
    console.log(`${now}, ${name}: "${text}", ${end}; asked ${asked}`)
  }
process.exit()
JS
timeout 200 node probe.mjs 2>errors | grep -E '^[a-z0-9 ]+, [a-z0-9-]+: ' | tee seen || { cat errors; exit 1; }
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
whole, ollama: "pay 1250 cents", stop, 1000 and 50 tokens; asked 1
whole, langchain: "pay 1250 cents", stop, 1000 and 50 tokens; asked 1
whole, ai-sdk-ollama: "pay 1250 cents", stop, 1000 and 50 tokens; asked 1
whole, ollama-ai-provider-v2: "pay 1250 cents", stop, 1000 and 50 tokens; asked 1
no money left, ollama: "pay 12", error: member ada has no money left; asked 1
no money left, langchain: "pay 12", error: member ada has no money left; asked 1
no money left, ai-sdk-ollama: "pay 12", error: member ada has no money left; asked 1
no money left, ollama-ai-provider-v2: "pay 12", other, undefined and undefined tokens; asked 1
ended, ollama: "pay 12", error: Did not receive done or success response in stream.; asked 1
ended, langchain: "pay 12", error: Did not receive done or success response in stream.; asked 1
ended, ai-sdk-ollama: "pay 12", error: Did not receive done or success response in stream.; asked 1
ended, ollama-ai-provider-v2: "pay 12", other, undefined and undefined tokens; asked 1
torn, ollama: "pay 12", error: terminated; asked 1
torn, langchain: "pay 12", error: terminated; asked 1
torn, ai-sdk-ollama: "pay 12", error: terminated; asked 1
torn, ollama-ai-provider-v2: "pay 12", error: terminated; asked 1
402, ollama: "", error: member ada has no money left; asked 1
402, langchain: "", error: member ada has no money left; asked 1
402, ai-sdk-ollama: "", error: member ada has no money left; asked 1
402, ollama-ai-provider-v2: "", error: Payment Required; asked 1
503, ollama: "", error: member ada has no money left; asked 1
503, langchain: "", error: member ada has no money left; asked 1
503, ai-sdk-ollama: "", error: member ada has no money left; asked 1
503, ollama-ai-provider-v2: "", error: Service Unavailable; asked 3
SEEN
