#!/usr/bin/env bash
# An answer that is whole, [DONE] and all, is asked for again seconds later, and paid again, by five event stream clients for two languages.
#
# Seen 2026-11-28 with eventsource 4.1.1, eventsource-client 1.2.0, launchdarkly-eventsource 2.2.0 (Node 20.20),
# github.com/tmaxmax/go-sse 0.12.0 and github.com/launchdarkly/eventsource 1.11.0 (Go 1.26); each POSTs for ten seconds, as its
# options allow.
# Expected: who lets a POST be made knows that its answer has an end. But the end of a stream is to all five what it is to a browser's
# EventSource, a connection to be made anew, with the same method and body: four to ten answers in ten seconds, for a program that
# does not close the client itself when it sees [DONE], or message_stop in Anthropic's API. No header says that the same has been
# asked before. Refused with 429 four of them stop, and one goes on every two seconds, whatever Retry-After says. So a gateway
# that gets the same body again right after its answer need not have been asked a second question. Four of the five end at a 204, which
# nobody who has a question can be given.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
export GOMODCACHE=$tmp/modules GOFLAGS='-modcacherw -trimpath'
npm install --silent --no-audit --no-fund --ignore-scripts eventsource@4.1.1 eventsource-client@1.2.0 launchdarkly-eventsource@2.2.0
npm ls --depth=0

cat >main.go <<'GO'
package main

import (
	"context"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/launchdarkly/eventsource"
	"github.com/tmaxmax/go-sse"
)

func main() {
	name, url := os.Args[1], os.Args[2]
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(`{"stream":true}`))
	if err != nil {
		panic(err)
	}
	if name == "go-sse" {
		conn := sse.NewConnection(request)
		conn.SubscribeMessages(func(sse.Event) {})
		conn.Connect()
		return
	}
	stream, err := eventsource.SubscribeWithRequestAndOptions(request)
	if err != nil {
		return
	}
	for {
		select {
		case <-stream.Events:
		case <-stream.Errors:
		case <-ctx.Done():
			return
		}
	}
}
GO
go mod init probe 2>/dev/null
go get github.com/tmaxmax/go-sse@v0.12.0 github.com/launchdarkly/eventsource@v1.11.0 2>/dev/null
go list -m github.com/tmaxmax/go-sse github.com/launchdarkly/eventsource
go build -o probe .

cat >probe.mjs <<'JS'
import http from 'node:http'
import { execFile } from 'node:child_process'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { EventSource } from 'eventsource'
import { createEventSource } from 'eventsource-client'
import LaunchDarkly from 'launchdarkly-eventsource'

const asked = {} // all run at once, so each call has a path of its own
const server = http.createServer(async (request, response) => {
  const [, name, then] = request.url.split('/')
  const seen = (asked[`${name}/${then}`] ??= [])
  seen.push(`${request.method} ${await text(request)}`)
  if (seen.length > 1 && then === '204') return response.writeHead(204).end()
  if (then === '429') return response.writeHead(429, { 'retry-after': '60' }).end()
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  response.end('data: {"choices":[{"index":0,"delta":{"content":"hello"}}]}\n\ndata: [DONE]\n\n')
})
server.listen(0, '127.0.0.1', async () => {
  const post = { method: 'POST', body: '{"stream":true}' }
  const run = async (name, url) => new Promise(done => execFile('./probe', [name, url], done))
  const hold = async open => {
    const client = open()
    client.onerror = () => {}
    await sleep(10000)
    client.close()
  }
  const clients = {
    'eventsource': url => hold(() => new EventSource(url, { fetch: (to, options) => fetch(to, { ...options, ...post }) })),
    'eventsource-client': url => hold(() => createEventSource({ url, ...post })),
    'launchdarkly-eventsource': url => hold(() => new LaunchDarkly.EventSource(url, post)),
    'go-sse': url => run('go-sse', url),
    'launchdarkly-go': url => run('launchdarkly-go', url),
  }
  const base = `http://127.0.0.1:${server.address().port}`
  const ways = { 'answered': 200, 'answered, then 204': 204, 'refused with 429': 429 }
  await Promise.all(Object.values(ways).flatMap(way => Object.entries(clients).map(([name, call]) => call(`${base}/${name}/${way}`))))
  for (const [what, way] of Object.entries(ways))
    for (const name of Object.keys(clients)) {
      const { length, ...all } = asked[`${name}/${way}`]
      const often = length > 2 ? 'again and again' : length > 1 ? 'twice' : 'once'
      console.log(`${what}, ${name}: asked ${often}, with ${[...new Set(Object.values(all))].join(' or ')}`)
    }
  process.exit()
})
JS
node probe.mjs | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
answered, eventsource: asked again and again, with POST {"stream":true}
answered, eventsource-client: asked again and again, with POST {"stream":true}
answered, launchdarkly-eventsource: asked again and again, with POST {"stream":true}
answered, go-sse: asked again and again, with POST {"stream":true}
answered, launchdarkly-go: asked again and again, with POST {"stream":true}
answered, then 204, eventsource: asked twice, with POST {"stream":true}
answered, then 204, eventsource-client: asked twice, with POST {"stream":true}
answered, then 204, launchdarkly-eventsource: asked twice, with POST {"stream":true}
answered, then 204, go-sse: asked twice, with POST {"stream":true}
answered, then 204, launchdarkly-go: asked again and again, with POST {"stream":true}
refused with 429, eventsource: asked once, with POST {"stream":true}
refused with 429, eventsource-client: asked again and again, with POST {"stream":true}
refused with 429, launchdarkly-eventsource: asked once, with POST {"stream":true}
refused with 429, go-sse: asked once, with POST {"stream":true}
refused with 429, launchdarkly-go: asked once, with POST {"stream":true}
SEEN
