#!/usr/bin/env bash
# A deep research of Perplexity's that cost 41 cents, as its answer says, costs 57 by the AI SDK's counts and 1 by those of LangChain and openai's agents.
#
# Seen 2026-11-30 with ai 6.0.326, @ai-sdk/perplexity 3.0.61, @ai-sdk/openai-compatible 2.0.92, @langchain/openai 1.5.8, @langchain/core 1.4.0, @openai/agents 0.20.0
# and openai 6.49.0 (Node 20.20), at the prices of sonar-deep-research: $2 a million tokens read and cited, $8 written, $3 thought, $5 a thousand searches.
# Expected: what a client makes of an answer's counts, times their prices, is the answer's cost, or the cost that the answer has in it is handed on whole.
# Perplexity's total_tokens are those read and written. The tokens that it has cited and thought stand beside these, under names of its own, each with
# another price, and so do its searches. The AI SDK's class adds what was thought to what was written, at almost three times the price, and has a total of 71,010
# where the answer has 1,010; of six costs it hands on the total with two of its parts, so that nobody finds out why. The class for compatible servers has the
# thinking nowhere, as LangChain and the agents' SDK, since it isn't where OpenAI has it: 1 cent, a fortieth. Only "raw" and LangChain's response_metadata have
# all. No client has a place for tokens that were cited. So a gateway in front of such a seller books the answer's own cost, and doesn't try to price its
# counts; and who holds a bill of Perplexity's against a program's counts is off in either direction.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts --legacy-peer-deps ai@6.0.326 @ai-sdk/perplexity@3.0.61 @ai-sdk/openai-compatible@2.0.92 \
	@langchain/openai@1.5.8 @langchain/core@1.4.0 @openai/agents@0.20.0 openai@6.49.0 zod@4.6.7
npm ls --depth=0 2>/dev/null | grep @

cat >probe.mjs <<'JS'
import http from 'node:http'
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { createPerplexity } from '@ai-sdk/perplexity'
import { ChatOpenAI } from '@langchain/openai'
import { Agent, OpenAIProvider, Runner, setTracingDisabled } from '@openai/agents'
import { generateText } from 'ai'
import OpenAI from 'openai'

const usage = {
  prompt_tokens: 10, completion_tokens: 1000, total_tokens: 1010, citation_tokens: 20000, reasoning_tokens: 70000, num_search_queries: 30, search_context_size: 'low',
  cost: { input_tokens_cost: 0, output_tokens_cost: 0.008, citation_tokens_cost: 0.04, reasoning_tokens_cost: 0.21, search_queries_cost: 0.15, total_cost: 0.408 },
}
const server = http.createServer((request, response) => {
  request.resume()
  response.writeHead(200, { 'content-type': 'application/json' })
  response.end(JSON.stringify({ id: 'c', object: 'chat.completion', created: 1, model: 'sonar-deep-research', usage, citations: [], search_results: [],
    choices: [{ index: 0, finish_reason: 'stop', message: { role: 'assistant', content: 'hello' } }] }))
})
await new Promise(done => server.listen(0, '127.0.0.1', done))
const baseURL = `http://127.0.0.1:${server.address().port}`
const id = 'sonar-deep-research'
const show = (name, input, output, total, thought = 0) =>
  console.log(`${name}: ${input} in, ${output} out, ${thought} thought, ${total} in all; ${((input * 2 + output * 8) / 10000).toFixed(2)} cents`)
const { cost } = usage
console.log(`by the answer: ${((cost.output_tokens_cost + cost.citation_tokens_cost + cost.reasoning_tokens_cost + cost.search_queries_cost) * 100).toFixed(2)} cents`)

const ai = async (name, model) => {
  const answer = await generateText({ model, prompt: 'why?' })
  const { inputTokens, outputTokens, totalTokens, outputTokenDetails } = answer.usage
  show(name, inputTokens, outputTokens, totalTokens, outputTokenDetails.reasoningTokens)
  return answer
}
const { providerMetadata } = await ai('ai, perplexity', createPerplexity({ apiKey: 'k', baseURL })(id))
console.log(`  with the cost ${JSON.stringify(providerMetadata.perplexity.cost)}`)
await ai('ai, openai-compatible', createOpenAICompatible({ name: 'p', apiKey: 'k', baseURL })(id))
const { usage_metadata: told } = await new ChatOpenAI({ apiKey: 'k', model: id, configuration: { baseURL } }).invoke('why?')
show('langchain', told.input_tokens, told.output_tokens, told.total_tokens, told.output_token_details.reasoning)
setTracingDisabled(true)
const runner = new Runner({ modelProvider: new OpenAIProvider({ openAIClient: new OpenAI({ apiKey: 'k', baseURL }), useResponses: false }) })
const { state } = await runner.run(new Agent({ name: 'a', model: id }), 'why?')
show('@openai/agents', state.usage.inputTokens, state.usage.outputTokens, state.usage.totalTokens)
process.exit()
JS
node probe.mjs 2>/dev/null | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
by the answer: 40.80 cents
ai, perplexity: 10 in, 71000 out, 70000 thought, 71010 in all; 56.80 cents
  with the cost {"inputTokensCost":0,"outputTokensCost":0.008,"requestCost":null,"totalCost":0.408}
ai, openai-compatible: 10 in, 1000 out, 0 thought, 1010 in all; 0.80 cents
langchain: 10 in, 1000 out, 0 thought, 1010 in all; 0.80 cents
@openai/agents: 10 in, 1000 out, 0 thought, 1010 in all; 0.80 cents
SEEN
