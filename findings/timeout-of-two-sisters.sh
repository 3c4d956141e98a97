#!/usr/bin/env bash
# The same vendor's time-out ends at the headers in its Node SDK, and takes in the whole stream in its Go SDK.
#
# Seen 2026-11-27 with openai 6.49.0 (npm, Node 20.20) and github.com/openai/openai-go/v3 3.96.0 (Go 1.26).
# The server sends its headers and first word at once and the second after 3 s; both clients have a time-out of 1 s.
#   Node   has both words and no error; a whole answer whose body stalls is waited for as well
#   Go     has one word and "context deadline exceeded"
# So a stalled seller is never left by a Node client, and a Go client cuts a healthy answer that is just long.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
export GOMODCACHE=$tmp/modules GOFLAGS='-modcacherw -trimpath'
npm install --silent --no-audit --no-fund --ignore-scripts openai@6.49.0
npm ls --depth=0

cat >server.mjs <<'JS'
import http from 'node:http'
import OpenAI from 'openai'
import { spawn } from 'node:child_process'

const chunk = word => `data: {"id":"c","choices":[{"index":0,"delta":{"content":"${word}"}}]}\n\n`
const server = http.createServer((request, response) => {
  let body = ''
  request.on('data', part => (body += part))
  request.on('end', () => {
    const stream = JSON.parse(body).stream
    response.writeHead(200, { 'content-type': stream ? 'text/event-stream' : 'application/json' })
    response.write(stream ? chunk('one') : '{"id":"c",')
    setTimeout(() => response.end(stream ? chunk(' two') + 'data: [DONE]\n\n' : '"choices":[]}'), 3000)
  })
})
await new Promise(done => server.listen(0, '127.0.0.1', done))
const baseURL = `http://127.0.0.1:${server.address().port}`
const client = new OpenAI({ apiKey: 'k', baseURL, timeout: 1000, maxRetries: 0 })
const ask = { model: 'm', messages: [{ role: 'user', content: 'hello' }] }
let words = ''
for await (const { choices } of await client.chat.completions.create({ ...ask, stream: true })) words += choices[0].delta.content
console.log('Node, stream:', words)
console.log('Node, whole:', JSON.stringify(await client.chat.completions.create(ask)))
spawn('go', ['run', '.', baseURL], { stdio: 'inherit' }).on('exit', code => process.exit(code))
JS
cat >main.go <<'GO'
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
)

func main() {
	client := openai.NewClient(option.WithBaseURL(os.Args[1]), option.WithAPIKey("k"),
		option.WithRequestTimeout(time.Second), option.WithMaxRetries(0))
	stream := client.Chat.Completions.NewStreaming(context.Background(), openai.ChatCompletionNewParams{
		Model: "m", Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage("hello")},
	})
	words := ""
	for stream.Next() {
		words += stream.Current().Choices[0].Delta.Content
	}
	fmt.Println("Go, stream:", words, "|", stream.Err())
}
GO
go mod init probe 2>go.log && go get github.com/openai/openai-go/v3@v3.96.0 2>>go.log || { cat go.log; exit 1; }
go list -m github.com/openai/openai-go/v3
go build -o /dev/null . # so that the compiler's time is not in the run
node server.mjs | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
Node, stream: one two
Node, whole: {"id":"c","choices":[]}
Go, stream: one | context deadline exceeded
SEEN
