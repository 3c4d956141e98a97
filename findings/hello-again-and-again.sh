#!/usr/bin/env bash
# Asked to say hello in a script, Cline has its hello at the first answer and asks on, four times a second, until somebody ends it.
#
# Seen 2026-11-30 with cline 3.0.65 (Node 20.20), set up by its own `cline auth` for a server of OpenAI's form, and asked without a terminal.
# Expected: an agent's turn ends with an answer that calls no tool, and "--yolo", which is for scripts, "exits when the turn finishes", as its
# manual says. Without --yolo it does: one question, one request. With it a turn is over when the model calls "submit_and_exit"; a model that
# answers in words, as small ones do and all do that were given no tools by a proxy, is told that it must call that and asked again at once, with
# all that was said so far before it. That has no end: no number of turns bounds it, no pause grows, "--retries" counts mistakes and this is none,
# and the only bound is "--timeout", which is off. On a fast server it was 1,400 requests in ten minutes for one "hello", each longer than the last.
# Each is a good answer, with 200 and a finish reason, so that nothing in a gateway's errors shows it, and each is paid. What stops it is the
# member's rate or budget alone: a member that is a script has one.
set -euo pipefail
tmp=$(mktemp -d)
# leave ends what it has started; Cline leaves a process behind that is nobody's child.
leave() {
	kill $(jobs -p) 2>/dev/null || true
	for process in /proc/[0-9]*; do
		case $(readlink "$process/exe" 2>/dev/null || true) in "$tmp"/*) kill "${process#/proc/}" 2>/dev/null || true ;; esac
	done
	rm -rf "$tmp"
}
trap leave EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund cline@3.0.65
npm ls --depth=0
PATH=$tmp/node_modules/.bin:$PATH
export HOME=$tmp https_proxy=http://127.0.0.1:9 HTTPS_PROXY=http://127.0.0.1:9 NO_PROXY=127.0.0.1 # it is to call nobody else

cat >server.mjs <<'JS'
import fs from 'node:fs'
import http from 'node:http'
const server = http.createServer((request, response) => {
  let body = ''
  request.on('data', piece => { body += piece })
  request.on('end', () => {
    if (request.method !== 'POST') return response.writeHead(404).end('{}')
    fs.appendFileSync('asked', `${JSON.parse(body).messages.length}\n`)
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    const event = one => response.write(`data: ${JSON.stringify(one)}\n\n`)
    const head = { id: 'c', object: 'chat.completion.chunk', created: 1, model: 'm' }
    event({ ...head, choices: [{ index: 0, delta: { role: 'assistant', content: 'hello' }, finish_reason: null }] })
    event({ ...head, choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] })
    event({ ...head, choices: [], usage: { prompt_tokens: 10, completion_tokens: 1, total_tokens: 11 } })
    response.end('data: [DONE]\n\n')
  })
})
server.listen(0, '127.0.0.1', () => fs.writeFileSync('port', `${server.address().port}`))
JS
node server.mjs &
for _ in $(seq 100); do [ -s port ] && break; sleep 0.1; done
timeout 60 cline auth --provider openai-compatible --apikey k --baseurl "http://127.0.0.1:$(cat port)/v1" --modelid m </dev/null >/dev/null

# say asks once, for 30 seconds at the most, and prints what the server saw of it.
mkdir -p work
say() {
	: >asked
	local status=0
	(cd work && timeout -k 1 30 cline "$@" 'Say hello' </dev/null >../said 2>/dev/null) || status=$?
	case $status in 124 | 137) how='is still asking after 30 s' ;; *) how="ends with $status" ;; esac
	local n
	n=$(wc -l <asked)
	if [ "$n" -gt 10 ]; then n='more than 10'; fi
	local grown=no
	[ "$(tail -n 1 asked)" -le "$(head -n 1 asked)" ] || grown=yes
	echo "cline $* asks $n times, longer each time: $grown, and $how"
}
cat >expected <<'TXT'
cline  asks 1 times, longer each time: no, and ends with 0
cline --yolo asks more than 10 times, longer each time: yes, and is still asking after 30 s
cline --yolo --retries 2 asks more than 10 times, longer each time: yes, and is still asking after 30 s
TXT
{
	say
	say --yolo
	say --yolo --retries 2
} | tee found
diff expected found
