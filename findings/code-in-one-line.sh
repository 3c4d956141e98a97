#!/usr/bin/env bash
# A program's text is embedded without its line breaks by LangChain and as it is by two others, so that an index of one is asked with vectors of another.
#
# Seen 2026-11-30 with @langchain/openai 1.5.8, @langchain/core 1.4.0, openai 6.49.0, ai 6.0.326, @ai-sdk/openai-compatible 2.0.92 and gpt-tokenizer 4.0.0 (Node 20.20).
# Expected: what is asked to be embedded is what is sent, and a client's own step, if any, is seen in what it gives back. LangChain makes a space of each
# "\n", of "\r\n" a "\r" and a space, before it asks: advice of 2022, for models of then. Python, YAML, Markdown and tables lose what their lines say, a model of
# today has another vector for the text, and the document that is stored beside it still has its lines. The number of tokens differs as well.
# Where one service fills an index through LangChain and another asks it by an SDK, nothing is an error: what is found is a little worse. A gateway,
# or a cache, that knows a text again by its bytes does not know these two for one, and the seller is paid for both. stripNewLines: false
# in the options sends what there is.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts --legacy-peer-deps @langchain/openai@1.5.8 @langchain/core@1.4.0 openai@6.49.0 ai@6.0.326 \
	@ai-sdk/openai-compatible@2.0.92 gpt-tokenizer@4.0.0
npm ls --depth=0 2>/dev/null | grep @

cat >probe.mjs <<'JS'
import http from 'node:http'
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { OpenAIEmbeddings } from '@langchain/openai'
import { embedMany } from 'ai'
import { countTokens } from 'gpt-tokenizer'
import OpenAI from 'openai'

let sent
const server = http.createServer(async (request, response) => {
  let body = ''
  for await (const piece of request) body += piece
  const { input, encoding_format } = JSON.parse(body)
  sent = [input].flat()
  const embedding = encoding_format === 'base64' ? Buffer.from(new Float32Array([1, 2]).buffer).toString('base64') : [1, 2]
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({
    object: 'list', model: 'm', data: sent.map((_, index) => ({ object: 'embedding', index, embedding })), usage: { prompt_tokens: 1, total_tokens: 1 },
  }))
})
await new Promise(done => server.listen(0, '127.0.0.1', done))
const baseURL = `http://127.0.0.1:${server.address().port}/v1`
const langchain = stripNewLines => new OpenAIEmbeddings({ model: 'm', apiKey: 'k', configuration: { baseURL }, ...stripNewLines })
const ways = {
  openai: text => new OpenAI({ baseURL, apiKey: 'k' }).embeddings.create({ model: 'm', input: [text] }),
  ai: text => embedMany({ model: createOpenAICompatible({ name: 'x', baseURL, apiKey: 'k' }).textEmbeddingModel('m'), values: [text] }),
  'langchain, a document': text => langchain().embedDocuments([text]),
  'langchain, a query': text => langchain().embedQuery(text),
  'langchain, stripNewLines: false': text => langchain({ stripNewLines: false }).embedDocuments([text]),
}
const texts = { Python: 'if paid:\n    send()\nbook()\n', 'a table': 'member,cents\r\nada,5\r\nbob,7\r\n' }
for (const [kind, text] of Object.entries(texts))
  for (const [name, way] of Object.entries(ways)) {
    await way(text)
    console.log(`${kind}, ${name}: ${sent[0] === text ? 'as it is' : JSON.stringify(sent[0])}, ${countTokens(sent[0])} tokens`)
  }
process.exit()
JS
node probe.mjs 2>/dev/null | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
Python, openai: as it is, 8 tokens
Python, ai: as it is, 8 tokens
Python, langchain, a document: "if paid:     send() book() ", 9 tokens
Python, langchain, a query: "if paid:     send() book() ", 9 tokens
Python, langchain, stripNewLines: false: as it is, 8 tokens
a table, openai: as it is, 12 tokens
a table, ai: as it is, 12 tokens
a table, langchain, a document: "member,cents\r ada,5\r bob,7\r ", 13 tokens
a table, langchain, a query: "member,cents\r ada,5\r bob,7\r ", 13 tokens
a table, langchain, stripNewLines: false: as it is, 12 tokens
SEEN
