#!/usr/bin/env bash
# A call of 10 cents and one of 20 are 0.30000000000000004 dollars, as JavaScript writes them, and of that json-bigint makes a text, an object that adds up as one, or an error that takes the answer with it.
#
# Seen 2026-12-01 with json-bigint 1.0.0, lossless-json 4.3.3, json-with-bigint 3.5.12 and axios 1.21.1 (Node 20.20), the three usual readers of JSON
# for whole numbers that are too large for JavaScript, as ids and a token's units are; the first one in axios' transformResponse, where it mostly stands.
# Expected: they are another reader for whole numbers beyond 2^53, and leave all others what JSON.parse makes of them. json-with-bigint does, and
# lossless-json gives an object that counts as a number. json-bigint goes by the number of letters: what has more than 15 is large, so that 0.0012 is a
# number and 0.30000000000000004 is none, and which of the two a sum of dollars is goes by its last binary digit. As it comes it is an object of
# bignumber.js, and "+" joins its text: costs of 0.4, 0.3 and 0.1 are "0.40.300000000000000040.1", which no limit is below or above. With
# useNativeBigInt, which is there for the ids, the whole answer beside it is a SyntaxError, paid as it is. With storeAsString it is a text. A test that has
# short prices sees nothing of it. So a gateway writes money as whole units, or rounds a sum before it writes it: six
# places are eight letters and never a float's tail.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts json-bigint@1.0.0 lossless-json@4.3.3 json-with-bigint@3.5.12 axios@1.21.1
npm ls --depth=0

cat >probe.mjs <<'JS'
import axios from 'axios'
import http from 'node:http'
import { once } from 'node:events'
import JSONbig from 'json-bigint'
import { JSONParse } from 'json-with-bigint'
import { parse } from 'lossless-json'

const calls = [0.1 + 0.1 + 0.2, 0.1 + 0.2, 0.1]
const server = http.createServer((request, response) => {
  response.setHeader('content-type', 'application/json')
  const cost = { calls, rounded: calls.map(one => Number(one.toFixed(6))) }[request.url.slice(1)]
  response.end(`{"id":9007199254740993,"answer":"hello","costs":${JSON.stringify(cost)}}`)
}).listen(0, '127.0.0.1')
await once(server, 'listening')
const readers = {
  'JSON.parse': JSON.parse,
  'json-bigint': JSONbig.parse,
  'json-bigint, useNativeBigInt': JSONbig({ useNativeBigInt: true }).parse,
  'json-bigint, storeAsString': JSONbig({ storeAsString: true }).parse,
  'json-with-bigint': JSONParse,
  'lossless-json': text => parse(text),
}
for (const costs of ['rounded', 'calls'])
  for (const [name, read] of Object.entries(readers)) {
    const asked = axios.get(`http://127.0.0.1:${server.address().port}/${costs}`, { transformResponse: text => read(text) })
    console.log(`${costs}, ${name}: ` + await asked.then(({ data: { id, answer, costs } }) => {
      const sum = costs.reduce((all, one) => all + one, 0)
      return `${answer}, id ${id}, sum ${JSON.stringify(sum)}, over 10 dollars: ${sum > 10}, within: ${sum <= 10}`
    }, error => `${error.name}: ${error.message}`))
  }
process.exit()
JS
node probe.mjs 2>errors | tee seen || { cat errors; exit 1; }
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
rounded, JSON.parse: hello, id 9007199254740992, sum 0.7999999999999999, over 10 dollars: false, within: true
rounded, json-bigint: hello, id 9007199254740993, sum 0.7999999999999999, over 10 dollars: false, within: true
rounded, json-bigint, useNativeBigInt: hello, id 9007199254740993, sum 0.7999999999999999, over 10 dollars: false, within: true
rounded, json-bigint, storeAsString: hello, id 9007199254740993, sum 0.7999999999999999, over 10 dollars: false, within: true
rounded, json-with-bigint: hello, id 9007199254740993, sum 0.7999999999999999, over 10 dollars: false, within: true
rounded, lossless-json: hello, id 9007199254740993, sum 0.7999999999999999, over 10 dollars: false, within: true
calls, JSON.parse: hello, id 9007199254740992, sum 0.8, over 10 dollars: false, within: true
calls, json-bigint: hello, id 9007199254740993, sum "0.40.300000000000000040.1", over 10 dollars: false, within: false
calls, json-bigint, useNativeBigInt: SyntaxError: Cannot convert 0.30000000000000004 to a BigInt
calls, json-bigint, storeAsString: hello, id 9007199254740993, sum "0.40.300000000000000040.1", over 10 dollars: false, within: false
calls, json-with-bigint: hello, id 9007199254740993, sum 0.8, over 10 dollars: false, within: true
calls, lossless-json: hello, id 9007199254740993, sum 0.8, over 10 dollars: false, within: true
SEEN
