#!/usr/bin/env bash
# "What does <|endoftext|> mean?" has no tokens but an error for six counters of eight, "<|im_start|>" for one; a gateway that counts before it asks refuses it, or lets it through for nothing.
#
# Seen 2026-12-01 with js-tiktoken 1.0.21, tiktoken 1.0.22, gpt-tokenizer 4.0.0, ai-tokenizer 1.0.6 (each with o200k_base), gpt-tokens 1.3.14, openai-chat-tokens 0.2.8,
# openai-gpt-token-counter 1.1.2 and @anthropic-ai/tokenizer 0.0.4 (Node 20.20).
# Expected: any text has a number of tokens, since a model's API takes any, as words of somebody who asks about them, or in a file that an agent has read: a
# tokenizer's own source, a prompt's template, the logs of a local model. What looks like a special token is by default an error to all of those that encode with
# OpenAI's tables, by whatever name they count: encode(), encodeChat(), count(), usedTokens. Which ones do goes by the package: "<|im_start|>" and
# "<|im_end|>" are plain words to tiktoken's o200k_base and an error to gpt-tokenizer's, "<|fim_prefix|>" to that and to a counter that still has an older table. Each
# has an option under which it counts, and it is another one each time: encode(text, [], []) for js-tiktoken, encode_ordinary(text) for tiktoken,
# { disallowedSpecial: new Set() } for gpt-tokenizer; gpt-tokens and openai-chat-tokens hand none through. So whoever holds money by such a count
# passes the option, tries it with these words, and has a bound for what can't be counted: bytes, never 0.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts --legacy-peer-deps js-tiktoken@1.0.21 tiktoken@1.0.22 gpt-tokenizer@4.0.0 ai-tokenizer@1.0.6 gpt-tokens@1.3.14 \
	openai-chat-tokens@0.2.8 openai-gpt-token-counter@1.1.2 @anthropic-ai/tokenizer@0.0.4
npm ls --depth=0

cat >probe.mjs <<'JS'
import { createRequire } from 'node:module'
import { countTokens } from '@anthropic-ai/tokenizer'
import { Tokenizer } from 'ai-tokenizer'
import * as table from 'ai-tokenizer/encoding/o200k_base'
import * as gptTokenizer from 'gpt-tokenizer/encoding/o200k_base'
import { getEncoding } from 'js-tiktoken'
import { get_encoding } from 'tiktoken'

const require = createRequire(import.meta.url)
const { GPTTokens } = require('gpt-tokens')
const { promptTokensEstimate } = require('openai-chat-tokens')
const counter = require('openai-gpt-token-counter')
const [js, wasm] = [getEncoding('o200k_base'), get_encoding('o200k_base')]
const messages = content => [{ role: 'user', content }]
const counters = {
  'js-tiktoken': text => js.encode(text).length,
  tiktoken: text => wasm.encode(text).length,
  'gpt-tokenizer': text => gptTokenizer.encode(text).length,
  'gpt-tokenizer, encodeChat': text => gptTokenizer.encodeChat(messages(text), 'gpt-4o').length,
  'ai-tokenizer': text => new Tokenizer(table).count(text),
  'gpt-tokens': text => new GPTTokens({ model: 'gpt-4o', messages: messages(text) }).usedTokens,
  'openai-chat-tokens': text => promptTokensEstimate({ messages: messages(text) }),
  'openai-gpt-token-counter': text => counter.chat(messages(text), 'gpt-4'),
  '@anthropic-ai/tokenizer': countTokens,
  'js-tiktoken, told so': text => js.encode(text, [], []).length,
  'tiktoken, encode_ordinary': text => wasm.encode_ordinary(text).length,
  'gpt-tokenizer, told so': text => gptTokenizer.encode(text, { disallowedSpecial: new Set() }).length,
}
const tokens = (count, text) => {
  try {
    return count(text)
  } catch {
    return 'an error'
  }
}
for (const [name, count] of Object.entries(counters))
  console.log(`${name}: ${['it', '<|endoftext|>', '<|fim_prefix|>', '<|im_start|>'].map(word => `${word} ${tokens(count, `What does ${word} mean?`)}`).join(', ')}`)
JS
timeout 60 node probe.mjs 2>errors | tee seen || { cat errors; exit 1; }
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
js-tiktoken: it 5, <|endoftext|> an error, <|fim_prefix|> 10, <|im_start|> 10
tiktoken: it 5, <|endoftext|> an error, <|fim_prefix|> 10, <|im_start|> 10
gpt-tokenizer: it 5, <|endoftext|> an error, <|fim_prefix|> an error, <|im_start|> an error
gpt-tokenizer, encodeChat: it 12, <|endoftext|> an error, <|fim_prefix|> an error, <|im_start|> an error
ai-tokenizer: it 5, <|endoftext|> an error, <|fim_prefix|> 10, <|im_start|> 10
gpt-tokens: it 12, <|endoftext|> an error, <|fim_prefix|> 17, <|im_start|> 17
openai-chat-tokens: it 12, <|endoftext|> an error, <|fim_prefix|> an error, <|im_start|> 16
openai-gpt-token-counter: it 11, <|endoftext|> 12, <|fim_prefix|> 12, <|im_start|> 12
@anthropic-ai/tokenizer: it 5, <|endoftext|> 11, <|fim_prefix|> 12, <|im_start|> 11
js-tiktoken, told so: it 5, <|endoftext|> 11, <|fim_prefix|> 10, <|im_start|> 10
tiktoken, encode_ordinary: it 5, <|endoftext|> 11, <|fim_prefix|> 10, <|im_start|> 10
gpt-tokenizer, told so: it 5, <|endoftext|> 11, <|fim_prefix|> 10, <|im_start|> 10
SEEN
