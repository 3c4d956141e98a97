#!/usr/bin/env bash
# Of the same failing call AWS' Bedrock clients make three requests seventeen times, and from then on one, with no setting changed.
#
# Seen 2026-11-28 with @aws-sdk/client-bedrock-runtime 3.1164.0, @smithy/node-http-handler 4.14.2 (Node 20.20),
# github.com/aws/aws-sdk-go-v2 1.48.0, credentials 1.21.0 and service/bedrockruntime 1.63.13 (Go 1.26).
# Expected: "at most three tries" is three for each call that fails, as with the vendors' SDKs. Here a client, one for a whole program as
# a rule, has a purse of 500 for retries: each costs 14, and an answer without a retry gives 1 back. While a seller is away the purse is
# empty after 35 retries, and then every call fails at its first error, of users who have just come and of models that work but for a
# moment; 40 good answers later it lasts for three. Go's error says "retry quota exceeded", Node's has the last answer's words alone. So
# how often a gateway is asked says nothing of how often a user was, and a gateway that has such a client inside must not count on
# its tries. Each request does say which try it is, and has an id that is the same for all of a call: here, for once, a retry
# can be told from a second question.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
export GOMODCACHE=$tmp/modules GOFLAGS='-modcacherw -trimpath'
npm install --silent --no-audit --no-fund --ignore-scripts @aws-sdk/client-bedrock-runtime@3.1164.0 @smithy/node-http-handler@4.14.2
npm ls --depth=0

cat >main.go <<'GO'
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime"
	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime/types"
)

func main() {
	client := bedrockruntime.New(bedrockruntime.Options{
		Region: "us-east-1", BaseEndpoint: &os.Args[1], Credentials: credentials.NewStaticCredentialsProvider("k", "s", ""),
		Retryer: retry.AddWithMaxBackoffDelay(retry.NewStandard(), time.Millisecond),
	})
	var err error
	for i := range 114 {
		_, err = client.Converse(context.Background(), &bedrockruntime.ConverseInput{
			ModelId:  aws.String(fmt.Sprint("model-", i)),
			Messages: []types.Message{{Role: "user", Content: []types.ContentBlock{&types.ContentBlockMemberText{Value: "hi"}}}},
		})
	}
	fmt.Print(err)
}
GO
go mod init probe 2>/dev/null
go get github.com/aws/aws-sdk-go-v2@v1.48.0 github.com/aws/aws-sdk-go-v2/credentials@v1.21.0 \
	github.com/aws/aws-sdk-go-v2/service/bedrockruntime@v1.63.13 2>/dev/null
go list -m github.com/aws/aws-sdk-go-v2 github.com/aws/aws-sdk-go-v2/credentials github.com/aws/aws-sdk-go-v2/service/bedrockruntime
go build -o probe .

cat >probe.mjs <<'JS'
import http from 'node:http'
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { BedrockRuntimeClient, ConverseCommand } from '@aws-sdk/client-bedrock-runtime'
import { NodeHttpHandler } from '@smithy/node-http-handler'

const good = {
  output: { message: { role: 'assistant', content: [{ text: 'hello' }] } }, stopReason: 'end_turn',
  usage: { inputTokens: 1, outputTokens: 1, totalTokens: 2 }, metrics: { latencyMs: 1 },
}
let calls = [] // of each its id and the requests for it
const server = http.createServer((request, response) => {
  request.resume()
  const id = request.headers['amz-sdk-invocation-id']
  if (calls.at(-1)?.id !== id) calls.push({ id, requests: [] })
  calls.at(-1).requests.push(request.headers['amz-sdk-request'])
  const answered = calls.length > 70 && calls.length <= 110
  response.writeHead(answered ? 200 : 503, {
    'content-type': 'application/json', ...(answered ? {} : { 'x-amzn-errortype': 'ServiceUnavailableException' }),
  })
  response.end(JSON.stringify(answered ? good : { message: 'busy' }))
})
server.listen(0, '127.0.0.1', async () => {
  const endpoint = `http://127.0.0.1:${server.address().port}`
  const clients = {
    'for Node': async () => {
      const client = new BedrockRuntimeClient({
        endpoint, region: 'us-east-1', credentials: { accessKeyId: 'k', secretAccessKey: 's' }, requestHandler: new NodeHttpHandler(),
      })
      let last
      for (let i = 0; i < 114; i++) {
        const command = new ConverseCommand({ modelId: `model-${i}`, messages: [{ role: 'user', content: [{ text: 'hi' }] }] })
        await client.send(command).catch(error => (last = error.message))
      }
      return last
    },
    'for Go': async () => (await promisify(execFile)('./probe', [endpoint])).stdout,
  }
  for (const [name, ask] of Object.entries(clients)) {
    calls = []
    const error = await ask()
    console.log(`${name}: the first call's requests are ${calls[0].requests.join(', ')}`)
    for (let from = 0, to; from < calls.length; from = to) {
      const same = i => i < calls.length && i !== 70 && i !== 110 && calls[i].requests.length === calls[from].requests.length
      for (to = from + 1; same(to); ) to++
      console.log(`  calls ${from + 1} to ${to}${from >= 70 && from < 110 ? ', which are answered' : ''}: ${calls[from].requests.length} request(s) each`)
    }
    console.log(`  the last error: ${error.replaceAll('\n', '; ')}`)
  }
  process.exit()
})
JS
node probe.mjs 2>/dev/null | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
for Node: the first call's requests are attempt=1; max=3, attempt=2; max=3, attempt=3; max=3
  calls 1 to 17: 3 request(s) each
  calls 18 to 18: 2 request(s) each
  calls 19 to 70: 1 request(s) each
  calls 71 to 110, which are answered: 1 request(s) each
  calls 111 to 111: 3 request(s) each
  calls 112 to 112: 2 request(s) each
  calls 113 to 114: 1 request(s) each
  the last error: busy
for Go: the first call's requests are attempt=1; max=3, attempt=2; max=3, attempt=3; max=3
  calls 1 to 17: 3 request(s) each
  calls 18 to 18: 2 request(s) each
  calls 19 to 70: 1 request(s) each
  calls 71 to 110, which are answered: 1 request(s) each
  calls 111 to 111: 3 request(s) each
  calls 112 to 112: 2 request(s) each
  calls 113 to 114: 1 request(s) each
  the last error: operation error Bedrock Runtime: Converse, https response error StatusCode: 503, RequestID: , ServiceUnavailableException: busy; failed to get rate limit token, retry quota exceeded, 8 available, 14 requested
SEEN
