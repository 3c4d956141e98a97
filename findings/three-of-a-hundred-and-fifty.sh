#!/usr/bin/env bash
# Of 150 documents that Cohere is paid to put in order LangChain gives back three, and neither it nor the AI SDK says that two searches were paid.
#
# Seen 2026-11-30 with @langchain/cohere 1.0.5, @langchain/core 1.4.0, ai 6.0.326, @ai-sdk/cohere 3.0.63 and cohere-ai 8.1.0 (Node 20.20).
# Expected: who has documents put in order and names no number gets them all back in order, as from the API; and what is billed, a search unit for each hundred
# of documents here, is with the answer, as tokens are. Cohere's own client does both. LangChain's CohereRerank has a topN of 3: 147 documents are
# sent, judged and paid, and gone, in compressDocuments() and in rerank() alike, with no error, and the answer that is written from three of them lacks what stood
# in the fourth; null or undefined for topN is 3 as well, so that the number of documents is the only way to have all. The AI SDK gives all. Its result has a
# usage for embeddings and none for this: the billed units are in the response's body alone, LangChain's has them nowhere. So a gateway that carries
# such requests takes its price from billed_units in the answer, not from a count of the client's, and who misses documents looks for topN before he
# looks at his index.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts --legacy-peer-deps @langchain/cohere@1.0.5 @langchain/core@1.4.0 ai@6.0.326 @ai-sdk/cohere@3.0.63 \
	cohere-ai@8.1.0 zod@4.6.7
npm ls --depth=0 2>/dev/null | grep @

cat >probe.mjs <<'JS'
import http from 'node:http'
import { createCohere } from '@ai-sdk/cohere'
import { CohereRerank } from '@langchain/cohere'
import { rerank } from 'ai'
import { CohereClient, CohereClientV2 } from 'cohere-ai'

let sent
const server = http.createServer(async (request, response) => {
  let body = ''
  for await (const piece of request) body += piece
  const { documents, top_n: top } = JSON.parse(body)
  sent = `${documents.length} sent, top_n ${top}`
  response.writeHead(200, { 'content-type': 'application/json' })
  response.end(JSON.stringify({ id: 'r', results: documents.slice(0, top).map((_, index) => ({ index, relevance_score: 1 - index / 1000 })),
    meta: { api_version: { version: '2' }, billed_units: { search_units: Math.ceil(documents.length / 100) } } }))
})
await new Promise(done => server.listen(0, '127.0.0.1', done))
const environment = `http://127.0.0.1:${server.address().port}`
const texts = Array.from({ length: 150 }, (_, at) => `text ${at}`)
const documents = texts.map(pageContent => ({ pageContent, metadata: {} }))
const model = 'rerank-v3.5'
const langchain = settings => new CohereRerank({ model, client: new CohereClient({ token: 'k', environment }), ...settings })
const units = answer => JSON.stringify(answer).match(/"(search_units|searchUnits)":(\d+)/)?.[2] ?? 'no'
const ways = {
  'cohere-ai': async () => {
    const answer = await new CohereClientV2({ token: 'k', environment }).rerank({ model, query: 'q', documents: texts })
    return [answer.results, answer]
  },
  ai: async () => {
    const { ranking, response, ...rest } = await rerank({ model: createCohere({ apiKey: 'k', baseURL: environment }).reranking(model), query: 'q', documents: texts })
    return [ranking, { ranking, ...rest }, response.body]
  },
  'langchain, compressDocuments()': async () => {
    const answer = await langchain().compressDocuments(documents, 'q')
    return [answer, answer]
  },
  'langchain, rerank()': async () => {
    const answer = await langchain().rerank(documents, 'q')
    return [answer, answer]
  },
  'langchain, topN: undefined': async () => {
    const answer = await langchain({ topN: undefined }).compressDocuments(documents, 'q')
    return [answer, answer]
  },
  'langchain, topN: 150': async () => {
    const answer = await langchain({ topN: 150 }).compressDocuments(documents, 'q')
    return [answer, answer]
  },
}
for (const [name, way] of Object.entries(ways)) {
  const [given, answer, body] = await way()
  console.log(`${name}: ${sent}, ${given.length} given back; ${units(answer)} units told${body ? `, ${units(body)} in the body` : ''}`)
}
process.exit()
JS
node probe.mjs 2>/dev/null | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
cohere-ai: 150 sent, top_n undefined, 150 given back; 2 units told
ai: 150 sent, top_n undefined, 150 given back; no units told, 2 in the body
langchain, compressDocuments(): 150 sent, top_n 3, 3 given back; no units told
langchain, rerank(): 150 sent, top_n 3, 3 given back; no units told
langchain, topN: undefined: 150 sent, top_n 3, 3 given back; no units told
langchain, topN: 150: 150 sent, top_n 150, 150 given back; no units told
SEEN
