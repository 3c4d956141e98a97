#!/usr/bin/env bash
# A tool call whose answer has broken off, or is a refusal with "id": null, is waited for by two MCP clients for Node until their time is over; Go's says so at once.
#
# Seen 2026-11-30 with @modelcontextprotocol/sdk 1.32.2, @ai-sdk/mcp 1.0.102 (Node 20.20) and github.com/modelcontextprotocol/go-sdk 1.8.0 (Go 1.26), with two
# seconds for a call. Left alone the first waits for 60 seconds and the second has no limit.
# Expected: a call's answer comes in the body of its own POST, so that body's end is the call's end, and an end without an answer is an error. The two clients for
# Node tell a callback of a connection that breaks, and nobody of one that ends; the call goes on waiting for what can't come any more. With an event's id the body
# may be asked for again, and where that is refused they still wait, as after a 202, which is for notifications. JSON-RPC has "id": null for the error of a request
# that could not be read, and gateways have it for what they refuse before they read: as JSON it is an error without its words in all three, as an event it is
# waited for. With the call's own id "no money left" is told by all, with a status by the two, while Go's has the error without the words. A purchase by a tool is
# a minute without news then, and the agent calls again. So a gateway for MCP refuses by the call's own id, and answers a call that its seller broke off with an
# error of that id.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
export GOMODCACHE=$tmp/modules GOFLAGS='-modcacherw -trimpath'
npm install --silent --no-audit --no-fund --ignore-scripts @modelcontextprotocol/sdk@1.32.2 @ai-sdk/mcp@1.0.102
npm ls --depth=0

cat >main.go <<'GO'
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

func main() {
	session, err := mcp.NewClient(&mcp.Implementation{Name: "probe", Version: "1.0.0"}, nil).
		Connect(context.Background(), &mcp.StreamableClientTransport{Endpoint: os.Args[1], MaxRetries: -1}, nil)
	if err != nil {
		panic(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	result, err := session.CallTool(ctx, &mcp.CallToolParams{Name: "buy"})
	if err != nil {
		fmt.Print(err)
		os.Exit(1)
	}
	fmt.Print(result.Content[0].(*mcp.TextContent).Text)
}
GO
go mod init probe 2>/dev/null
go get github.com/modelcontextprotocol/go-sdk/mcp@v1.8.0 2>/dev/null
go list -m github.com/modelcontextprotocol/go-sdk
go build -o probe .

cat >probe.mjs <<'JS'
import { execFile } from 'node:child_process'
import http from 'node:http'
import { createMCPClient, experimental_createMCPClient } from '@ai-sdk/mcp'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'

const refusal = id => JSON.stringify({ jsonrpc: '2.0', id, error: { code: -32000, message: 'no money left' } })
const ways = {
  'an answer as an event': (response, id) => response.end(`data: ${JSON.stringify({ jsonrpc: '2.0', id, result: { content: [{ type: 'text', text: 'bought' }] } })}\n\n`),
  'broken off': response => response.write(': on its way\n\n', () => setImmediate(() => response.destroy())),
  'ended without an answer': response => response.end(': on its way\n\n'),
  'ended behind an event with an id, and no more by GET': response => response.end('id: 1\ndata: \n\n'),
  '202 and nothing': response => response.writeHead(202).end(),
  'refused with null, as JSON': response => response.writeHead(200, { 'content-type': 'application/json' }).end(refusal(null)),
  'refused with null, as an event': response => response.end(`data: ${refusal(null)}\n\n`),
  "refused with the call's id, as an event": (response, id) => response.end(`data: ${refusal(id)}\n\n`),
  'refused with 402': response => response.writeHead(402, { 'content-type': 'application/json' }).end(refusal(null)),
}
let way
const server = http.createServer(async (request, response) => {
  if (request.method !== 'POST') return response.writeHead(405).end()
  let body = ''
  for await (const piece of request) body += piece
  const { id, method } = JSON.parse(body)
  if (method === 'initialize') {
    const result = { protocolVersion: '2025-06-18', capabilities: { tools: {} }, serverInfo: { name: 'shop', version: '1.0.0' } }
    return response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ jsonrpc: '2.0', id, result }))
  }
  if (id === undefined) return response.writeHead(202).end()
  if (method !== 'tools/call') {
    const error = { code: -32601, message: 'method not found' }
    return response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ jsonrpc: '2.0', id, error }))
  }
  response.setHeader('content-type', 'text/event-stream')
  ways[way](response, id)
})
await new Promise(done => server.listen(0, '127.0.0.1', done))
const url = new URL(`http://127.0.0.1:${server.address().port}/mcp`)
const clients = {
  '@modelcontextprotocol/sdk': async () => {
    const client = new Client({ name: 'probe', version: '1.0.0' })
    await client.connect(new StreamableHTTPClientTransport(url))
    return (await client.callTool({ name: 'buy', arguments: {} }, undefined, { timeout: 2000 })).content[0].text
  },
  '@ai-sdk/mcp': async () => {
    const client = await (createMCPClient ?? experimental_createMCPClient)({ transport: { type: 'http', url: url.href }, onUncaughtError() {} })
    const tools = client.toolsFromDefinitions({ tools: [{ name: 'buy', inputSchema: { type: 'object', properties: {} } }] })
    const stop = AbortSignal.timeout(2000)
    return (await tools.buy.execute({}, { toolCallId: '1', messages: [], abortSignal: stop })).content[0].text
  },
  'go-sdk': () => new Promise((done, fail) => execFile('./probe', [url.href], (error, text) => (error ? fail(Error(text)) : done(text)))),
}
const told = async call => {
  const from = performance.now()
  const text = await call().catch(error => (/no money left/.test(error.message) ? 'an error that says "no money left"' : 'an error'))
  return `${text}${performance.now() - from > 1900 ? ', when its time is over' : ''}`
}
for (way of Object.keys(ways)) {
  const seen = await Promise.all(Object.entries(clients).map(async ([name, call]) => `${name} ${await told(call)}`))
  console.log(`${way}: ${seen.join('; ')}`)
}
process.exit()
JS
node probe.mjs | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
an answer as an event: @modelcontextprotocol/sdk bought; @ai-sdk/mcp bought; go-sdk bought
broken off: @modelcontextprotocol/sdk an error, when its time is over; @ai-sdk/mcp an error, when its time is over; go-sdk an error
ended without an answer: @modelcontextprotocol/sdk an error, when its time is over; @ai-sdk/mcp an error, when its time is over; go-sdk an error
ended behind an event with an id, and no more by GET: @modelcontextprotocol/sdk an error, when its time is over; @ai-sdk/mcp an error, when its time is over; go-sdk an error
202 and nothing: @modelcontextprotocol/sdk an error, when its time is over; @ai-sdk/mcp an error, when its time is over; go-sdk an error
refused with null, as JSON: @modelcontextprotocol/sdk an error; @ai-sdk/mcp an error; go-sdk an error
refused with null, as an event: @modelcontextprotocol/sdk an error, when its time is over; @ai-sdk/mcp an error, when its time is over; go-sdk an error
refused with the call's id, as an event: @modelcontextprotocol/sdk an error that says "no money left"; @ai-sdk/mcp an error that says "no money left"; go-sdk an error that says "no money left"
refused with 402: @modelcontextprotocol/sdk an error that says "no money left"; @ai-sdk/mcp an error that says "no money left"; go-sdk an error
SEEN
