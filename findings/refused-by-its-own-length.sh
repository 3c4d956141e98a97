#!/usr/bin/env bash
# Told to try a POST again, undici's RetryAgent makes "body length does not match" of a 429 and of a 503, without a second try; a stream that broke off is asked for from its 295th byte on.
#
# Seen 2026-11-30 with undici 7.30.2 and openai 6.49.0 (Node 20.20), the agent as fetch's dispatcher, and by undici's own request().
# Expected: an agent that tries again asks again, with the same question, and gives back the last answer when its tries are used up. fetch hands its body over as
# something that can be read once. RetryAgent, to which "methods: ['POST']" was said as its documentation has it, begins a second request with the old Content-Length and no
# body, whose headers arrive; then it throws. The status, Retry-After and the server's words are gone, also with throwOnError: false, and to openai's SDK it is "Connection error.",
# one more reason to ask. A 402 is passed on. Where the body can be read again, as with request(), it asks six times, and throws without the words. A stream that was torn after
# two words is asked for with "Range: bytes=294-", which no model knows: what comes is a whole new answer, paid and never read, as it isn't a part. So who has such an
# agent around an SDK leaves POST out and lets the SDK try; a gateway that sees a request whose body never comes, or a Range, knows whose it may be.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts undici@7.30.2 openai@6.49.0
npm ls --depth=0

cat >probe.mjs <<'JS'
import http from 'node:http'
import OpenAI from 'openai'
import { Agent, fetch, request, RetryAgent } from 'undici'

let seen
const word = content => `data: ${JSON.stringify({ id: 'a', object: 'chat.completion.chunk', created: 1, model: 'm', choices: [{ index: 0, delta: { content }, finish_reason: null }] })}\n\n`
const server = http.createServer((question, answer) => {
  const at = { range: question.headers.range, bytes: 0 }
  seen.push(at)
  question.on('data', data => { at.bytes += data.length }).on('error', () => {}).on('end', () => {
    const [, status] = question.url.split('/')
    if (status !== '200') {
      answer.writeHead(status, { 'content-type': 'application/json', 'retry-after': '1' })
      return answer.end('{"error":{"message":"member ada has no money left"}}')
    }
    answer.writeHead(200, { 'content-type': 'text/event-stream' })
    answer.write(word('one '), () => setTimeout(() => answer.write(word('two '), () => setTimeout(() => answer.destroy(), 50)), 50))
  })
})
server.listen(0, '127.0.0.1', async () => {
  const ask = { method: 'POST', body: '{"model":"m","messages":[],"stream":true}', headers: { 'content-type': 'application/json' } }
  const agent = more => new RetryAgent(new Agent(), { methods: ['POST'], minTimeout: 50, ...more })
  const words = async body => {
    let text = ''
    try {
      for await (const part of body) text += Buffer.from(part)
    } catch (error) {
      text += `, then ${error.cause?.message ?? error.message}`
    }
    return text.replace(/data: .*?"content":"(.*?)".*?\n\n/g, '$1')
  }
  const byFetch = more => async url => {
    const answer = await fetch(url, { ...ask, dispatcher: agent(more) })
    return `${answer.status} ${await words(answer.body)}`
  }
  const ways = {
    'fetch': byFetch(),
    'fetch, throwOnError: false': byFetch({ throwOnError: false }),
    'openai, maxRetries: 0': async url => {
      const client = new OpenAI({ apiKey: 'k', baseURL: url, maxRetries: 0, fetch, fetchOptions: { dispatcher: agent() } })
      const stream = await client.chat.completions.create({ model: 'm', messages: [], stream: true })
      return `200 ${await words((async function* () { for await (const chunk of stream) yield chunk.choices[0].delta.content })())}`
    },
    'request': async url => {
      const answer = await request(url, { ...ask, dispatcher: agent() })
      return `${answer.statusCode} ${await words(answer.body)}`
    },
  }
  for (const status of [429, 503, 402, 200]) {
    for (const [name, way] of Object.entries(ways)) {
      seen = []
      const got = await way(`http://127.0.0.1:${server.address().port}/${status}`).catch(error => `error ${error.cause?.message ?? ''} / ${error.message}`)
      await new Promise(done => setTimeout(done, 300))
      const bodies = seen.filter(({ bytes }) => bytes).length
      const ranges = seen.map(({ range }) => range).filter(Boolean)
      console.log(`${status}, ${name}: ${seen.length} requests, ${bodies} with a body${ranges.length ? `, Range: ${ranges}` : ''}; ${got}`)
    }
  }
  process.exit()
})
JS
node probe.mjs | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
429, fetch: 2 requests, 1 with a body; error Request body length does not match content-length header / fetch failed
429, fetch, throwOnError: false: 2 requests, 1 with a body; error Request body length does not match content-length header / fetch failed
429, openai, maxRetries: 0: 2 requests, 1 with a body; error fetch failed / Connection error.
429, request: 6 requests, 6 with a body; error  / Request failed
503, fetch: 2 requests, 1 with a body; error Request body length does not match content-length header / fetch failed
503, fetch, throwOnError: false: 2 requests, 1 with a body; error Request body length does not match content-length header / fetch failed
503, openai, maxRetries: 0: 2 requests, 1 with a body; error fetch failed / Connection error.
503, request: 6 requests, 6 with a body; error  / Request failed
402, fetch: 1 requests, 1 with a body; 402 {"error":{"message":"member ada has no money left"}}
402, fetch, throwOnError: false: 1 requests, 1 with a body; 402 {"error":{"message":"member ada has no money left"}}
402, openai, maxRetries: 0: 1 requests, 1 with a body; error  / 402 member ada has no money left
402, request: 1 requests, 1 with a body; 402 {"error":{"message":"member ada has no money left"}}
200, fetch: 2 requests, 1 with a body, Range: bytes=294-; 200 one two , then Request body length does not match content-length header
200, fetch, throwOnError: false: 2 requests, 1 with a body, Range: bytes=294-; 200 one two , then Request body length does not match content-length header
200, openai, maxRetries: 0: 2 requests, 1 with a body, Range: bytes=294-; 200 one two , then Request body length does not match content-length header
200, request: 2 requests, 2 with a body, Range: bytes=294-; 200 one two , then server does not support the range header and the payload was partially consumed
SEEN
