#!/usr/bin/env bash
# Usage that comes in a chunk with another id is not there for openai-go's accumulator, and one total told twice is told as the sum.
#
# Seen 2026-11-28 with github.com/openai/openai-go/v3 3.96.0 (Go 1.26) and openai 6.49.0 (Node 20.20).
# Expected: an answer is one connection, so what comes on it belongs to it, as for the helper of the same vendor's Node SDK. The Go
# one takes the first chunk's id and refuses each chunk with another: AddChunk returns false, which few look at, and the text or
# the usage is missing from an answer without an error. A proxy that writes a usage chunk of its own, or goes on with another
# seller, must therefore keep the id of the first chunk. Usage in more than one chunk, as servers send it that tell the
# total as it grows, is added up there: 300 tokens of a prompt of 100. The Node helper has the last total.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
export GOMODCACHE=$tmp/modules GOFLAGS='-modcacherw -trimpath'
npm install --silent --no-audit --no-fund --ignore-scripts openai@6.49.0
npm ls --depth=0

cat >main.go <<'GO'
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
)

func main() {
	client := openai.NewClient(option.WithAPIKey("k"), option.WithBaseURL(os.Args[1]))
	stream := client.Chat.Completions.NewStreaming(context.Background(), openai.ChatCompletionNewParams{
		Model: "m", Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage("hi")},
	})
	answer, refused := openai.ChatCompletionAccumulator{}, 0
	for stream.Next() {
		if !answer.AddChunk(stream.Current()) {
			refused++
		}
	}
	fmt.Printf("%q, %d in, %d out, %d refused, error %v\n", answer.Choices[0].Message.Content,
		answer.Usage.PromptTokens, answer.Usage.CompletionTokens, refused, stream.Err())
}
GO
go mod init probe 2>/dev/null
go get github.com/openai/openai-go/v3@v3.96.0 2>/dev/null
go list -m github.com/openai/openai-go/v3
go build -o probe .

cat >probe.mjs <<'JS'
import { execFile } from 'node:child_process'
import http from 'node:http'
import { promisify } from 'node:util'
import OpenAI from 'openai'

const chunk = (id, choices, out) => `data: ${JSON.stringify({
  id, object: 'chat.completion.chunk', created: 1, model: 'm', choices,
  ...(out && { usage: { prompt_tokens: 100, completion_tokens: out, total_tokens: 100 + out } }),
})}\n\n`
const text = (id, content, out) => chunk(id, [{ index: 0, delta: { role: 'assistant', content }, finish_reason: null }], out)
const stop = (id, out) => chunk(id, [{ index: 0, delta: {}, finish_reason: 'stop' }], out)
const streams = {
  'one id': text('a', 'one') + text('a', ' two') + stop('a') + chunk('a', [], 2),
  'usage by another': text('a', 'one') + text('a', ' two') + stop('a') + chunk('b', [], 2),
  'went on with another': text('a', 'one') + text('b', ' two') + stop('b') + chunk('b', [], 2),
  'total in each': text('a', 'one', 1) + text('a', ' two', 2) + stop('a') + chunk('a', [], 2),
}
const server = http.createServer((request, response) => {
  request.resume()
  const how = decodeURIComponent(request.url.split('/')[1])
  response.writeHead(200, { 'content-type': 'text/event-stream' }).end(streams[how] + 'data: [DONE]\n\n')
})
await new Promise(done => server.listen(0, '127.0.0.1', done))
const run = promisify(execFile)
for (const how of Object.keys(streams)) {
  const baseURL = `http://127.0.0.1:${server.address().port}/${encodeURIComponent(how)}`
  const answer = await new OpenAI({ apiKey: 'k', baseURL }).chat.completions
    .stream({ model: 'm', messages: [{ role: 'user', content: 'hi' }] }).finalChatCompletion()
  const { choices: [{ message: { content } }], usage } = answer
  console.log(`${how}, Node: ${JSON.stringify(content)}, ${usage.prompt_tokens} in, ${usage.completion_tokens} out`)
  console.log(`${how}, Go: ${(await run('./probe', [baseURL])).stdout.trim()}`)
}
process.exit()
JS
node probe.mjs 2>/dev/null | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
one id, Node: "one two", 100 in, 2 out
one id, Go: "one two", 100 in, 2 out, 0 refused, error <nil>
usage by another, Node: "one two", 100 in, 2 out
usage by another, Go: "one two", 0 in, 0 out, 1 refused, error <nil>
went on with another, Node: "one two", 100 in, 2 out
went on with another, Go: "one", 0 in, 0 out, 3 refused, error <nil>
total in each, Node: "one two", 100 in, 2 out
total in each, Go: "one two", 300 in, 5 out, 0 refused, error <nil>
SEEN
