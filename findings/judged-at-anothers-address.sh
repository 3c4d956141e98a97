#!/usr/bin/env bash
# A key for OpenAI, set up as for openai's SDK, and every text that is judged go to another firm's address with autoevals; where a gateway's address is set, to that.
#
# Seen 2026-11-30 with autoevals 0.3.0 and openai 6.49.0 (Node 20.20), set up by variables alone. fetch is caught here: nothing leaves the machine, and the key is none.
# Expected: a library that is built on openai's SDK and takes its key from OPENAI_API_KEY asks where the SDK asks: at OPENAI_BASE_URL, or at OpenAI. Autoevals
# makes the SDK's client itself, with a default of its own for the address, that of its maker's gateway, where no other is set. It has the key, and the
# questions, answers and references that somebody judges, which may be his users' own; nothing in the program, nor in a score, says where they have been. A
# variable that nobody needs who asks the vendor himself decides. A client that is given to init() asks where it was made for. It asks the Responses API by
# itself, by a model that isn't named in the program, of which a gateway of Chat Completions alone knows nothing. So who hands out keys says the address along
# with them, the vendor's too, and an evaluation's network lets through what is meant.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts --legacy-peer-deps autoevals@0.3.0 openai@6.49.0 zod@4.6.7
npm ls --depth=0 2>/dev/null | grep @

cat >probe.mjs <<'JS'
let asked
globalThis.fetch = async (address, options) => { // nothing leaves the machine
  const url = new URL(address.url ?? address), { model } = JSON.parse(options.body)
  asked.push(`${url.host}${url.pathname}, with ${new Headers(options.headers).get('authorization')}`)
  const chosen = '{"reasons":"r","choice":"A"}', usage = { prompt_tokens: 10, completion_tokens: 1, total_tokens: 11, input_tokens: 10, output_tokens: 1 }
  const answer = url.pathname.endsWith('/responses')
    ? { id: 'r', object: 'response', created_at: 1, status: 'completed', model, output: [{ type: 'function_call', id: 'f', call_id: 'c', name: 'select_choice', arguments: chosen, status: 'completed' }], usage }
    : url.pathname.endsWith('/embeddings') ? { object: 'list', data: [{ object: 'embedding', index: 0, embedding: Buffer.from(new Float32Array([1, 0]).buffer).toString('base64') }], model, usage }
      : { id: 'c', object: 'chat.completion', created: 1, model, choices: [{ index: 0, finish_reason: 'tool_calls',
        message: { role: 'assistant', content: null, tool_calls: [{ id: 'c', type: 'function', function: { name: 'select_choice', arguments: chosen } }] } }], usage }
  return new Response(JSON.stringify(answer), { headers: { 'content-type': 'application/json' } })
}
const { EmbeddingSimilarity, Factuality, init } = await import('autoevals')
const { default: OpenAI } = await import('openai')

const texts = { input: 'q', output: 'o', expected: 'e' }
const ways = {
  'openai itself': () => new OpenAI().chat.completions.create({ model: 'm', messages: [{ role: 'user', content: 'o' }] }),
  Factuality: () => Factuality(texts),
  EmbeddingSimilarity: () => EmbeddingSimilarity({ output: 'o', expected: 'e' }),
  'Factuality, given a client': () => {
    init({ client: new OpenAI() })
    return Factuality(texts)
  },
}
const only = process.env.OPENAI_BASE_URL ? 'with OPENAI_BASE_URL' : 'the key alone'
for (const [name, way] of Object.entries(ways)) {
  asked = []
  await way()
  console.log(`${only}, ${name}: ${[...new Set(asked)].join('; ')}`)
}
JS
{
	env -u OPENAI_BASE_URL -u BRAINTRUST_API_KEY -u BRAINTRUST_AI_GATEWAY_URL OPENAI_API_KEY=vendors-key node probe.mjs
	OPENAI_API_KEY=vendors-key OPENAI_BASE_URL=http://gateway.example/v1 node probe.mjs
} | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
the key alone, openai itself: api.openai.com/v1/chat/completions, with Bearer vendors-key
the key alone, Factuality: gateway.braintrust.dev/responses, with Bearer vendors-key
the key alone, EmbeddingSimilarity: gateway.braintrust.dev/embeddings, with Bearer vendors-key
the key alone, Factuality, given a client: api.openai.com/v1/responses, with Bearer vendors-key
with OPENAI_BASE_URL, openai itself: gateway.example/v1/chat/completions, with Bearer vendors-key
with OPENAI_BASE_URL, Factuality: gateway.example/v1/responses, with Bearer vendors-key
with OPENAI_BASE_URL, EmbeddingSimilarity: gateway.example/v1/embeddings, with Bearer vendors-key
with OPENAI_BASE_URL, Factuality, given a client: gateway.example/v1/responses, with Bearer vendors-key
SEEN
