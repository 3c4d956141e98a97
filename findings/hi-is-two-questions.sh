#!/usr/bin/env bash
# "hi" is one request of under 10 kB from one coding agent, two of up to 100 kB from others, and six of Codex's where a 402 asks for money.
#
# Seen 2026-11-29 with @mariozechner/pi-coding-agent 0.73.1, opencode-ai 1.18.33, @qwen-code/qwen-code 0.15.10 and @openai/codex 0.171.0
# (Node 20.20), each with one model of its own config, asked once without a terminal.
# Expected: a question is a request, with some instructions and tools before it, and a 402 ends it, as nobody has more money a second later.
#   pi          asks once
#   opencode    asks a second time, for the title of the conversation, by the same model, with the same limit of 32,000 tokens
#   Qwen Code   asks a second time after its answer, with tools, what is to be remembered; its first "hi" is at least five times pi's
#   Codex       asks once, and at a 402 six times, each with the whole prompt, where the three others stop
# So a gateway that sets money aside by a request's limit sets aside twice for one opencode question, and may refuse the real one for the
# title's sake; it counts more questions than were asked; and its word that money is needed has to be cheap to give six times.
set -euo pipefail
tmp=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund @mariozechner/pi-coding-agent@0.73.1 opencode-ai@1.18.33 @qwen-code/qwen-code@0.15.10 @openai/codex@0.171.0
npm ls --depth=0
PATH=$tmp/node_modules/.bin:$PATH
export HOME=$tmp OPENCODE_DISABLE_AUTOUPDATE=1 OPENCODE_DISABLE_MODELS_FETCH=1 TEAM_KEY=k

cat >server.mjs <<'JS'
import fs from 'node:fs'
import http from 'node:http'
const server = http.createServer((request, response) => {
  let body = ''
  request.on('data', piece => { body += piece })
  request.on('end', () => {
    if (request.method !== 'POST') return response.writeHead(404).end('{}')
    const { tools = [], max_tokens, max_completion_tokens: limit = max_tokens ?? 'none' } = JSON.parse(body)
    // Prompts have paths and dates in them, so that their sizes differ a little.
    const size = [4, 10, 50, 100].find(kilobytes => body.length < kilobytes * 1000)
    fs.appendFileSync('asked', `under ${size} kB ${tools.length ? 'with' : 'without'} tools, limit ${limit}\n`)
    if (fs.readFileSync('how', 'utf8') === '402') {
      response.writeHead(402, { 'content-type': 'application/json' })
      return response.end('{"error":{"message":"no money","type":"insufficient_funds","code":"no_money"}}')
    }
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    const event = one => response.write(`${one.type ? `event: ${one.type}\n` : ''}data: ${JSON.stringify(one)}\n\n`)
    if (request.url.endsWith('/responses')) {
      const item = { id: 'msg_1', type: 'message', role: 'assistant', status: 'completed', content: [{ type: 'output_text', text: 'hello', annotations: [] }] }
      const usage = { input_tokens: 10, output_tokens: 1, total_tokens: 11, input_tokens_details: { cached_tokens: 0 }, output_tokens_details: { reasoning_tokens: 0 } }
      const head = { id: 'r', object: 'response' }
      event({ type: 'response.created', sequence_number: 0, response: { ...head, status: 'in_progress', output: [] } })
      event({ type: 'response.output_item.added', sequence_number: 1, output_index: 0, item: { ...item, content: [], status: 'in_progress' } })
      event({ type: 'response.output_text.delta', sequence_number: 2, item_id: 'msg_1', output_index: 0, content_index: 0, delta: 'hello' })
      event({ type: 'response.output_item.done', sequence_number: 3, output_index: 0, item })
      event({ type: 'response.completed', sequence_number: 4, response: { ...head, status: 'completed', output: [item], usage } })
      return response.end()
    }
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
until [ -s port ]; do sleep 0.1; done
base=http://127.0.0.1:$(cat port)/v1
mkdir -p .pi/agent .qwen .config/opencode .codex work
cat >.pi/agent/models.json <<JSON
{"providers": {"x": {"baseUrl": "$base", "api": "openai-completions", "apiKey": "TEAM_KEY", "models": [{"id": "m"}]}}}
JSON
cat >.qwen/settings.json <<JSON
{"modelProviders": {"openai": [{"id": "m", "name": "m", "baseUrl": "$base", "envKey": "TEAM_KEY"}]},
 "security": {"auth": {"selectedType": "openai"}}, "model": {"name": "m"}}
JSON
cat >.config/opencode/opencode.json <<JSON
{"model": "x/m", "provider": {"x": {"npm": "@ai-sdk/openai-compatible",
  "options": {"baseURL": "$base", "apiKey": "{env:TEAM_KEY}"}, "models": {"m": {}}}}}
JSON
cat >.codex/config.toml <<TOML
model = "m"
model_provider = "x"
[model_providers.x]
name = "x"
base_url = "$base"
env_key = "TEAM_KEY"
wire_api = "responses"
TOML
asks() { # name, command
	local name=$1
	shift
	: >asked
	(cd work && timeout -k 5 60 "$@" </dev/null >../out 2>&1) || true
	echo "$(cat how), $name: $(wc -l <asked) request(s): $(sort asked | uniq -c | sed 's/^ *\([0-9]*\) /\1 x /' | paste -sd ';')"
}
for how in 200 402; do
	printf %s $how >how
	asks pi pi -p --provider x --model m hi
	asks opencode opencode run hi
	asks 'Qwen Code' qwen -p hi
	asks Codex codex exec --skip-git-repo-check hi
done | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
200, pi: 1 request(s): 1 x under 10 kB with tools, limit 16384
200, opencode: 2 request(s): 1 x under 4 kB without tools, limit 32000;1 x under 50 kB with tools, limit 32000
200, Qwen Code: 2 request(s): 1 x under 100 kB with tools, limit 8000;1 x under 50 kB with tools, limit 8000
200, Codex: 1 request(s): 1 x under 50 kB with tools, limit none
402, pi: 1 request(s): 1 x under 10 kB with tools, limit 16384
402, opencode: 2 request(s): 1 x under 4 kB without tools, limit 32000;1 x under 50 kB with tools, limit 32000
402, Qwen Code: 1 request(s): 1 x under 100 kB with tools, limit 8000
402, Codex: 6 request(s): 6 x under 50 kB with tools, limit none
SEEN
