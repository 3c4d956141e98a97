#!/usr/bin/env bash
# Everyday prompts have a token for each byte or two: no rule of "four bytes a token", nor three, bounds a prompt.
#
# Seen 2026-11-27 with gpt-tokenizer 4.0.0 (o200k_base) and @anthropic-ai/tokenizer 0.0.4 (the last that was
# published, made for older models), on Node 20.20.
# English prose has 4.5 bytes a token. What agents send beside prose has far fewer: a row of single digits 1.0, a column
# of flags 1.0, Base64 1.5, a list of UUIDs or a hex digest 1.7, deeply nested JSON 1.7, numbers with all their places 2.2.
# And the two vendors' tokenizers differ by more than two for one text: "0 1 2 3" is 1.0 for one and 2.0 for the other, Thai
# 7.2 and 1.8. So an estimate from the length of the body is too low by up to four, and money that is held by it is not
# a bound; one token a byte is.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts gpt-tokenizer@4.0.0 @anthropic-ai/tokenizer@0.0.4
npm ls --depth=0

cat >probe.mjs <<'JS'
import { createHash } from 'node:crypto'
import { countTokens as anthropic } from '@anthropic-ai/tokenizer'
import { countTokens as openai } from 'gpt-tokenizer/encoding/o200k_base'

const digests = [...Array(60).keys()].map(i => createHash('sha256').update(`${i}`).digest())
const uuid = digest => digest.toString('hex', 0, 16).replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
const prompts = {
  'English prose': 'The seller answers late, so the gateway asks the next one and keeps what it has paid. '.repeat(20),
  'row of digits': [...Array(500).keys()].map(i => i % 10).join(' '),
  'column of flags': '0,1,1,0,'.repeat(300),
  'Base64': Buffer.concat(digests).toString('base64'),
  'hex digests': Buffer.concat(digests).toString('hex'),
  'list of UUIDs': JSON.stringify(digests.map(uuid)),
  'nested JSON': JSON.stringify({ a: [[1, 2], [3, 4], { x: [], y: {} }] }).repeat(40),
  'measurements': JSON.stringify([...Array(200).keys()].map(i => Math.sin(i + 1))),
  'Thai prose': 'สวัสดีครับ วันนี้อากาศดีมาก'.repeat(30),
}
for (const [name, text] of Object.entries(prompts)) {
  const each = count => (Buffer.byteLength(text) / count(text)).toFixed(1)
  console.log(`${name}: ${each(openai)} and ${each(anthropic)} bytes a token`)
}
JS
node probe.mjs | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
English prose: 4.5 and 4.5 bytes a token
row of digits: 1.0 and 2.0 bytes a token
column of flags: 1.0 and 1.0 bytes a token
Base64: 1.5 and 1.4 bytes a token
hex digests: 1.8 and 1.7 bytes a token
list of UUIDs: 1.7 and 1.6 bytes a token
nested JSON: 1.7 and 1.7 bytes a token
measurements: 2.2 and 2.0 bytes a token
Thai prose: 7.2 and 1.8 bytes a token
SEEN
