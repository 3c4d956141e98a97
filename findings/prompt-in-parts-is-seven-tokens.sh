#!/usr/bin/env bash
# A prompt of 2,000 tokens is seven by gpt-tokens where it is written in parts, and a file of 2,000 that the model wrote in its last turn is none in the next one to any counter of four.
#
# Seen 2026-11-30 with gpt-tokens 1.3.14, openai-chat-tokens 0.2.8, openai-gpt-token-counter 1.1.2 and gpt-tokenizer 4.0.0 (Node 20.20).
# Expected: who counts the messages of a request counts what they say. A message may be a text or parts with a text each, which is the same question, and most
# SDKs send the second; a turn of an agent has its words in tool_calls, the arguments as the model wrote them. Four counters agree on a text, to the token. Of
# parts gpt-tokens counts the role alone, and prices the prompt at 0.0000175 dollars; openai-gpt-token-counter counts the letters of
# "[object Object]"; the other two throw a TypeError. None counts the tool_calls, by which most of an agent's prompt goes. So a price that
# is shown before the question is another than the bill's as soon as an agent asks, and what is held for a request is better bounded by its bytes.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts --legacy-peer-deps gpt-tokens@1.3.14 openai-chat-tokens@0.2.8 openai-gpt-token-counter@1.1.2 gpt-tokenizer@4.0.0
npm ls --depth=0

cat >probe.cjs <<'JS'
const { promptTokensEstimate } = require('openai-chat-tokens')
const { GPTTokens } = require('gpt-tokens')
const counter = require('openai-gpt-token-counter')
const { countChatCompletionTokens } = require('gpt-tokenizer/model/gpt-4o')

const model = 'gpt-4o'
const text = 'Whoever asks is told what it costs, and why. '.repeat(200)
const turns = {
  'a text': [{ role: 'user', content: text }],
  'the text in a part': [{ role: 'user', content: [{ type: 'text', text }] }],
  'the text as an argument': [
    { role: 'user', content: 'write it' },
    { role: 'assistant', content: '', tool_calls: [{ id: 'c1', type: 'function', function: { name: 'write', arguments: JSON.stringify({ text }) } }] },
    { role: 'tool', tool_call_id: 'c1', content: 'ok' },
  ],
}
const counters = {
  'gpt-tokens': messages => {
    const tokens = new GPTTokens({ model, messages })
    return `${tokens.usedTokens} ($${tokens.usedUSD})`
  },
  'openai-chat-tokens': messages => promptTokensEstimate({ messages }),
  'openai-gpt-token-counter': messages => counter.chat(messages, model),
  'gpt-tokenizer': messages => countChatCompletionTokens({ model, messages }),
}
for (const [name, messages] of Object.entries(turns)) {
  for (const [who, count] of Object.entries(counters)) {
    let told
    try {
      told = count(messages)
    } catch (error) {
      told = error.name
    }
    console.log(`${name}, ${who}: ${told}`)
  }
}
JS
node probe.cjs | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
a text, gpt-tokens: 2209 ($0.0055225)
a text, openai-chat-tokens: 2209
a text, openai-gpt-token-counter: 2208
a text, gpt-tokenizer: 2209
the text in a part, gpt-tokens: 7 ($0.0000175)
the text in a part, openai-chat-tokens: TypeError
the text in a part, openai-gpt-token-counter: 10
the text in a part, gpt-tokenizer: TypeError
the text as an argument, gpt-tokens: 20 ($0.00005)
the text as an argument, openai-chat-tokens: 18
the text as an argument, openai-gpt-token-counter: 17
the text as an argument, gpt-tokenizer: 18
SEEN
