#!/usr/bin/env bash
# Told to ask a gateway at an "http" address, AWS' Bedrock client for Node says "Protocol error" and nothing has arrived; the one for Go is answered.
#
# Seen 2026-11-28 with @aws-sdk/client-bedrock-runtime 3.1164.0, @smithy/node-http-handler 4.14.2 (Node 20.20),
# github.com/aws/aws-sdk-go-v2 1.48.0, credentials 1.21.0, service/bedrockruntime 1.63.13 (Go 1.26) and Debian's caddy 2.6.2-5.
# Expected: a client that takes another endpoint speaks HTTP/1.1 to it where nobody has agreed on more, as the one for Go does. The
# one for Node speaks HTTP/2 alone, without TLS too, and asks nobody. No request arrives at a server of HTTP/1.1, and the
# client's error has neither a status nor a word of a version, and is not tried again. Caddy has HTTP/2 without TLS only where
# "protocols" names h2c. With a NodeHttpHandler among its options the client speaks HTTP/1.1. So a gateway on loopback, where people
# leave TLS away, has to have h2c on for clients of Bedrock, as its log can't show them what is wrong.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
mkdir -p lists/partial cache/archives/partial
apt=(apt-get -qq -o "Dir::State::lists=$tmp/lists" -o "Dir::Cache=$tmp/cache" -o APT::Sandbox::User=root)
"${apt[@]}" update
"${apt[@]}" download caddy=2.6.2-5
for package in ./*.deb; do dpkg -x "$package" root; done
export XDG_CONFIG_HOME=$tmp XDG_DATA_HOME=$tmp GOMODCACHE=$tmp/modules GOFLAGS='-modcacherw -trimpath'
npm install --silent --no-audit --no-fund --ignore-scripts @aws-sdk/client-bedrock-runtime@3.1164.0 @smithy/node-http-handler@4.14.2
npm ls --depth=0

cat >main.go <<'GO'
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime"
	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime/types"
)

func main() {
	client := bedrockruntime.New(bedrockruntime.Options{
		Region: "us-east-1", BaseEndpoint: &os.Args[1], Credentials: credentials.NewStaticCredentialsProvider("k", "s", ""),
	})
	answer, err := client.Converse(context.Background(), &bedrockruntime.ConverseInput{
		ModelId:  aws.String("m"),
		Messages: []types.Message{{Role: "user", Content: []types.ContentBlock{&types.ContentBlockMemberText{Value: "hi"}}}},
	})
	if err != nil {
		fmt.Print(err)
		return
	}
	fmt.Print(*answer.Usage.OutputTokens, " token out")
}
GO
go mod init probe 2>/dev/null
go get github.com/aws/aws-sdk-go-v2@v1.48.0 github.com/aws/aws-sdk-go-v2/credentials@v1.21.0 \
	github.com/aws/aws-sdk-go-v2/service/bedrockruntime@v1.63.13 2>/dev/null
go list -m github.com/aws/aws-sdk-go-v2 github.com/aws/aws-sdk-go-v2/credentials github.com/aws/aws-sdk-go-v2/service/bedrockruntime
go build -o probe .

cat >probe.mjs <<'JS'
import http from 'node:http'
import http2 from 'node:http2'
import net from 'node:net'
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { BedrockRuntimeClient, ConverseCommand } from '@aws-sdk/client-bedrock-runtime'
import { NodeHttpHandler } from '@smithy/node-http-handler'

let arrived
const handler = (request, response) => {
  arrived.push(`HTTP/${request.httpVersion}`)
  request.resume()
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({
    output: { message: { role: 'assistant', content: [{ text: 'hello' }] } }, stopReason: 'end_turn',
    usage: { inputTokens: 1, outputTokens: 1, totalTokens: 2 }, metrics: { latencyMs: 1 },
  }))
}
const listen = async server => {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return server.address().port
}
const seller = await listen(http.createServer(handler))
const caddies = []
process.on('exit', () => caddies.forEach(child => child.kill()))
const caddy = async protocols => {
  const free = net.createServer()
  const port = await listen(free)
  free.close()
  await once(free, 'close')
  const name = `Caddyfile.${port}`
  writeFileSync(name, `{
	admin off
	${protocols ? `servers {\n\t\tprotocols ${protocols}\n\t}` : ''}
}
http://127.0.0.1:${port} {
	reverse_proxy 127.0.0.1:${seller}
}
`)
  caddies.push(spawn('root/usr/bin/caddy', ['run', '--adapter', 'caddyfile', '--config', name], { stdio: 'ignore' }))
  arrived = []
  while (!(await fetch(`http://127.0.0.1:${port}`).catch(() => false))) await sleep(100)
  return port
}
const servers = {
  "Node's http": seller,
  "Node's http2": await listen(http2.createServer(handler)),
  'Caddy': await caddy(),
  'Caddy with h2c': await caddy('h1 h2 h2c'),
}
const node = more => async endpoint => {
  const client = new BedrockRuntimeClient({
    endpoint, region: 'us-east-1', credentials: { accessKeyId: 'k', secretAccessKey: 's' }, ...more,
  })
  const { usage } = await client.send(new ConverseCommand({ modelId: 'm', messages: [{ role: 'user', content: [{ text: 'hi' }] }] }))
  return `${usage.outputTokens} token out`
}
const clients = {
  'for Node': node({}),
  'for Node with NodeHttpHandler': node({ requestHandler: new NodeHttpHandler() }),
  'for Go': async endpoint => (await promisify(execFile)('./probe', [endpoint])).stdout,
}
for (const [server, port] of Object.entries(servers))
  for (const [name, ask] of Object.entries(clients)) {
    if (server === "Node's http2" && name !== 'for Node') continue // which speaks nothing else either
    arrived = []
    const end = await ask(`http://127.0.0.1:${port}`).catch(error => `${error.message}, status ${error.$metadata?.httpStatusCode ?? 'unknown'}`)
    console.log(`${server}, ${name}: ${end}; arrived: ${arrived.join(', ') || 'nothing'}`)
  }
process.exit()
JS
node probe.mjs 2>/dev/null | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
Node's http, for Node: Protocol error, status unknown; arrived: nothing
Node's http, for Node with NodeHttpHandler: 1 token out; arrived: HTTP/1.1
Node's http, for Go: 1 token out; arrived: HTTP/1.1
Node's http2, for Node: 1 token out; arrived: HTTP/2.0
Caddy, for Node: Protocol error, status unknown; arrived: nothing
Caddy, for Node with NodeHttpHandler: 1 token out; arrived: HTTP/1.1
Caddy, for Go: 1 token out; arrived: HTTP/1.1
Caddy with h2c, for Node: 1 token out; arrived: HTTP/1.1
Caddy with h2c, for Node with NodeHttpHandler: 1 token out; arrived: HTTP/1.1
Caddy with h2c, for Go: 1 token out; arrived: HTTP/1.1
SEEN
