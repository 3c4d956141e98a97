#!/usr/bin/env bash
# Whether an Anthropic SDK sends a request at all depends on how the model's name is spelled, and on the language.
#
# Seen 2026-11-27 with @anthropic-ai/sdk 1.14.0 (Node 20.20) and github.com/anthropics/anthropic-sdk-go 1.84.0 (Go 1.26).
# Both refuse an unstreamed request that might take more than ten minutes before anything is sent: above 21,333 tokens of
# max_tokens for every model, and above 8,192 for the names on a list. The Go list has Opus 4 as Anthropic, Bedrock and Vertex
# spell it and Opus 4.1 as the latter two do; the list for Node has only cloud spellings. So 8,193 tokens of
# "claude-opus-4-20250514" are refused in Go and sent by Node, "claude-opus-4-1@20250805" is refused by both, the same
# model as "claude-opus-4-1-20250805" by none, and behind a gateway's alias the limit is gone. No server can see or answer that.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
export GOMODCACHE=$tmp/modules GOFLAGS='-modcacherw -trimpath'
npm install --silent --no-audit --no-fund --ignore-scripts @anthropic-ai/sdk@1.14.0
npm ls --depth=0

cat >asks <<'ASKS'
claude-opus-4-20250514 8192
claude-opus-4-20250514 8193
claude-opus-4-1@20250805 8193
claude-opus-4-1-20250805 8193
best 8193
best 21333
best 21334
ASKS
cat >probe.mjs <<'JS'
import { readFileSync } from 'node:fs'
import Anthropic from '@anthropic-ai/sdk'

const answer = '{"id":"a","type":"message","role":"assistant","model":"m","content":[],"stop_reason":"end_turn","usage":{"input_tokens":1,"output_tokens":1}}'
const fetch = async () => new Response(answer, { headers: { 'content-type': 'application/json' } })
const client = new Anthropic({ apiKey: 'k', baseURL: 'http://127.0.0.1', fetch })
for (const [model, tokens] of readFileSync('asks', 'utf8').trim().split('\n').map(line => line.split(' '))) {
  const call = async () => client.messages.create({ model, max_tokens: +tokens, messages: [{ role: 'user', content: 'hi' }] })
  console.log(`Node: ${model} ${tokens}: ${await call().then(() => 'sent', () => 'refused')}`)
}
JS
cat >main.go <<'GO'
package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/anthropics/anthropic-sdk-go"
	"github.com/anthropics/anthropic-sdk-go/option"
)

func main() {
	asked := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked++
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"id":"a","type":"message","role":"assistant","model":"m","content":[],"stop_reason":"end_turn","usage":{}}`)
	}))
	client := anthropic.NewClient(option.WithAPIKey("k"), option.WithBaseURL(server.URL))
	for {
		var model string
		var tokens int64
		if _, err := fmt.Scan(&model, &tokens); err != nil {
			return
		}
		before := asked
		_, err := client.Messages.New(context.Background(), anthropic.MessageNewParams{
			Model: anthropic.Model(model), MaxTokens: tokens,
			Messages: []anthropic.MessageParam{anthropic.NewUserMessage(anthropic.NewTextBlock("hi"))},
		})
		what := map[bool]string{true: "refused", false: "sent"}[asked == before && err != nil]
		fmt.Printf("Go: %s %d: %s\n", model, tokens, what)
	}
}
GO
go mod init probe 2>go.log && go get github.com/anthropics/anthropic-sdk-go@v1.84.0 2>>go.log || { cat go.log; exit 1; }
go list -m github.com/anthropics/anthropic-sdk-go
{
	node probe.mjs
	go run . <asks
} | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
Node: claude-opus-4-20250514 8192: sent
Node: claude-opus-4-20250514 8193: sent
Node: claude-opus-4-1@20250805 8193: refused
Node: claude-opus-4-1-20250805 8193: sent
Node: best 8193: sent
Node: best 21333: sent
Node: best 21334: refused
Go: claude-opus-4-20250514 8192: sent
Go: claude-opus-4-20250514 8193: refused
Go: claude-opus-4-1@20250805 8193: refused
Go: claude-opus-4-1-20250805 8193: sent
Go: best 8193: sent
Go: best 21333: sent
Go: best 21334: refused
SEEN
