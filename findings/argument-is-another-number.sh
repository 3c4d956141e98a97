#!/usr/bin/env bash
# The arguments of a tool call, a string that the model wrote, come back to it as another string, with another number in it.
#
# Seen 2026-11-28 with openai 6.49.0, ai 6.0.326, @ai-sdk/openai-compatible 2.0.92, @langchain/openai 1.5.8 and @langchain/core 1.4.0
# (Node 20.20). Chat Completions has "arguments" as a string just so that nobody has to read it on its way back.
# Expected: the next request has the model's own message in it, byte by byte, as the loop of openai's runTools does. The AI SDK and
# LangChain keep what they parsed and write that: other spaces and escapes, keys that look like numbers first, 1.0 as 1, and
# the id 12345678901234567890 as 12345678901234567000, for the tool and in what the model then reads as its own
# words. For a server whose cache goes by the prompt's beginning the turn is new from the first tool call on, at the full price of
# input; a gateway that finds the seller of the last turn by a hash of the messages must leave the arguments out of it.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts openai@6.49.0 ai@6.0.326 @ai-sdk/openai-compatible@2.0.92 \
	@langchain/openai@1.5.8 @langchain/core@1.4.0
npm ls --depth=0

cat >probe.mjs <<'JS'
import http from 'node:http'
import { once } from 'node:events'
import { json } from 'node:stream/consumers'
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { HumanMessage, ToolMessage } from '@langchain/core/messages'
import { ChatOpenAI } from '@langchain/openai'
import { generateText, jsonSchema, stepCountIs, tool } from 'ai'
import OpenAI from 'openai'

const written = '{"path": "a\\/b", "order": 12345678901234567890, "price": 1.0, "rows": {"2": "x", "1": "y"}}'
const server = http.createServer(async (request, response) => {
  const name = request.url.split('/')[1]
  const { messages } = await json(request)
  const back = messages.find(message => message.role === 'assistant')
  if (back) console.log(`${name} sends back  ${back.tool_calls[0].function.arguments}`)
  const call = { id: 'c1', type: 'function', function: { name: 'buy', arguments: written } }
  const message = { role: 'assistant', content: back ? 'done' : null, ...(back ? {} : { tool_calls: [call] }) }
  response.writeHead(200, { 'content-type': 'application/json' })
  response.end(JSON.stringify({ id: '1', object: 'chat.completion', model: 'm', choices: [{ index: 0, message, finish_reason: back ? 'stop' : 'tool_calls' }] }))
})
server.listen(0, '127.0.0.1')
await once(server, 'listening')
const options = name => ({ apiKey: 'k', baseURL: `http://127.0.0.1:${server.address().port}/${name}` })
const schema = { type: 'object' }
const messages = [{ role: 'user', content: 'hi' }]
console.log(`the model wrote    ${written}`)

await new OpenAI(options('openai')).chat.completions.runTools({
  model: 'm', messages, tools: [{ type: 'function', function: { name: 'buy', parameters: schema, parse: JSON.parse, function: () => 'bought' } }],
}).finalContent()

await generateText({
  model: createOpenAICompatible({ name: 'x', ...options('ai') })('m'), messages, stopWhen: stepCountIs(2),
  tools: { buy: tool({ inputSchema: jsonSchema(schema), execute: input => (console.log(`ai's tool gets  ${input.order}`), 'bought') }) },
})

const model = new ChatOpenAI({ model: 'm', apiKey: 'k', configuration: options('langchain') })
const question = new HumanMessage('hi')
const answer = await model.invoke([question])
await model.invoke([question, answer, new ToolMessage({ content: 'bought', tool_call_id: 'c1' })])
process.exit()
JS
node probe.mjs | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
the model wrote    {"path": "a\/b", "order": 12345678901234567890, "price": 1.0, "rows": {"2": "x", "1": "y"}}
openai sends back  {"path": "a\/b", "order": 12345678901234567890, "price": 1.0, "rows": {"2": "x", "1": "y"}}
ai's tool gets  12345678901234567000
ai sends back  {"path":"a/b","order":12345678901234567000,"price":1,"rows":{"1":"y","2":"x"}}
langchain sends back  {"path":"a/b","order":12345678901234567000,"price":1,"rows":{"1":"y","2":"x"}}
SEEN
