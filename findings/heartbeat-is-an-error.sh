#!/usr/bin/env bash
# One heartbeat ends a Gemini stream for Google's Go SDK, and an "event:" line makes it empty for the Node SDK, without an error.
#
# Seen 2026-11-28 with google.golang.org/genai 1.77.0 (Go 1.26) and @google/genai 2.32.0 (Node 20.20).
# Expected: as an event stream's standard has it, a comment is passed over, and an event with a name or an id has its data all the same.
# Google's own servers send neither, and the SDKs read what these send: for Go each block has to begin with "data:", and a comment
# or a name is "invalid stream chunk", in the middle of an answer that is paid; Node passes comments over, but a name or an
# id before the data takes the event away, and an answer of such events is no text and no error. So a gateway that keeps
# streams alive must not do it with comments in this API, and must write its events as bare data lines.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
export GOMODCACHE=$tmp/modules GOFLAGS='-modcacherw -trimpath'
npm install --silent --no-audit --no-fund --ignore-scripts @google/genai@2.32.0
npm ls --depth=0

cat >main.go <<'GO'
package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"google.golang.org/genai"
)

func main() {
	ctx := context.Background()
	client, err := genai.NewClient(ctx, &genai.ClientConfig{
		APIKey: "k", Backend: genai.BackendGeminiAPI, HTTPOptions: genai.HTTPOptions{BaseURL: os.Args[1]},
	})
	if err != nil {
		panic(err)
	}
	text, end := "", "no error"
	for answer, err := range client.Models.GenerateContentStream(ctx, "m", genai.Text("hi"), nil) {
		if err != nil {
			end, _, _ = strings.Cut(err.Error(), "\n")
			break
		}
		text += answer.Text()
	}
	fmt.Printf("%q, %s\n", text, end)
}
GO
go mod init probe 2>/dev/null
go get google.golang.org/genai@v1.77.0 2>/dev/null
go list -m google.golang.org/genai
go build -o probe .

cat >probe.mjs <<'JS'
import { execFile } from 'node:child_process'
import http from 'node:http'
import { promisify } from 'node:util'
import { GoogleGenAI } from '@google/genai'

const event = (text, before = '') =>
  `${before}data: ${JSON.stringify({ candidates: [{ content: { role: 'model', parts: [{ text }] } }] })}\n\n`
const streams = {
  plain: event('one') + event(' two'),
  heartbeat: event('one') + ': alive\n\n' + event(' two'),
  name: event('one', 'event: message\n') + event(' two', 'event: message\n'),
  id: event('one', 'id: 1\n') + event(' two', 'id: 2\n'),
}
const server = http.createServer((request, response) => {
  request.resume()
  response.writeHead(200, { 'content-type': 'text/event-stream' }).end(streams[request.url.split('/')[1]])
})
await new Promise(done => server.listen(0, '127.0.0.1', done))
const run = promisify(execFile)
for (const how of Object.keys(streams)) {
  const baseUrl = `http://127.0.0.1:${server.address().port}/${how}`
  let text = ''
  let end = 'no error'
  try {
    const client = new GoogleGenAI({ apiKey: 'k', httpOptions: { baseUrl } })
    for await (const part of await client.models.generateContentStream({ model: 'm', contents: 'hi' })) text += part.text
  } catch (error) {
    end = error.message
  }
  console.log(`${how}, Node: ${JSON.stringify(text)}, ${end}`)
  console.log(`${how}, Go: ${(await run('./probe', [baseUrl])).stdout.trim()}`)
}
process.exit()
JS
node probe.mjs 2>/dev/null | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
plain, Node: "one two", no error
plain, Go: "one two", no error
heartbeat, Node: "one two", no error
heartbeat, Go: "one", iterateResponseStream: invalid stream chunk: : alive
name, Node: "", no error
name, Go: "", iterateResponseStream: invalid stream chunk: event: message
id, Node: "", no error
id, Go: "", iterateResponseStream: invalid stream chunk: id: 1
SEEN
