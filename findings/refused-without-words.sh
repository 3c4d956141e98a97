#!/usr/bin/env bash
# A gateway's sentence about why it refuses is not in what openai-go's error says, and where the body is x402's, not even the status is.
#
# Seen 2026-11-28 with github.com/openai/openai-go/v3 3.96.0, github.com/anthropics/anthropic-sdk-go 1.84.0 (Go 1.26), openai 6.49.0,
# @anthropic-ai/sdk 1.14.0, ai 6.0.326, @ai-sdk/openai-compatible 2.0.92 (Node 20.20).
# Expected: who logs err.Error() or error.message logs the "message" of the error's body, as every example does.
#   402 in OpenAI's shape    openai-go's text has the status alone; the message is in a field of the error. The others say it
#   402 as x402 sends it     its "error" is a string. openai-go returns "json: cannot unmarshal string", and no *openai.Error: no
#                            status, so the program cannot know that it was a 402. ai knows the status' name only
#   429, Retry-After: 3,     both Go SDKs sleep until the caller's deadline of a second and say "context deadline exceeded": what was
#   a deadline               refused, and that it was refused at all, is gone
# So the hint in an error has to be in OpenAI's shape, may be read by nobody, and has to stand in the gateway's own log as well.
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
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/anthropics/anthropic-sdk-go"
	anthropicoption "github.com/anthropics/anthropic-sdk-go/option"
	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
)

func main() {
	base := os.Args[1]
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if os.Args[2] == "openai-go" {
		client := openai.NewClient(option.WithAPIKey("k"), option.WithBaseURL(base))
		_, err := client.Chat.Completions.New(ctx, openai.ChatCompletionNewParams{
			Model: "m", Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage("hi")},
		})
		var own *openai.Error
		fmt.Printf("%v (an *openai.Error: %t)", err, errors.As(err, &own))
		return
	}
	client := anthropic.NewClient(anthropicoption.WithAPIKey("k"), anthropicoption.WithBaseURL(base))
	_, err := client.Messages.New(ctx, anthropic.MessageNewParams{
		Model: "m", MaxTokens: 9, Messages: []anthropic.MessageParam{anthropic.NewUserMessage(anthropic.NewTextBlock("hi"))},
	})
	var own *anthropic.Error
	fmt.Printf("%s (an *anthropic.Error: %t)", strings.ReplaceAll(err.Error(), base, ""), errors.As(err, &own))
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

const refusals = {
  'OpenAI 402': [402, {}, '{"error":{"message":"the budget is spent","type":"insufficient_quota"}}'],
  'x402 402': [402, {}, '{"x402Version":1,"error":"the budget is spent","accepts":[]}'],
  'OpenAI 429': [429, { 'retry-after': '3' }, '{"error":{"message":"the budget is spent","type":"insufficient_quota"}}'],
}
let refusal
const server = http.createServer((request, response) => {
  request.resume()
  const [status, headers, body] = refusal
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(body)
})
server.listen(0, '127.0.0.1')
await once(server, 'listening')
const base = `http://127.0.0.1:${server.address().port}`
const options = { apiKey: 'k', baseURL: base, maxRetries: 0 }
const messages = [{ role: 'user', content: 'hi' }]
const run = promisify(execFile)
const go = async name => (await run('./probe', [base, name])).stdout
const model = createOpenAICompatible({ name: 'x', ...options })('m')
const message = call => call().catch(error => error.message)
const clients = {
  'openai-go': () => go('openai-go'),
  'anthropic-go': () => go('anthropic-go'),
  openai: () => message(() => new OpenAI(options).chat.completions.create({ model: 'm', messages })),
  anthropic: () => message(() => new Anthropic(options).messages.create({ model: 'm', max_tokens: 9, messages })),
  ai: () => message(() => generateText({ model, messages, maxRetries: 0 })),
}
for (const [name, what] of Object.entries(refusals))
  for (const [client, ask] of Object.entries(clients)) {
    if (name === 'OpenAI 429' && !client.endsWith('-go')) continue // they have no deadline of the caller's
    refusal = what
    console.log(`${name}, ${client}: ${await ask()}`)
  }
process.exit()
JS
node probe.mjs 2>/dev/null | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
OpenAI 402, openai-go: OpenAI API error: 402 Payment Required (an *openai.Error: true)
OpenAI 402, anthropic-go: POST "/v1/messages": 402 Payment Required {"error":{"message":"the budget is spent","type":"insufficient_quota"}} (an *anthropic.Error: true)
OpenAI 402, openai: 402 the budget is spent
OpenAI 402, anthropic: 402 {"error":{"message":"the budget is spent","type":"insufficient_quota"}}
OpenAI 402, ai: the budget is spent
x402 402, openai-go: json: cannot unmarshal string into Go value of type apierror.Error (an *openai.Error: false)
x402 402, anthropic-go: POST "/v1/messages": 402 Payment Required {"x402Version":1,"error":"the budget is spent","accepts":[]} (an *anthropic.Error: true)
x402 402, openai: 402 "the budget is spent"
x402 402, anthropic: 402 {"x402Version":1,"error":"the budget is spent","accepts":[]}
x402 402, ai: Payment Required
OpenAI 429, openai-go: context deadline exceeded (an *openai.Error: false)
OpenAI 429, anthropic-go: context deadline exceeded (an *anthropic.Error: false)
SEEN
