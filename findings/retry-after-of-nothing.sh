#!/usr/bin/env bash
# "Retry-After: 0" uses up all tries of four clients within milliseconds, a fifth takes it for no answer, and as a date it is another thing again.
#
# Seen 2026-11-28 with openai 6.49.0, @anthropic-ai/sdk 1.14.0, ai 6.0.326, @ai-sdk/openai-compatible 2.0.92 (Node 20.20),
# github.com/openai/openai-go/v3 3.96.0 and github.com/anthropics/anthropic-sdk-go 1.84.0 (Go 1.26).
# Expected: 0 is what a server has left that rounds half a second down, and either all clients ask again at once or the header bounds
# their pauses from below. Without the header all five make pauses. With 0 openai, openai-go, anthropic-go and ai ask three
# times at once and give up; anthropic for Node, of the same generator as the first three, keeps its pauses. With a date
# that has come, which means the same, ai keeps its pauses as well. So a gateway does better with a second, or without
# the header, than with 0: the client's tries are over before anything can have changed, and each may have been charged.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
export GOMODCACHE=$tmp/modules GOFLAGS='-modcacherw -trimpath'
npm install --silent --no-audit --no-fund --ignore-scripts openai@6.49.0 @anthropic-ai/sdk@1.14.0 ai@6.0.326 @ai-sdk/openai-compatible@2.0.92
npm ls --depth=0

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
	if os.Args[1] == "openai-go" {
		client := openai.NewClient(option.WithAPIKey("k"), option.WithBaseURL(os.Args[2]))
		client.Chat.Completions.New(context.Background(), openai.ChatCompletionNewParams{
			Model: "m", Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage("hi")},
		})
		return
	}
	client := anthropic.NewClient(anthropicoption.WithAPIKey("k"), anthropicoption.WithBaseURL(os.Args[2]))
	client.Messages.New(context.Background(), anthropic.MessageNewParams{
		Model: "m", MaxTokens: 9, Messages: []anthropic.MessageParam{anthropic.NewUserMessage(anthropic.NewTextBlock("hi"))},
	})
}
GO
go mod init probe 2>/dev/null
go get github.com/openai/openai-go/v3@v3.96.0 github.com/anthropics/anthropic-sdk-go@v1.84.0 2>/dev/null
go list -m github.com/openai/openai-go/v3 github.com/anthropics/anthropic-sdk-go
go build -o probe .

cat >probe.mjs <<'JS'
import http from 'node:http'
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { promisify } from 'node:util'
import Anthropic from '@anthropic-ai/sdk'
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { generateText } from 'ai'
import OpenAI from 'openai'

const waits = { nothing: () => undefined, 0: () => '0', 'a date that has come': () => new Date().toUTCString() }
const asked = {}
const server = http.createServer((request, response) => {
  const [, name, wait] = request.url.split('/').map(decodeURIComponent)
  const times = (asked[`Retry-After: ${wait}, ${name}`] ??= [])
  times.push(Date.now())
  request.resume()
  const value = waits[wait]()
  response.writeHead(429, { 'content-type': 'application/json', ...(value && { 'retry-after': value }) }).end('{"error":{"message":"no"}}')
})
server.listen(0, '127.0.0.1')
await once(server, 'listening')
const messages = [{ role: 'user', content: 'hi' }]
const run = promisify(execFile)
const clients = {
  openai: options => new OpenAI(options).chat.completions.create({ model: 'm', messages }),
  anthropic: options => new Anthropic(options).messages.create({ model: 'm', max_tokens: 9, messages }),
  ai: options => generateText({ model: createOpenAICompatible({ name: 'x', ...options })('m'), messages }),
  'openai-go': ({ baseURL }) => run('./probe', ['openai-go', baseURL]),
  'anthropic-go': ({ baseURL }) => run('./probe', ['anthropic-go', baseURL]),
}
for (const wait of Object.keys(waits).sort())
  for (const [name, call] of Object.entries(clients)) {
    const baseURL = `http://127.0.0.1:${server.address().port}/${name}/${encodeURIComponent(wait)}`
    await call({ apiKey: 'k', baseURL }).catch(() => {})
    const times = asked[`Retry-After: ${wait}, ${name}`]
    const took = times.at(-1) - times[0]
    console.log(`Retry-After: ${wait}, ${name}: ${times.length} requests, ${took < 300 ? 'at once' : 'with pauses'}`)
  }
process.exit()
JS
node probe.mjs 2>/dev/null | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
Retry-After: 0, openai: 3 requests, at once
Retry-After: 0, anthropic: 3 requests, with pauses
Retry-After: 0, ai: 3 requests, at once
Retry-After: 0, openai-go: 3 requests, at once
Retry-After: 0, anthropic-go: 3 requests, at once
Retry-After: a date that has come, openai: 3 requests, at once
Retry-After: a date that has come, anthropic: 3 requests, with pauses
Retry-After: a date that has come, ai: 3 requests, with pauses
Retry-After: a date that has come, openai-go: 3 requests, at once
Retry-After: a date that has come, anthropic-go: 3 requests, at once
Retry-After: nothing, openai: 3 requests, with pauses
Retry-After: nothing, anthropic: 3 requests, with pauses
Retry-After: nothing, ai: 3 requests, with pauses
Retry-After: nothing, openai-go: 3 requests, with pauses
Retry-After: nothing, anthropic-go: 3 requests, with pauses
SEEN
