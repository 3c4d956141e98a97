#!/usr/bin/env bash
# An agent whose SDK was pointed at a gateway sends the gateway's key to the vendor all the same, and what was said with it.
#
# Seen 2026-11-28 with @openai/agents 0.20.0 and openai 6.49.0 (Node 20.20), set up by OPENAI_BASE_URL and OPENAI_API_KEY as for openai's SDK, or by
# a client of one's own. fetch to anywhere else is caught here: nothing leaves the machine.
# Expected: the base URL is where everything goes. The questions do; traces, which are on by default, go to the vendor's own address
# whatever the base URL, with the key in the variable. So the vendor gets a key that was never his, which he refuses, and with Chat
# Completions, as most gateways have it, the questions, instructions and answers as well, that somebody may have set up the gateway to
# keep inside. Only a client with a key of its own and no variable is without it. A failed export is not told to the program. So
# who hands out keys for a gateway should say OPENAI_AGENTS_DISABLE_TRACING=1 along with the base URL, and let keys be made anew easily.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts @openai/agents@0.20.0 openai@6.49.0 zod@4.6.7
npm ls --depth=0

cat >probe.mjs <<'JS'
import http from 'node:http'

const [api, own] = process.argv.slice(2)
const server = http.createServer((request, response) => {
  request.resume()
  const usage = { input_tokens: 10, output_tokens: 2, total_tokens: 12, input_tokens_details: { cached_tokens: 0 }, output_tokens_details: { reasoning_tokens: 0 } }
  const output = [{ type: 'message', id: 'm', role: 'assistant', status: 'completed', content: [{ type: 'output_text', text: 'the answer', annotations: [] }] }]
  const body = request.url.endsWith('/responses')
    ? { id: 'r', object: 'response', created_at: 1, status: 'completed', model: 'm', output, usage, error: null }
    : {
        id: 'c', object: 'chat.completion', created: 1, model: 'm', usage: { prompt_tokens: 10, completion_tokens: 2, total_tokens: 12 },
        choices: [{ index: 0, message: { role: 'assistant', content: 'the answer' }, finish_reason: 'stop' }],
      }
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body))
})
await new Promise(done => server.listen(0, '127.0.0.1', done))
const baseURL = `http://127.0.0.1:${server.address().port}/v1`
const asked = [], real = globalThis.fetch
globalThis.fetch = async (url, options) => {
  if (String(url).startsWith(baseURL)) {
    asked.push('the gateway')
    return real(url, options)
  }
  const body = String(options.body)
  asked.push(`${new URL(url).host === new URL(baseURL).host ? 'the gateway' : `another host (${new URL(url).pathname})`}, `
    + `key ${options.headers.Authorization}, question ${body.includes('my question')}, instructions ${body.includes('be brief')}, answer ${body.includes('the answer')}`)
  return new Response('{}', { status: 401 })
}
if (own === 'variables') Object.assign(process.env, { OPENAI_BASE_URL: baseURL, OPENAI_API_KEY: 'key-of-the-gateway' })
const { Agent, run, setDefaultOpenAIClient, setOpenAIAPI, getGlobalTraceProvider } = await import('@openai/agents')
const { default: OpenAI } = await import('openai')
if (own === 'client') setDefaultOpenAIClient(new OpenAI({ apiKey: 'key-of-the-gateway', baseURL }))
if (own === 'both') {
  process.env.OPENAI_API_KEY = 'key-of-the-gateway'
  setDefaultOpenAIClient(new OpenAI({ baseURL }))
}
setOpenAIAPI(api)
const result = await run(new Agent({ name: 'helper', instructions: 'be brief', model: 'm' }), 'my question')
await getGlobalTraceProvider().forceFlush()
console.log(`${api}, set up by ${own}: "${result.finalOutput}"`)
for (const one of asked) console.log(`  ${one}`)
process.exit()
JS
for api in responses chat_completions; do
	for own in variables both client; do
		env -u OPENAI_API_KEY -u OPENAI_BASE_URL -u OPENAI_AGENTS_DISABLE_TRACING node probe.mjs $api $own 2>/dev/null
	done
done | tee seen
OPENAI_AGENTS_DISABLE_TRACING=1 node probe.mjs chat_completions variables | sed '1s/^/without tracing, /' | tee -a seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
responses, set up by variables: "the answer"
  the gateway
  another host (/v1/traces/ingest), key Bearer key-of-the-gateway, question false, instructions false, answer false
responses, set up by both: "the answer"
  the gateway
  another host (/v1/traces/ingest), key Bearer key-of-the-gateway, question false, instructions false, answer false
responses, set up by client: "the answer"
  the gateway
chat_completions, set up by variables: "the answer"
  the gateway
  another host (/v1/traces/ingest), key Bearer key-of-the-gateway, question true, instructions true, answer true
chat_completions, set up by both: "the answer"
  the gateway
  another host (/v1/traces/ingest), key Bearer key-of-the-gateway, question true, instructions true, answer true
chat_completions, set up by client: "the answer"
  the gateway
without tracing, chat_completions, set up by variables: "the answer"
  the gateway
SEEN
