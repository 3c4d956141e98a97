#!/usr/bin/env bash
# With "http" for "https" in its base URL a Node client asks without its key, openai-go does not ask, and httpx works as if nothing were.
#
# Seen 2026-11-28 with Debian's caddy 2.6.2-5 and python3-httpx 0.23.3-1, openai 6.49.0, @anthropic-ai/sdk 1.14.0, ai 6.0.326,
# @ai-sdk/openai-compatible 2.0.92 (Node 20.20), github.com/openai/openai-go/v3 3.96.0, github.com/anthropics/anthropic-sdk-go 1.84.0
# (Go 1.26), in a network namespace, as the ports have to be 80 and 443.
# Expected: Caddy sends what comes to port 80 to HTTPS with a 308, which keeps the method and the body, so all of them work or none.
# From Node the POST arrives, with its body and without its key, since another scheme is another origin to fetch, and the user is told
# that he has no key. httpx, which is under the vendors' Python SDKs, takes the redirect to HTTPS for the same site and keeps it.
# One of the two Go SDKs follows with the key; the other asks nothing and says that the origin must match. So an answer about a
# missing key should name the base URL's "http" as a cause, and a config that works in Python is no proof for Node.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
export GOMODCACHE=$tmp/modules GOFLAGS='-modcacherw -trimpath' HOME=$tmp
mkdir -p lists/partial cache/archives/partial
apt=(apt-get -qq -o "Dir::State::lists=$tmp/lists" -o "Dir::Cache=$tmp/cache" -o APT::Sandbox::User=root)
"${apt[@]}" update
"${apt[@]}" download caddy=2.6.2-5 python3-httpx=0.23.3-1 python3-httpcore python3-h11 python3-rfc3986 python3-sniffio python3-anyio \
	python3-certifi python3-idna
for package in ./*.deb; do dpkg -x "$package" root; done
npm install --silent --no-audit --no-fund --ignore-scripts openai@6.49.0 @anthropic-ai/sdk@1.14.0 ai@6.0.326 @ai-sdk/openai-compatible@2.0.92
npm ls --depth=0

cat >Caddyfile <<CADDY
{
	admin off
	skip_install_trust
	storage file_system $tmp/store
}
localhost {
	tls internal
	reverse_proxy 127.0.0.1:8000
}
CADDY
cat >probe.mjs <<'JS'
import http from 'node:http'
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { promisify } from 'node:util'
import Anthropic from '@anthropic-ai/sdk'
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { generateText } from 'ai'
import OpenAI from 'openai'

let saw
const server = http.createServer(async (request, response) => {
  const { authorization, 'x-api-key': key } = request.headers
  saw = `${request.method}, ${(await text(request)) === '' ? 'no body' : 'body'}, ${authorization || key ? 'key' : 'no key'}`
  response.writeHead(401, { 'content-type': 'application/json' }).end('{"error":{"message":"the key is missing"}}')
})
server.listen(8000, '127.0.0.1')
await once(server, 'listening')
const messages = [{ role: 'user', content: 'hi' }]
const run = promisify(execFile)
const clients = {
  openai: o => new OpenAI(o).chat.completions.create({ model: 'm', messages }),
  anthropic: o => new Anthropic(o).messages.create({ model: 'm', max_tokens: 9, messages }),
  ai: o => generateText({ model: createOpenAICompatible({ name: 'x', ...o })('m'), messages, maxRetries: 0 }),
  'openai-go': o => run('./probe', ['openai-go', o.baseURL]),
  'anthropic-go': o => run('./probe', ['anthropic-go', o.baseURL]),
  httpx: o => run('/usr/bin/python3', ['probe.py', o.baseURL]),
}
for (const baseURL of ['https://localhost', 'http://localhost'])
  for (const [name, call] of Object.entries(clients)) {
    saw = 'nothing'
    await call({ apiKey: 'k', baseURL, maxRetries: 0 }).catch(() => {})
    console.log(`${baseURL}, ${name}: ${saw}`)
  }
process.exit()
JS
cat >main.go <<'GO'
package main

import (
	"context"
	"os"

	"github.com/anthropics/anthropic-sdk-go"
	anthropicoption "github.com/anthropics/anthropic-sdk-go/option"
	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
)

func main() {
	base := os.Args[2]
	if os.Args[1] == "anthropic-go" {
		client := anthropic.NewClient(anthropicoption.WithAPIKey("k"), anthropicoption.WithBaseURL(base), anthropicoption.WithMaxRetries(0))
		client.Messages.New(context.Background(), anthropic.MessageNewParams{
			Model: "m", MaxTokens: 9, Messages: []anthropic.MessageParam{anthropic.NewUserMessage(anthropic.NewTextBlock("hi"))},
		})
		return
	}
	client := openai.NewClient(option.WithAPIKey("k"), option.WithBaseURL(base), option.WithMaxRetries(0))
	client.Chat.Completions.New(context.Background(), openai.ChatCompletionNewParams{
		Model: "m", Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage("hi")},
	})
}
GO
cat >probe.py <<'PY'
import sys

import httpx

client = httpx.Client(follow_redirects=True, headers={"Authorization": "Bearer k"})
client.post(sys.argv[1] + "/chat/completions", json={"model": "m"})
PY
go mod init probe 2>/dev/null
go get github.com/openai/openai-go/v3@v3.96.0 github.com/anthropics/anthropic-sdk-go@v1.84.0 2>/dev/null
go list -m github.com/openai/openai-go/v3 github.com/anthropics/anthropic-sdk-go
go build -o probe .

cat >inside.sh <<'SH'
set -euo pipefail
ip link set lo up
trap 'kill $(jobs -p) 2>/dev/null || true' EXIT
root/usr/bin/caddy run --config Caddyfile 2>log &
certificate=store/pki/authorities/local/root.crt
for _ in $(seq 100); do curl -s --cacert $certificate -o /dev/null https://localhost && break || sleep 0.2; done
export SSL_CERT_FILE=$PWD/$certificate NODE_EXTRA_CA_CERTS=$PWD/$certificate PYTHONPATH=$PWD/root/usr/lib/python3/dist-packages
node probe.mjs
SH
unshare --map-root-user --net bash inside.sh | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
https://localhost, openai: POST, body, key
https://localhost, anthropic: POST, body, key
https://localhost, ai: POST, body, key
https://localhost, openai-go: POST, body, key
https://localhost, anthropic-go: POST, body, key
https://localhost, httpx: POST, body, key
http://localhost, openai: POST, body, no key
http://localhost, anthropic: POST, body, no key
http://localhost, ai: POST, body, no key
http://localhost, openai-go: nothing
http://localhost, anthropic-go: POST, body, key
http://localhost, httpx: POST, body, key
SEEN
