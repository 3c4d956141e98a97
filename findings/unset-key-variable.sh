#!/usr/bin/env bash
# A config file names the variable that holds the key, and the variable is not set: five coding agents do four things.
#
# Seen 2026-11-27 with @mariozechner/pi-coding-agent 0.73.1, @continuedev/cli 1.5.47, opencode-ai 1.18.33, @qwen-code/qwen-code 0.15.10
# and @openai/codex 0.171.0 (Node 20.20). pi sends the variable's name as the key, and Continue its own placeholder, with two slashes that
# nobody wrote: both in an Authorization header to the server, which sees a key that is wrong and not one that is missing. opencode asks
# without a key. Only Qwen Code and Codex say which variable is missing, and ask nothing. A server that writes down wrong keys, or
# locks out who sends many, meets people who have sent none.
set -euo pipefail
tmp=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; rm -rf "$tmp"' EXIT
cd "$tmp"
unset TEAM_KEY OPENAI_API_KEY OPENAI_BASE_URL || true
npm install --silent --no-audit --no-fund @mariozechner/pi-coding-agent@0.73.1 @continuedev/cli@1.5.47 \
	opencode-ai@1.18.33 @qwen-code/qwen-code@0.15.10 @openai/codex@0.171.0
npm ls --depth=0
PATH=$tmp/node_modules/.bin:$PATH
export HOME=$tmp OPENCODE_DISABLE_AUTOUPDATE=1 OPENCODE_DISABLE_MODELS_FETCH=1

cat >server.mjs <<'JS'
import fs from 'node:fs'
import http from 'node:http'
const server = http.createServer((request, response) => {
  request.resume()
  if (request.method === 'POST') fs.appendFileSync('keys', `${request.headers.authorization ?? 'no key'}\n`)
  response.writeHead(401, { 'content-type': 'application/json' })
  response.end('{"error":{"message":"no","type":"invalid_request_error","code":"invalid_api_key"}}')
})
server.listen(0, '127.0.0.1', () => fs.writeFileSync('port', `${server.address().port}`))
JS
node server.mjs &
until [ -s port ]; do sleep 0.1; done
base=http://127.0.0.1:$(cat port)/v1
mkdir -p .pi/agent .qwen .continue .config/opencode .codex
cat >.pi/agent/models.json <<JSON
{"providers": {"x": {"baseUrl": "$base", "api": "openai-completions", "apiKey": "TEAM_KEY", "models": [{"id": "m"}]}}}
JSON
cat >.qwen/settings.json <<JSON
{"modelProviders": {"openai": [{"id": "m", "name": "m", "baseUrl": "$base", "envKey": "TEAM_KEY"}]},
 "security": {"auth": {"selectedType": "openai"}}, "model": {"name": "m"}}
JSON
cat >.continue/config.yaml <<YAML
name: x
version: 0.0.1
schema: v1
models:
  - {name: m, provider: openai, model: m, apiBase: "$base", apiKey: "\${{ secrets.TEAM_KEY }}"}
YAML
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
sent() { # name, command
	local name=$1
	shift
	: >keys
	timeout 60 "$@" </dev/null >out 2>&1 || true
	echo "$name: $(sort -u keys | grep . || echo "asks nothing, says TEAM_KEY: $(grep -q TEAM_KEY out && echo yes || echo no)")"
}
{
	sent pi pi -p --provider x --model m hi
	sent Continue cn --config .continue/config.yaml -p hi
	sent opencode opencode run hi
	sent 'Qwen Code' qwen -p hi
	sent Codex codex exec --skip-git-repo-check hi
} | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
pi: Bearer TEAM_KEY
Continue: Bearer ${{ secrets.//TEAM_KEY }}
opencode: no key
Qwen Code: asks nothing, says TEAM_KEY: yes
Codex: asks nothing, says TEAM_KEY: yes
SEEN
