#!/usr/bin/env bash
# A batch's answer with a line separator in its words is two broken lines to a popular reader of lines for Node and to two usual ways in Python, and its tokens are nobody's.
#
# Seen 2026-11-30 with byline 5.0.0, split2 4.2.0, ndjson 2.0.0, line-reader 0.4.0 (Node 20.20) and Debian's python3 3.11, python3-httpx 0.23.3-1 and
# python3-requests 2.28.1+dfsg-1.
# Expected: a batch's results are a file of JSON, one to a line, and a line ends at "\n". JSON lets U+2028, U+2029 and U+0085 stand in a text as they are, models write them
# where they quote web pages and PDFs, and JSON.stringify leaves them. byline ends a line at each, as no other of five for Node does; so do Python's str.splitlines() and
# requests' iter_lines(decode_unicode=True), which is built on it, where bytes, httpx' iter_lines() and requests' own default do not. The one answer is two pieces that don't parse: who skips what doesn't parse has lost an answer that
# was paid, who stops has none of those behind it. No test has such an answer. Go's encoding/json writes U+2028 as an escape, and leaves U+0085, so a file that
# a gateway in Go has written anew breaks less often and not never. So a writer of such files escapes all three, and a reader
# splits at "\n": bytes, where it is Python.
set -euo pipefail
tmp=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; wait; rm -rf "$tmp"' EXIT
cd "$tmp"
mkdir -p lists/partial cache/archives/partial
apt=(apt-get -qq -o "Dir::State::lists=$tmp/lists" -o "Dir::Cache=$tmp/cache" -o APT::Sandbox::User=root)
"${apt[@]}" update
"${apt[@]}" download python3-httpx=0.23.3-1 python3-httpcore python3-h11 python3-rfc3986 python3-sniffio python3-anyio python3-certifi python3-idna \
	python3-requests=2.28.1+dfsg-1 python3-urllib3 python3-chardet python3-charset-normalizer python3-six
for package in ./*.deb; do dpkg -x "$package" root; done
npm install --silent --no-audit --no-fund --ignore-scripts byline@5.0.0 split2@4.2.0 ndjson@2.0.0 line-reader@0.4.0
npm ls --depth=0

cat >write.mjs <<'JS'
import fs from 'node:fs'

const answers = { 'U+2028': 'first\u2028second', 'U+0085': 'first\u0085second', none: 'first second' }
for (const [name, content] of Object.entries(answers)) {
  const lines = ['one', 'two'].map(custom_id => JSON.stringify({ custom_id, response: { body: { content, usage: { total_tokens: 7 } } } }))
  fs.writeFileSync(`${name}.jsonl`, lines.join('\n') + '\n')
}
JS
cat >probe.mjs <<'JS'
import fs from 'node:fs'
import readline from 'node:readline'
import byline from 'byline'
import lineReader from 'line-reader'
import ndjson from 'ndjson'
import split2 from 'split2'

const tokens = lines => lines.reduce((sum, line) => {
  try {
    return sum + (typeof line === 'object' ? line : JSON.parse(line)).response.body.usage.total_tokens
  } catch {
    return sum
  }
}, 0)
const all = async lines => {
  const read = []
  for await (const line of lines) read.push(Buffer.isBuffer(line) ? String(line) : line)
  return read
}
const ways = {
  byline: file => all(byline(fs.createReadStream(file))),
  split2: file => all(fs.createReadStream(file).pipe(split2())),
  ndjson: file => all(fs.createReadStream(file).pipe(ndjson.parse())),
  'line-reader': file => new Promise(done => {
    const read = []
    lineReader.eachLine(file, line => void read.push(line), () => done(read))
  }),
  'node:readline': file => all(readline.createInterface({ input: fs.createReadStream(file) })),
}
for (const [name, read] of Object.entries(ways)) {
  const seen = []
  for (const what of ['none', 'U+2028', 'U+0085']) {
    const lines = await read(`${what}.jsonl`)
    seen.push(`${what} ${lines.length} lines, ${tokens(lines)} tokens`)
  }
  console.log(`${name}: ${seen.join('; ')}`)
}
JS
cat >probe.py <<'PY'
import functools, http.server, json, sys, threading
import httpx, requests

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header('Content-Type', 'application/jsonl; charset=utf-8')
        self.end_headers()
        self.wfile.write(open(self.path[1:] + '.jsonl', 'rb').read())
    def log_message(self, *args):
        pass

server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
at = f'http://127.0.0.1:{server.server_port}/'

def tokens(lines):
    total = 0
    for line in lines:
        try:
            total += json.loads(line)['response']['body']['usage']['total_tokens']
        except ValueError:
            pass
    return total

def streamed(what):
    with httpx.Client(trust_env=False) as client, client.stream('GET', at + what) as answer:
        return list(answer.iter_lines())

ways = {
    'str.splitlines()': lambda what: open(what + '.jsonl', encoding='utf-8', newline='').read().splitlines(),
    'bytes.splitlines()': lambda what: open(what + '.jsonl', 'rb').read().splitlines(),
    'httpx, iter_lines()': streamed,
    'requests, iter_lines(decode_unicode=True)': lambda what: [l for l in requests.get(at + what, stream=True).iter_lines(decode_unicode=True) if l],
    'requests, iter_lines()': lambda what: [l for l in requests.get(at + what, stream=True).iter_lines() if l],
}
for name, read in ways.items():
    seen = []
    for what in ('none', 'U+2028', 'U+0085'):
        lines = read(what)
        seen.append(f'{what} {len(lines)} lines, {tokens(lines)} tokens')
    print(f'{name}: ' + '; '.join(seen))
PY
node write.mjs
{ node probe.mjs && no_proxy=127.0.0.1 PYTHONPATH=root/usr/lib/python3/dist-packages /usr/bin/python3 probe.py; } | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
byline: none 2 lines, 14 tokens; U+2028 4 lines, 0 tokens; U+0085 4 lines, 0 tokens
split2: none 2 lines, 14 tokens; U+2028 2 lines, 14 tokens; U+0085 2 lines, 14 tokens
ndjson: none 2 lines, 14 tokens; U+2028 2 lines, 14 tokens; U+0085 2 lines, 14 tokens
line-reader: none 2 lines, 14 tokens; U+2028 2 lines, 14 tokens; U+0085 2 lines, 14 tokens
node:readline: none 2 lines, 14 tokens; U+2028 2 lines, 14 tokens; U+0085 2 lines, 14 tokens
str.splitlines(): none 2 lines, 14 tokens; U+2028 4 lines, 0 tokens; U+0085 4 lines, 0 tokens
bytes.splitlines(): none 2 lines, 14 tokens; U+2028 2 lines, 14 tokens; U+0085 2 lines, 14 tokens
httpx, iter_lines(): none 2 lines, 14 tokens; U+2028 2 lines, 14 tokens; U+0085 2 lines, 14 tokens
requests, iter_lines(decode_unicode=True): none 2 lines, 14 tokens; U+2028 4 lines, 0 tokens; U+0085 4 lines, 0 tokens
requests, iter_lines(): none 2 lines, 14 tokens; U+2028 2 lines, 14 tokens; U+0085 2 lines, 14 tokens
SEEN
