#!/usr/bin/env bash
# A tool that costs a cent costs more than a cent to pay by x402-mcp: the model itself is shown the signed payment and has to copy it, 689 letters, and it stays in each prompt that follows.
#
# Seen 2026-12-01 with x402-mcp 0.0.5 (client and server), @ai-sdk/mcp 1.0.102, ai 6.0.326, @ai-sdk/openai-compatible 2.0.92, viem 2.57.20 and gpt-tokenizer 4.0.0 (o200k_base, Node 20.20). No chain is needed: the
# facilitator, on loopback, says yes to everything; the key is made here. The model is a stand-in that does what the tools' descriptions say, without a mistake, and is asked once of a free tool and once of a paid one.
# Expected: withPayment wraps a client, as x402's fetch is wrapped, so that a 402 is paid below the model, which asks for the weather and has it. It gives the model two more tools. The first call is a result with the offer, which the model
# writes down again to have it signed; the signed authorization is the next result, and the model writes that into its second call, letter by letter. Where a free tool is two requests with 9 tokens written, a paid one is four,
# with 5,100 tokens of prompts and 560 written: 1.2 cents at 1.25 and 10 dollars a million, for a tool of one. Who copies a letter wrongly has another one signed, and the first is good for five minutes still, by the offer. Both copies
# go to the model's seller and into every log of prompts. So a gateway that pays for tools does it itself, below the model, where its budget and its ledger are; and an offer or a payment that is seen in a prompt is no question of a member's.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts x402-mcp@0.0.5 @modelcontextprotocol/sdk@1.26.0 zod@3.25.76 @ai-sdk/mcp@1.0.102 @ai-sdk/openai-compatible@2.0.92 ai@6.0.326 viem@2.57.20 gpt-tokenizer@4.0.0
npm ls --depth=0

cat >probe.mjs <<'JS'
import http from 'node:http'
import { createMCPClient } from '@ai-sdk/mcp'
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { generateText, stepCountIs } from 'ai'
import { countTokens } from 'gpt-tokenizer'
import { privateKeyToAccount } from 'viem/accounts'
import { createPaidMcpHandler, withPayment } from 'x402-mcp'
import { z } from 'zod'

const listen = handler => new Promise(done => {
  const server = http.createServer(async (question, answer) => handler(Buffer.concat(await question.toArray()), question, answer))
  server.listen(0, '127.0.0.1', () => done(`http://127.0.0.1:${server.address().port}`))
})
const [network, payTo] = ['base-sepolia', '0x209693Bc6afc0C5328bA36FaF03C514EF312287C']
let settled = 0
const facilitator = await listen((body, { url }, answer) => {
  if (url === '/settle') settled++
  answer.setHeader('content-type', 'application/json')
  answer.end(JSON.stringify(url === '/verify' ? { isValid: true, payer: payTo } : { success: true, transaction: `0x${'1'.repeat(64)}`, network, payer: payTo }))
})
const sunny = async () => ({ content: [{ type: 'text', text: 'sunny' }] })
const handle = createPaidMcpHandler(server => {
  server.tool('free', 'the weather', { town: z.string() }, sunny)
  server.paidTool('paid', 'the weather', { price: 0.01 }, { town: z.string() }, {}, sunny)
}, {}, { recipient: payTo, facilitator: { url: facilitator }, network, basePath: '', disableSse: true })
const seller = await listen(async (body, { url, method, headers }, answer) => {
  const { status, headers: given, ...rest } = await handle(new Request(`http://127.0.0.1${url}`, { method, headers, ...(body.length && { body }) })).then(async whole => ({ status: whole.status, headers: whole.headers, text: await whole.text() }))
  answer.writeHead(status, Object.fromEntries(given)).end(rest.text)
})

let tool, prompts, written
const next = ({ role, content }) => {
  if (role === 'user') return [tool, { town: 'Bern' }]
  if (content.includes('accepts')) return ['generatePaymentAuthorization', { paymentRequirements: JSON.parse(JSON.parse(content)[0].text).accepts[0] }]
  if (content.includes('paymentAuthorization')) return [tool, { town: 'Bern', ...JSON.parse(content) }]
}
const fetchModel = async (_, { body }) => {
  const call = next(JSON.parse(body).messages.at(-1))
  const message = call ? { tool_calls: [{ id: `call_${prompts.length}`, type: 'function', function: { name: call[0], arguments: JSON.stringify(call[1]) } }] } : { content: 'It is sunny.' }
  prompts.push(body)
  written.push(call ? JSON.stringify(call[1]) : message.content)
  return Response.json({ id: 'c', object: 'chat.completion', created: 1, model: 'm', choices: [{ index: 0, message: { role: 'assistant', ...message }, finish_reason: call ? 'tool_calls' : 'stop' }] })
}
const model = createOpenAICompatible({ name: 'model', baseURL: 'http://model.example/v1', fetch: fetchModel })('m')
const client = await withPayment(await createMCPClient({ transport: { type: 'http', url: `${seller}/mcp` } }), { account: privateKeyToAccount(`0x${'1'.repeat(64)}`), network })
const tools = await client.tools()
const about = (n, step) => `about ${Math.round(n / step) * step}` // the nonce and the signature are others each time, and so are a few tokens
for (tool of ['free', 'paid']) {
  [prompts, written] = [[], []]
  const { text } = await generateText({ model, tools, stopWhen: stepCountIs(8), prompt: 'What is the weather in Bern?' })
  const [read, wrote] = [prompts, written].map(texts => texts.reduce((all, one) => all + countTokens(one), 0))
  const payments = new Set(prompts.at(-1).match(/eyJ[\w+/]{600,}=*/g)).size
  const copies = prompts.at(-1).match(/eyJ[\w+/]{600,}=*/g)?.length ?? 0
  console.log(`${tool}: "${text}", ${prompts.length} requests, ${about(read, 1000)} tokens of prompts, ${tool === 'free' ? wrote : about(wrote, 200)} written, more than a cent at 1.25 and 10 dollars a million: ${read * 1.25 + wrote * 10 > 10000}; the longest argument of ${Math.max(...written.map(({ length }) => length))} letters; ${settled} settled; ${payments} signed payment(s) in the last prompt, ${copies} times`)
}
process.exit()
JS
node probe.mjs 2>/dev/null | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
free: "It is sunny.", 2 requests, about 1000 tokens of prompts, 9 written, more than a cent at 1.25 and 10 dollars a million: false; the longest argument of 15 letters; 0 settled; 0 signed payment(s) in the last prompt, 0 times
paid: "It is sunny.", 4 requests, about 5000 tokens of prompts, about 600 written, more than a cent at 1.25 and 10 dollars a million: true; the longest argument of 689 letters; 1 settled; 1 signed payment(s) in the last prompt, 2 times
SEEN
