#!/usr/bin/env bash
# An agent that looks at a screen is never summed up by LangChain: each picture counts nothing towards "from 4,000 tokens on", while each answer says what the prompt was.
#
# Seen 2026-11-30 with langchain 1.5.14, @langchain/openai 1.5.8 and @langchain/core 1.4.0 (Node 20.20). The model, a stand-in, counts a picture as 1,000 tokens and four
# letters as one, and tells so in its usage.
# Expected: what is to keep a conversation below a number of tokens counts them by what the last answer has told, or takes something for each picture. Summaries
# and the clearing of old results both divide the letters by four, of texts and of the calls' arguments alone: a picture is 0, and so are the model's thoughts;
# the usage of the answers, which lie in the same messages, is not looked at. With results that are texts both do what they say. With pictures, as of a browser,
# each turn has all of those before it once more, three times the number after twelve, until the model's own limit is an error, and each is paid at the price of
# input. Nothing of it is an error before. So who runs such an agent cuts by the number of messages, or has a tokenCounter of his own for it; and a gateway's
# limit on the size of a request is what ends it for those who don't.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts --legacy-peer-deps langchain@1.5.14 @langchain/openai@1.5.8 @langchain/core@1.4.0 @langchain/langgraph@1.7.3 zod@4.6.7
npm ls --depth=0 2>/dev/null | grep @

cat >probe.mjs <<'JS'
import http from 'node:http'
import { ToolMessage } from '@langchain/core/messages'
import { ChatOpenAI } from '@langchain/openai'
import { ClearToolUsesEdit, contextEditingMiddleware, createAgent, summarizationMiddleware, tool } from 'langchain'
import { z } from 'zod'

const turns = 12
let asked, sums, prompt, pictures
const server = http.createServer(async (request, response) => { // a model that looks in each turn; 1,000 tokens are a picture, and 4,000 letters
  let body = ''
  for await (const piece of request) body += piece
  const { tools, messages } = JSON.parse(body)
  const seen = (JSON.stringify(messages).match(/data:image/g) ?? []).length
  const letters = JSON.stringify(messages).replace(/data:image[^"]*/g, '').length
  const tokens = seen * 1000 + Math.ceil(letters / 4)
  if (tools) {
    asked++
    prompt = tokens
    pictures = seen
  } else sums++
  const more = tools && asked <= turns
  const message = more ? { role: 'assistant', content: null, tool_calls: [{ id: `call-${asked}`, type: 'function', function: { name: 'look', arguments: '{"at":1}' } }] }
    : { role: 'assistant', content: tools ? 'done' : 'summary' }
  response.writeHead(200, { 'content-type': 'application/json' })
  response.end(JSON.stringify({ id: `c-${asked}-${sums}`, object: 'chat.completion', created: 1, model: 'm', choices: [{ index: 0, message, finish_reason: more ? 'tool_calls' : 'stop' }],
    usage: { prompt_tokens: tokens, completion_tokens: 10, total_tokens: tokens + 10 } }))
})
await new Promise(done => server.listen(0, '127.0.0.1', done))
const model = new ChatOpenAI({ apiKey: 'k', model: 'm', configuration: { baseURL: `http://127.0.0.1:${server.address().port}/v1` } })
const results = {
  'a text of 4,000 letters': 'seen '.repeat(800),
  'a picture': [{ type: 'image_url', image_url: { url: `data:image/png;base64,${Buffer.alloc(3000, 1).toString('base64')}` } }],
}
const edits = {
  'summaries from 4,000 tokens on': () => summarizationMiddleware({ model, trigger: { tokens: 4000 }, keep: { messages: 2 } }),
  'old results cleared from 4,000 tokens on': () => contextEditingMiddleware({ edits: [new ClearToolUsesEdit({ trigger: { tokens: 4000 }, keep: { messages: 1 } })] }),
}
for (const [edit, make] of Object.entries(edits))
  for (const [what, content] of Object.entries(results)) {
    asked = sums = 0
    const look = tool(async (_, { toolCall }) => new ToolMessage({ tool_call_id: toolCall.id, name: 'look', content }), { name: 'look', description: 'looks', schema: z.object({ at: z.number() }) })
    const end = await createAgent({ model, tools: [look], middleware: [make()] }).invoke({ messages: [{ role: 'user', content: 'go on' }] }, { recursionLimit: 200 })
      .then(({ messages }) => messages.at(-1).text, error => `error, ${error.message}`)
    console.log(`${edit}, each turn ${what}: ${end}, ${sums} summaries; the last prompt ${Math.floor(prompt / 1000)},000 tokens, ${pictures} pictures`)
  }
process.exit()
JS
node probe.mjs 2>/dev/null | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
summaries from 4,000 tokens on, each turn a text of 4,000 letters: done, 3 summaries; the last prompt 3,000 tokens, 0 pictures
summaries from 4,000 tokens on, each turn a picture: done, 0 summaries; the last prompt 12,000 tokens, 12 pictures
old results cleared from 4,000 tokens on, each turn a text of 4,000 letters: done, 0 summaries; the last prompt 3,000 tokens, 0 pictures
old results cleared from 4,000 tokens on, each turn a picture: done, 0 summaries; the last prompt 12,000 tokens, 12 pictures
SEEN
