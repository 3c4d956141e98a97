#!/usr/bin/env bash
# A document is embedded as a question by the AI SDK's client for Cohere and as a document by LangChain's, in one index of the same model; and nothing in the answer tells.
#
# Seen 2026-11-30 with ai 6.0.326, @ai-sdk/cohere 3.0.63, @langchain/cohere 1.0.5, @langchain/core 1.4.0 and cohere-ai 8.1.0 (Node 20.20). fetch is caught: nothing
# leaves the machine.
# Expected: of a model that makes one vector of a text that is searched for and another of a text that is found, each client says which is which, or it refuses
# to guess. Cohere's API wants "input_type". LangChain's class has "search_document" for embedDocuments and "search_query" for embedQuery. The AI SDK has one for both,
# "search_query", unless it is told by providerOptions in each call: embedMany, which is what an index is filled with, files each document as a question. An index that one
# of the two has filled is asked by the other without an error, with the same number of dimensions; it only finds worse, and who notices pays for all vectors once more.
# So a cache of vectors in a gateway has the input_type in its key, as the same text and model are two vectors, and who fills an index looks at what is sent.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts ai@6.0.326 @ai-sdk/cohere@3.0.63 @langchain/cohere@1.0.5 @langchain/core@1.4.0 cohere-ai@8.1.0
npm ls --depth=0

cat >probe.mjs <<'JS'
import { createCohere } from '@ai-sdk/cohere'
import { CohereEmbeddings } from '@langchain/cohere'
import { embed, embedMany } from 'ai'

let asked
globalThis.fetch = async (url, { body }) => {
  asked = JSON.parse(body)
  const embeddings = { float: asked.texts.map(() => [1, 2]) }
  return Response.json({ id: 'e', response_type: 'embeddings_by_type', embeddings, texts: asked.texts, meta: { billed_units: { input_tokens: 2 } } })
}
const name = 'embed-v4.0'
const model = createCohere({ apiKey: 'k' }).embedding(name)
const langchain = new CohereEmbeddings({ apiKey: 'k', model: name })
const ways = {
  'ai, embedMany': () => embedMany({ model, values: ['a document', 'another'] }),
  'ai, embed': () => embed({ model, value: 'a question' }),
  'ai, embedMany, told': () => embedMany({ model, values: ['a document'], providerOptions: { cohere: { inputType: 'search_document' } } }),
  'LangChain, embedDocuments': () => langchain.embedDocuments(['a document', 'another']),
  'LangChain, embedQuery': () => langchain.embedQuery('a question'),
}
for (const [way, ask] of Object.entries(ways)) {
  await ask()
  console.log(`${way}: ${asked.input_type}`)
}
JS
node probe.mjs 2>/dev/null | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
ai, embedMany: search_query
ai, embed: search_query
ai, embedMany, told: search_document
LangChain, embedDocuments: search_document
LangChain, embedQuery: search_query
SEEN
