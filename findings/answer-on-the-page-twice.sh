#!/usr/bin/env bash
# Half an answer, "pay 12" of "pay 1250 cents", is a finished one to a chat page of the AI SDK's; resumed, the page has both, and the next turn tells the model both.
#
# Seen 2026-11-30 with ai 6.0.326 (Node 20.20), and the same with 7.0.173: streamText and toUIMessageStreamResponse as they come at the server, the chat that
# useChat is made of at the page.
# Expected: the page's stream has a part "finish" at its end, so one that ends without it has been broken off, and that is an error. With a connection that breaks
# it is; behind a proxy that ends the answer well in its place, as several do, the chat is "ready", without an error, and onFinish has isError, isDisconnect and
# isAbort false; only the missing finishReason and a text's state "streaming" tell. A page that comes back asks for the answer from its beginning with
# resumeStream, and the chat replaces the half one where the part "start" has the message's id. toUIMessageStreamResponse writes none unless it is given the
# messages, or a function that makes ids, so the answer becomes one more message: the page shows "pay 12" and "pay 1250 cents", both are sent in each next
# turn, and the prompt is paid for both; of a whole answer that is resumed once more there are two just so. So a gateway breaks off what is not whole instead of
# ending it, and a server that lets answers be resumed gives them ids.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts ai@6.0.326
npm ls --depth=0

cat >probe.mjs <<'JS'
import http from 'node:http'
import { AbstractChat, convertToModelMessages, DefaultChatTransport, generateId, simulateReadableStream, streamText } from 'ai'
import { MockLanguageModelV3 } from 'ai/test'

const inputTokens = { total: 5, noCache: 5 }
const chunks = [
  { type: 'stream-start', warnings: [] },
  { type: 'text-start', id: '0' },
  ...['pay', ' 12', '50', ' cents'].map(delta => ({ type: 'text-delta', id: '0', delta })),
  { type: 'text-end', id: '0' },
  { type: 'finish', finishReason: { unified: 'stop', raw: 'stop' }, usage: { inputTokens, outputTokens: { total: 4, text: 4 } } },
]
const model = new MockLanguageModelV3({ doStream: async () => ({ stream: simulateReadableStream({ chunks }) }) })

// The answer is kept by its server, as for resuming it: asked by POST it is written as far as the case has it, asked by GET whole.
let kept, end, withId
const server = http.createServer(async (request, response) => {
  if (request.method === 'POST') {
    for await (const _ of request);
    const answer = streamText({ model, prompt: 'what do I pay?' }).toUIMessageStreamResponse(withId ? { generateMessageId: generateId } : {})
    kept = (await answer.text()).split(/(?<=\n\n)/)
  }
  response.writeHead(200, { 'content-type': 'text/event-stream', 'x-vercel-ai-ui-message-stream': 'v1' })
  const whole = request.method === 'GET' || end === 'whole'
  const part = whole ? kept : kept.slice(0, kept.findIndex(event => event.includes(' 12')) + 1)
  response.write(part.join(''), () => (end === 'broken off' && !whole ? setImmediate(() => response.destroy()) : response.end()))
})
await new Promise(done => server.listen(0, '127.0.0.1', done))

class Chat extends AbstractChat {
  constructor(options) {
    super({ ...options, state: {
      messages: [], status: 'ready', error: undefined, snapshot: structuredClone,
      pushMessage(message) { this.messages = [...this.messages, message] },
      popMessage() { this.messages = this.messages.slice(0, -1) },
      replaceMessage(index, message) { this.messages = this.messages.with(index, message) },
    } })
  }
}
for ([end, withId] of [['whole', false], ['broken off', false], ['ended early', false], ['ended early', true]]) {
  let finish
  const chat = new Chat({
    transport: new DefaultChatTransport({ api: `http://127.0.0.1:${server.address().port}/chat` }),
    onFinish: ({ isError, isDisconnect, isAbort, finishReason }) => { finish = { isError, isDisconnect, isAbort, finishReason: finishReason ?? 'none' } },
  })
  await chat.sendMessage({ text: 'what do I pay?' })
  const { text, state } = chat.lastMessage.parts.find(({ type }) => type === 'text')
  console.log(`${end}, ${withId ? 'with' : 'without'} the message's id: ${chat.status}, error ${chat.error ? 'yes' : 'none'}, "${text}" (${state}), onFinish ${JSON.stringify(finish)}`)
  await chat.resumeStream()
  const next = await convertToModelMessages(chat.messages)
  console.log(`  resumed: ${chat.status}, and the next turn begins with ${next.map(({ role, content }) => `${role} "${content.map(part => part.text).join('')}"`).join(', ')}`)
}
process.exit()
JS
node probe.mjs | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
whole, without the message's id: ready, error none, "pay 1250 cents" (done), onFinish {"isError":false,"isDisconnect":false,"isAbort":false,"finishReason":"stop"}
  resumed: ready, and the next turn begins with user "what do I pay?", assistant "pay 1250 cents", assistant "pay 1250 cents"
broken off, without the message's id: error, error yes, "pay 12" (streaming), onFinish {"isError":true,"isDisconnect":false,"isAbort":false,"finishReason":"none"}
  resumed: ready, and the next turn begins with user "what do I pay?", assistant "pay 12", assistant "pay 1250 cents"
ended early, without the message's id: ready, error none, "pay 12" (streaming), onFinish {"isError":false,"isDisconnect":false,"isAbort":false,"finishReason":"none"}
  resumed: ready, and the next turn begins with user "what do I pay?", assistant "pay 12", assistant "pay 1250 cents"
ended early, with the message's id: ready, error none, "pay 12" (streaming), onFinish {"isError":false,"isDisconnect":false,"isAbort":false,"finishReason":"none"}
  resumed: ready, and the next turn begins with user "what do I pay?", assistant "pay 1250 cents"
SEEN
