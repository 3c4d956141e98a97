#!/usr/bin/env bash
# A structured answer that its limit has cut, or that does not fit its schema, is asked for and paid seven times by LangChain, and is on nobody's count.
#
# Seen 2026-11-29 with openai 6.49.0, @langchain/openai 1.5.8, @langchain/core 1.4.0, ai 6.0.326, @ai-sdk/openai-compatible 2.0.92,
# @instructor-ai/instructor 1.7.0 and zod 3.25.76 (Node 20.20), on a clock that jumps over each pause.
# Expected: a good answer of 200 is the end of the call, whatever the program makes of it, and a retry is for errors of the network and of
# servers. withStructuredOutput() has openai's parse() read the answer inside of what LangChain tries again, and an error without a
# status is one to try again for: the same question seven times, where the limit of tokens will cut each answer alike.
# What comes of it is an error without usage, as of parse() itself, which asks once; includeRaw changes nothing.
# The AI SDK asks once and has the usage in its error. Instructor asks as often as it was told to, and its error has none either. So a
# program's own books lack the dearest calls that it makes, and a gateway that sees a body again and again after a 200 sees no broken client.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts --legacy-peer-deps openai@6.49.0 @langchain/openai@1.5.8 @langchain/core@1.4.0 ai@6.0.326 \
	@ai-sdk/openai-compatible@2.0.92 @instructor-ai/instructor@1.7.0 zod-stream@3.0.0 zod@3.25.76 zod-to-json-schema@3.24.5
npm ls --depth=0

cat >probe.mjs <<'JS'
// The pauses before a next try are between a second and two minutes.
const wait = globalThis.setTimeout
globalThis.setTimeout = (run, pause, ...rest) => wait(run, pause >= 400 && pause <= 130000 ? 1 : pause, ...rest)
const { default: http } = await import('node:http')
const { createOpenAICompatible } = await import('@ai-sdk/openai-compatible')
const { default: createInstructor } = await import('@instructor-ai/instructor')
const { ChatOpenAI } = await import('@langchain/openai')
const { generateObject } = await import('ai')
const { default: OpenAI } = await import('openai')
const { zodResponseFormat } = await import('openai/helpers/zod')
const { z } = await import('zod')

const message = content => ({ role: 'assistant', content })
const answers = {
  'fits': { index: 0, finish_reason: 'stop', message: message('{"city":"Oslo","people":7}') },
  'does not fit': { index: 0, finish_reason: 'stop', message: message('{"city":"Oslo"}') },
  'is cut': { index: 0, finish_reason: 'length', message: message('{"city":"Oslo"') },
}
let asked, choice
const usage = { prompt_tokens: 1000, completion_tokens: 500, total_tokens: 1500 }
const server = http.createServer((request, response) => {
  asked++
  request.resume()
  response.writeHead(200, { 'content-type': 'application/json' })
  response.end(JSON.stringify({ id: 'c', object: 'chat.completion', created: 1, model: 'm', choices: [choice], usage }))
})
await new Promise(done => server.listen(0, '127.0.0.1', done))
const options = { apiKey: 'k', baseURL: `http://127.0.0.1:${server.address().port}/v1` }
const schema = z.object({ city: z.string(), people: z.number() })
const messages = [{ role: 'user', content: 'hi' }]
const langchain = more => new ChatOpenAI({ apiKey: 'k', model: 'gpt-5', configuration: options }).withStructuredOutput(schema, more).invoke('hi')
const clients = {
  'openai': () => new OpenAI(options).chat.completions.parse({ model: 'm', messages, response_format: zodResponseFormat(schema, 's') }),
  'langchain': () => langchain(),
  'langchain with includeRaw': () => langchain({ includeRaw: true }),
  'ai': () => generateObject({ model: createOpenAICompatible({ name: 'p', ...options, supportsStructuredOutputs: true })('m'), schema, prompt: 'hi' }),
  'instructor': () => createInstructor({ client: new OpenAI(options), mode: 'JSON' })
    .chat.completions.create({ model: 'm', messages, max_retries: 2, response_model: { schema, name: 'S' } }),
}
// The output that an answer or an error tells of, wherever it stands.
const output = (value, depth = 0) => {
  if (value === null || typeof value !== 'object' || depth > 6) return
  for (const name of ['completion_tokens', 'outputTokens', 'output_tokens']) if (typeof value[name] === 'number') return value[name]
  for (const key of Object.getOwnPropertyNames(value)) {
    const found = output(value[key], depth + 1)
    if (found !== undefined) return found
  }
}
for (const [name, ask] of Object.entries(clients))
  for (const [how, one] of Object.entries(answers)) {
    asked = 0
    choice = one
    const [end, told] = await ask().then(answer => ['an answer', output(answer)], error => ['an error', output(error)])
    console.log(`${name}, the answer ${how}: ${end} after ${asked} request(s), ${asked * 500} tokens paid, ${told ?? 'none'} told`)
  }
process.exit()
JS
node probe.mjs 2>/dev/null | grep , | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
openai, the answer fits: an answer after 1 request(s), 500 tokens paid, 500 told
openai, the answer does not fit: an error after 1 request(s), 500 tokens paid, none told
openai, the answer is cut: an error after 1 request(s), 500 tokens paid, none told
langchain, the answer fits: an answer after 1 request(s), 500 tokens paid, none told
langchain, the answer does not fit: an error after 7 request(s), 3500 tokens paid, none told
langchain, the answer is cut: an error after 7 request(s), 3500 tokens paid, none told
langchain with includeRaw, the answer fits: an answer after 1 request(s), 500 tokens paid, 500 told
langchain with includeRaw, the answer does not fit: an error after 7 request(s), 3500 tokens paid, none told
langchain with includeRaw, the answer is cut: an error after 7 request(s), 3500 tokens paid, none told
ai, the answer fits: an answer after 1 request(s), 500 tokens paid, 500 told
ai, the answer does not fit: an error after 1 request(s), 500 tokens paid, 500 told
ai, the answer is cut: an error after 1 request(s), 500 tokens paid, 500 told
instructor, the answer fits: an answer after 1 request(s), 500 tokens paid, 500 told
instructor, the answer does not fit: an error after 3 request(s), 1500 tokens paid, none told
instructor, the answer is cut: an error after 1 request(s), 500 tokens paid, none told
SEEN
