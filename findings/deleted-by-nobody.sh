#!/usr/bin/env bash
# Where nobody serves a path and the web server says 200 with nothing, a file is deleted, a list is empty and an answer is "", for two SDKs.
#
# Seen 2026-11-29 with openai 7.57.0, @anthropic-ai/sdk 1.14.0, ai 7.0.173, @ai-sdk/openai-compatible 3.0.92 (Node 20.20),
# github.com/openai/openai-go/v3 3.96.0 and github.com/anthropics/anthropic-sdk-go 1.84.0 (Go 1.26).
# Expected: an answer without a body and without a type is no answer of these APIs, so that a call that wants an object has an error. An empty
# 200 is what Caddy says where no handler takes a path, and so some sites say of all that their gateway does not know. For both
# Node SDKs it is the empty text, in the place of the object: delete() is done, and "for await" over a list ends at once, so that who
# looks whether it is gone sees that it is; of a moderation or an answer there is "", which is a TypeError some lines on, or nothing flagged. The AI
# SDK and the Go SDKs have an error, but for calls that give nothing back, as openai-go's Containers.Delete: nil. So a gateway must say 404
# itself to whatever an SDK of its APIs may ask, each new family of paths included, and leave none of it to the server around it.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
export GOMODCACHE=$tmp/modules GOFLAGS='-modcacherw -trimpath'
npm install --silent --no-audit --no-fund --ignore-scripts openai@7.57.0 @anthropic-ai/sdk@1.14.0 ai@7.0.173 @ai-sdk/openai-compatible@3.0.92
npm ls --depth=0

cat >main.go <<'GO'
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/anthropics/anthropic-sdk-go"
	anthropicoption "github.com/anthropics/anthropic-sdk-go/option"
	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
)

func main() {
	base, ctx := os.Args[1], context.Background()
	o := openai.NewClient(option.WithAPIKey("k"), option.WithBaseURL(base+"/v1"))
	a := anthropic.NewClient(anthropicoption.WithAPIKey("k"), anthropicoption.WithBaseURL(base))
	fmt.Println("openai-go, containers.delete:", o.Containers.Delete(ctx, "c"))
	_, err := o.Files.Delete(ctx, "f")
	fmt.Println("openai-go, files.delete: an error", err != nil)
	_, err = a.Beta.Files.Delete(ctx, "f", anthropic.BetaFileDeleteParams{})
	fmt.Println("anthropic-go, files.delete: an error", err != nil)
}
GO
go mod init probe 2>/dev/null
go get github.com/openai/openai-go/v3@v3.96.0 github.com/anthropics/anthropic-sdk-go@v1.84.0 2>/dev/null
go list -m github.com/openai/openai-go/v3 github.com/anthropics/anthropic-sdk-go
go build -o probe .

cat >probe.mjs <<'JS'
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import http from 'node:http'
import { promisify } from 'node:util'
import Anthropic from '@anthropic-ai/sdk'
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { generateText } from 'ai'
import OpenAI from 'openai'

const server = http.createServer((request, response) => {
  request.resume()
  response.writeHead(200, { 'content-length': 0 }).end()
})
server.listen(0, '127.0.0.1')
await once(server, 'listening')
const base = `http://127.0.0.1:${server.address().port}`
const openai = new OpenAI({ apiKey: 'k', baseURL: `${base}/v1` })
const anthropic = new Anthropic({ apiKey: 'k', baseURL: base })
const model = createOpenAICompatible({ name: 'x', apiKey: 'k', baseURL: `${base}/v1` })('m')
const messages = [{ role: 'user', content: 'hi' }]
const seen = async (name, call) =>
  console.log(`${name}: ${await call().then(v => JSON.stringify(v), error => `${error.name}, ${error.message.split('\n')[0]}`)}`)
const count = async list => {
  let n = 0
  for await (const _ of list) n++
  return `${n} of them`
}
await seen('openai, files.delete', () => openai.files.delete('f'))
await seen('openai, files.list', () => count(openai.files.list()))
await seen('openai, moderations.create', () => openai.moderations.create({ input: 'hi' }))
await seen('openai, chat.completions.create', () => openai.chat.completions.create({ model: 'm', messages }))
await seen('anthropic, files.delete', () => anthropic.beta.files.delete('f'))
await seen('anthropic, files.list', () => count(anthropic.beta.files.list()))
await seen('anthropic, messages.create', () => anthropic.messages.create({ model: 'm', max_tokens: 9, messages }))
await seen('ai, generateText', () => generateText({ model, messages, maxRetries: 0 }))
process.stdout.write((await promisify(execFile)('./probe', [base])).stdout)
process.exit()
JS
node probe.mjs 2>/dev/null | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
openai, files.delete: ""
openai, files.list: "0 of them"
openai, moderations.create: ""
openai, chat.completions.create: ""
anthropic, files.delete: ""
anthropic, files.list: "0 of them"
anthropic, messages.create: ""
ai, generateText: AI_APICallError, Invalid JSON response
openai-go, containers.delete: <nil>
openai-go, files.delete: an error true
anthropic-go, files.delete: an error true
SEEN
