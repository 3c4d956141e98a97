#!/usr/bin/env bash
# "It is not true" is true, "I can't help: this would repay fraud" is PAY, a question that is refused costs 2026 cents, and 12345678901234567890 is a debt, to BAML.
#
# Seen 2026-12-01 with @boundaryml/baml 0.226.2 (Node 20.20), functions that give a bool, an enum of PAY and REFUSE, an int, and a class of an item and its cents, by
# its client for servers with an API like OpenAI's.
# Expected: who asks for a type gets a value that the model has given, or an error. BAML reads answers that are no JSON, which is what it is for, and looks for
# something that could have been meant: in a sentence the one word "true", also in "not true" and "untrue"; a name of the enum, also within a word or behind
# "I will not"; the one number, also the year in "I can't tell before 2026". "12.50" and "$12.50" are the int 13, 1.250 is 1, what no int64 holds comes out with
# another sign, and one above 2^53 is another number. Of two objects it takes the first, of a list with a bad part the good ones. What a class may leave out is
# left out, so that a refusal, an empty answer and {"error": ...} are each an order of nothing. That a limit or a filter has ended the answer, or that a stream
# ends without its end, does not matter: 12 of 1250 cents are an int. It is the answer's finish_reason that tells, and finish_reason_allow_list is not set
# unless somebody sets it. Of a streamed Claude answer the collector has one output token, that of its beginning, and a refused key is asked for three times
# where a retry_policy says two retries. So money in an answer is read as a string and by one's own rule, and a gateway breaks half an answer off by the connection,
# which this client does see.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm init -y >package.out
npm pkg set type=module
npm install --silent --no-audit --no-fund --ignore-scripts @boundaryml/baml@0.226.2 tsx@4.23.15
npm ls --depth=0

mkdir baml_src
cat >baml_src/main.baml <<'BAML'
client<llm> Chat {
  provider openai-generic
  options {
    base_url env.URL
    api_key "k"
    model "m"
  }
}
retry_policy Twice {
  max_retries 2
  strategy {
    type constant_delay
    delay_ms 100
  }
}
client<llm> Refused {
  provider openai-generic
  retry_policy Twice
  options {
    base_url env.URL
    api_key "refused"
    model "m"
  }
}
client<llm> Claude {
  provider anthropic
  options {
    base_url env.CLAUDE
    api_key "k"
    model "m"
    max_tokens 1000
  }
}
enum Decision {
  PAY
  REFUSE
}
class Order {
  item string
  cents int
}
class Wish {
  item string?
  cents int?
}
function IsTrue(text: string) -> bool {
  client Chat
  prompt #"{{ text }}"#
}
function Decide(text: string) -> Decision {
  client Chat
  prompt #"{{ text }}"#
}
function Cents(text: string) -> int {
  client Chat
  prompt #"{{ text }}"#
}
function Buy(text: string) -> Order {
  client Chat
  prompt #"{{ text }}"#
}
function Wishes(text: string) -> Wish {
  client Chat
  prompt #"{{ text }}"#
}
function Several(text: string) -> Order[] {
  client Chat
  prompt #"{{ text }}"#
}
function Key(text: string) -> string {
  client Refused
  prompt #"{{ text }}"#
}
function Ask(text: string) -> string {
  client Claude
  prompt #"{{ text }}"#
}
generator typescript {
  output_type typescript
  output_dir ".."
  version "0.226.2"
  module_format esm
}
BAML
BAML_LOG=off npx baml-cli generate >generate.out

cat >probe.ts <<'TS'
import http from 'node:http'
import { Collector } from '@boundaryml/baml'
import { b } from './baml_client/index.ts'

let asked = 0, torn = false
// What it is asked is what it answers; "finish_reason: " may stand before it.
const server = http.createServer(async (request, response) => {
  let body = ''
  for await (const piece of request) body += piece
  asked++
  if (request.headers.authorization === 'Bearer refused') {
    response.writeHead(401, { 'content-type': 'application/json' })
    return response.end('{"error":{"message":"no such key","type":"invalid_request_error","code":"invalid_api_key"}}')
  }
  const { messages, stream } = JSON.parse(body)
  if (request.url === '/v1/messages') {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    const event = (type: string, rest: object) => response.write(`event: ${type}\ndata: ${JSON.stringify({ type, ...rest })}\n\n`)
    event('message_start', { message: { id: 'm', type: 'message', role: 'assistant', model: 'm', content: [], stop_reason: null, stop_sequence: null,
      usage: { input_tokens: 40, output_tokens: 1 } } })
    event('content_block_start', { index: 0, content_block: { type: 'text', text: '' } })
    event('content_block_delta', { index: 0, delta: { type: 'text_delta', text: 'hi' } })
    event('content_block_stop', { index: 0 })
    event('message_delta', { delta: { stop_reason: 'end_turn', stop_sequence: null }, usage: { output_tokens: 800 } })
    event('message_stop', {})
    return response.end()
  }
  const [, finish_reason, content] = /^(?:(length|content_filter): )?(.*)$/s.exec(messages[0].content)!
  const chunk = { id: 'c', created: 1, model: 'm' }
  if (!stream) {
    response.writeHead(200, { 'content-type': 'application/json' })
    const choices = [{ index: 0, message: { role: 'assistant', content }, finish_reason: finish_reason ?? 'stop' }]
    return response.end(JSON.stringify({ ...chunk, object: 'chat.completion', choices }))
  }
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  const choices = [{ index: 0, delta: { role: 'assistant', content }, finish_reason: null }]
  response.write(`data: ${JSON.stringify({ ...chunk, object: 'chat.completion.chunk', choices })}\n\n`)
  setTimeout(() => torn ? response.destroy() : response.end(), 50)
})
await new Promise<void>(done => server.listen(0, '127.0.0.1', done))
const CLAUDE = `http://127.0.0.1:${(server.address() as { port: number }).port}`
const env = { URL: `${CLAUDE}/v1`, CLAUDE }

const answers: [string, (text: string, options: object) => Promise<unknown>, string[]][] = [
  ['bool', b.IsTrue, ['true', 'It is not true.', 'untrue', 'It would be false to say yes.', 'no']],
  ['PAY or REFUSE', b.Decide, ['REFUSE', 'I will not PAY.', "I can't help: this would repay fraud.", 'PAY or REFUSE?']],
  ['int', b.Cents, ['1250', "I can't tell before 2026.", '12.50', '$12.50', '1.250', '1/3', '50%', 'twelve']],
  ['order', b.Buy, ['{"item":"pen","cents":1250}', '{"item":"pen","cents":"$12.50"}', '{"item":"pen","cents":9007199254740993}',
    '{"item":"pen","cents":12345678901234567890}', '{"item":"pen","cents":1} no: {"item":"pen","cents":1250}',
    'length: {"item":"pen","cents":12', 'content_filter: {"item":"pen","cents":12']],
  ['order that may leave out', b.Wishes, ["I can't help with that.", '', '{"error":"no money left"}']],
  ['orders', b.Several, ['[{"item":"a","cents":1},{"item":"b","cents":"much"},{"item":"c","cents":3}]', 'length: [{"item":"a","cents":1},{"item":"b"', "I can't."]],
]
for (const [type, call, texts] of answers)
  for (const text of texts) {
    const value = await call.call(b, text, { env }).then(v => JSON.stringify(v), () => 'an error')
    console.log(`${type}, ${text || 'nothing'}  =>  ${value}`)
  }
for (torn of [false, true]) {
  const order = await b.stream.Buy('{"item":"pen","cents":12', { env }).getFinalResponse().then(v => JSON.stringify(v), () => 'an error')
  console.log(`order, a stream that ${torn ? 'is torn' : 'just ends'}  =>  ${order}`)
}
const collector = new Collector('c')
await b.stream.Ask('hi', { env, collector }).getFinalResponse()
console.log(`Claude, streamed: ${collector.usage.outputTokens} of 800 tokens`)
asked = 0
await b.Key('hi', { env }).catch(() => {})
console.log(`a refused key: ${asked} requests`)
process.exit()
TS
BAML_LOG=off npx tsx probe.ts 2>errors | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
bool, true  =>  true
bool, It is not true.  =>  true
bool, untrue  =>  true
bool, It would be false to say yes.  =>  false
bool, no  =>  an error
PAY or REFUSE, REFUSE  =>  "REFUSE"
PAY or REFUSE, I will not PAY.  =>  "PAY"
PAY or REFUSE, I can't help: this would repay fraud.  =>  "PAY"
PAY or REFUSE, PAY or REFUSE?  =>  an error
int, 1250  =>  1250
int, I can't tell before 2026.  =>  2026
int, 12.50  =>  13
int, $12.50  =>  13
int, 1.250  =>  1
int, 1/3  =>  0
int, 50%  =>  50
int, twelve  =>  an error
order, {"item":"pen","cents":1250}  =>  {"item":"pen","cents":1250}
order, {"item":"pen","cents":"$12.50"}  =>  {"item":"pen","cents":13}
order, {"item":"pen","cents":9007199254740993}  =>  {"item":"pen","cents":9007199254740992}
order, {"item":"pen","cents":12345678901234567890}  =>  {"item":"pen","cents":-6101065172474983000}
order, {"item":"pen","cents":1} no: {"item":"pen","cents":1250}  =>  {"item":"pen","cents":1}
order, length: {"item":"pen","cents":12  =>  {"item":"pen","cents":12}
order, content_filter: {"item":"pen","cents":12  =>  {"item":"pen","cents":12}
order that may leave out, I can't help with that.  =>  {"item":null,"cents":null}
order that may leave out, nothing  =>  {"item":null,"cents":null}
order that may leave out, {"error":"no money left"}  =>  {"item":null,"cents":null}
orders, [{"item":"a","cents":1},{"item":"b","cents":"much"},{"item":"c","cents":3}]  =>  [{"item":"a","cents":1},{"item":"c","cents":3}]
orders, length: [{"item":"a","cents":1},{"item":"b"  =>  [{"item":"a","cents":1}]
orders, I can't.  =>  []
order, a stream that just ends  =>  {"item":"pen","cents":12}
order, a stream that is torn  =>  an error
Claude, streamed: 1 of 800 tokens
a refused key: 3 requests
SEEN
