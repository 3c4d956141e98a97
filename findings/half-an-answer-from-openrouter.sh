#!/usr/bin/env bash
# "The seller is gone", in the middle of a stream, is no error to LangChain's class for OpenRouter, in either form; and "cut by its limit" is nowhere in what its class for Mistral gives back.
#
# Seen 2026-12-01 with @langchain/openrouter 0.4.11, @langchain/mistralai 1.2.0, @langchain/openai 1.5.8 and @langchain/core 1.4.0 (Node 20.20), each pointed at another server by its own
# option for that.
# Expected: three classes for one API read it alike, and a class for a gateway of many sellers knows how a gateway says that one has been lost. OpenRouter says it, once the
# 200 is sent, by a chunk with "error" beside a choice that has "error" for its finish reason; OpenAI by an event of "error" alone. ChatOpenAI throws at both, ChatMistralAI at the second.
# ChatOpenRouter throws at neither: half an answer, of the first with a finish reason that one has to look for, of the second without any sign. It doesn't ask for a stream's usage,
# which OpenRouter sends unasked and nobody else; and of one that comes in a chunk of its own, as OpenAI's, it has nothing, but of one beside the last choice all. ChatMistralAI has no finish reason, of a
# whole answer or a stream, so that a cut one can't be told from others, and no cached tokens. So a gateway that writes an error into a stream breaks off the connection behind
# it, which all three throw at, and puts the usage, asked for or not, where such classes look for it, if it writes any.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts @langchain/openrouter@0.4.11 @langchain/mistralai@1.2.0 @langchain/openai@1.5.8 @langchain/core@1.4.0
npm ls --depth=0

cat >probe.mjs <<'JS'
import http from 'node:http'
import { ChatMistralAI } from '@langchain/mistralai'
import { ChatOpenAI } from '@langchain/openai'
import { ChatOpenRouter } from '@langchain/openrouter'

const base = { id: 'a', object: 'chat.completion.chunk', created: 1, model: 'm' }
const event = data => `data: ${JSON.stringify(data)}\n\n`
const chunk = (content, finish_reason = null, more = {}) => event({ ...base, choices: [{ index: 0, delta: { role: 'assistant', content }, finish_reason }], ...more })
const usage = { prompt_tokens: 1000, completion_tokens: 60, total_tokens: 1060, prompt_tokens_details: { cached_tokens: 900 } }
const done = 'data: [DONE]\n\n'
const error = { message: 'the seller is gone', code: 502 }
const half = chunk('pay 12')
const whole = `${half}${chunk('50 cents')}`
const streams = {
  'error beside a choice': half + chunk('', 'error', { error }) + done,
  'error alone': half + event({ error }),
  'connection torn': half,
  'cut by its limit': half + chunk('', 'length') + done,
  'usage in its own chunk': whole + chunk('', 'stop') + event({ ...base, choices: [], usage }) + done,
  'usage beside the last choice': whole + chunk('', 'stop', { usage }) + done,
}
let asked
const server = http.createServer(async (question, answer) => {
  const { stream, stream_options } = JSON.parse(Buffer.concat(await question.toArray()))
  const how = decodeURIComponent(question.url.split('/')[1])
  asked = stream_options?.include_usage ? 'asked' : 'not asked'
  answer.writeHead(200, { 'content-type': stream ? 'text/event-stream' : 'application/json' })
  if (!stream) return answer.end(JSON.stringify({ ...base, object: 'chat.completion', choices: [{ index: 0, message: { role: 'assistant', content: 'pay 12' }, finish_reason: 'length' }], usage }))
  if (how !== 'connection torn') return answer.end(streams[how])
  answer.write(streams[how])
  setTimeout(() => answer.destroy(), 100)
})
server.listen(0, '127.0.0.1', async () => {
  const at = how => `http://127.0.0.1:${server.address().port}/${encodeURIComponent(how)}`
  const classes = {
    ChatOpenAI: how => new ChatOpenAI({ model: 'm', apiKey: 'k', maxRetries: 0, configuration: { baseURL: at(how) } }),
    ChatOpenRouter: how => new ChatOpenRouter({ model: 'm', apiKey: 'k', maxRetries: 0, baseURL: at(how) }),
    ChatMistralAI: how => new ChatMistralAI({ model: 'm', apiKey: 'k', maxRetries: 0, serverURL: at(how) }),
  }
  const show = ({ content, response_metadata: { finish_reason }, usage_metadata: tokens }) =>
    `"${content}", finish reason ${finish_reason ?? 'none'}, ${tokens ? `${tokens.total_tokens} tokens, ${tokens.input_token_details?.cache_read ?? 0} of them cached` : 'no tokens'}`
  for (const [name, make] of Object.entries(classes)) {
    console.log(`${name}, not streamed, cut by its limit: ${show(await make('whole').invoke('hi'))}`)
    for (const how of Object.keys(streams)) {
      let all
      let end = ''
      try {
        for await (const part of await make(how).stream('hi')) all = all ? all.concat(part) : part
      } catch ({ name }) {
        end = `, then an error (${name})`
      }
      console.log(`${name}, ${how}, usage ${asked}: ${show(all)}${end}`)
    }
  }
  process.exit()
})
JS
node probe.mjs 2>/dev/null | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
ChatOpenAI, not streamed, cut by its limit: "pay 12", finish reason length, 1060 tokens, 900 of them cached
ChatOpenAI, error beside a choice, usage asked: "pay 12", finish reason none, no tokens, then an error (Error)
ChatOpenAI, error alone, usage asked: "pay 12", finish reason none, no tokens, then an error (Error)
ChatOpenAI, connection torn, usage asked: "pay 12", finish reason none, no tokens, then an error (TypeError)
ChatOpenAI, cut by its limit, usage asked: "pay 12", finish reason length, no tokens
ChatOpenAI, usage in its own chunk, usage asked: "pay 1250 cents", finish reason stop, 1060 tokens, 900 of them cached
ChatOpenAI, usage beside the last choice, usage asked: "pay 1250 cents", finish reason stop, 1060 tokens, 900 of them cached
ChatOpenRouter, not streamed, cut by its limit: "pay 12", finish reason length, 1060 tokens, 900 of them cached
ChatOpenRouter, error beside a choice, usage not asked: "pay 12", finish reason error, no tokens
ChatOpenRouter, error alone, usage not asked: "pay 12", finish reason none, no tokens
ChatOpenRouter, connection torn, usage not asked: "pay 12", finish reason none, no tokens, then an error (TypeError)
ChatOpenRouter, cut by its limit, usage not asked: "pay 12", finish reason length, no tokens
ChatOpenRouter, usage in its own chunk, usage not asked: "pay 1250 cents", finish reason stop, no tokens
ChatOpenRouter, usage beside the last choice, usage not asked: "pay 1250 cents", finish reason stop, 1060 tokens, 900 of them cached
ChatMistralAI, not streamed, cut by its limit: "pay 12", finish reason none, 1060 tokens, 0 of them cached
ChatMistralAI, error beside a choice, usage not asked: "pay 12", finish reason none, no tokens
ChatMistralAI, error alone, usage not asked: "pay 12", finish reason none, no tokens, then an error (ZodError)
ChatMistralAI, connection torn, usage not asked: "pay 12", finish reason none, no tokens, then an error (TypeError)
ChatMistralAI, cut by its limit, usage not asked: "pay 12", finish reason none, no tokens
ChatMistralAI, usage in its own chunk, usage not asked: "pay 1250 cents", finish reason none, no tokens
ChatMistralAI, usage beside the last choice, usage not asked: "pay 1250 cents", finish reason none, 1060 tokens, 0 of them cached
SEEN
