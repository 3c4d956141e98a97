#!/usr/bin/env bash
# " world" has no space before it any more in an event stream that gin or better-sse wrote, and the line "- one" is gone from r3labs' and better-sse's.
#
# Seen 2026-11-29 with github.com/gin-contrib/sse 1.1.0, github.com/r3labs/sse/v2 2.10.0, github.com/tmaxmax/go-sse 0.12.0 (Go 1.26), better-sse
# 0.16.1, ssestream 1.1.0, fastify-sse-v2 4.2.2, hono 4.13.19, h3 2.0.8 and, to read them all, eventsource-parser 3.1.1 (Node 20.20).
# Expected: what is put into an event is what comes out of it. A reader takes one space away behind "data:", so a writer has to put one there
# before each line, and each line of a text, also an empty one at its end, is a "data:" of its own. Four of eight do so. gin and
# better-sse write no space, and the text's own is taken for it; better-sse, tmaxmax and r3labs lose line breaks at the end; better-sse and r3labs,
# unless it is told to split, write what stands behind a line break as it is, where the reader finds a field that it doesn't know. Nobody sees it with JSON,
# which has its blanks inside of quotes, nor with whole sentences. But a model's words begin with their space, and its paragraphs with two
# line breaks: sent as they are, as small chat servers do, they come out as one long word, and a list without its
# items, without an error. So a model's text is put into events as JSON, as in the vendors' APIs, also where only a page of one's own
# reads them; and a test of such a server has to look at the blanks.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
export GOMODCACHE=$tmp/modules GOFLAGS='-modcacherw -trimpath'
npm install --silent --no-audit --no-fund --ignore-scripts better-sse@0.16.1 ssestream@1.1.0 fastify@5.12.8 fastify-sse-v2@4.2.2 hono@4.13.19 \
	@hono/node-server@2.1.9 h3@2.0.8 eventsource-parser@3.1.1
npm ls --depth=0

cat >main.go <<'GO'
package main

import (
	"bytes"
	"encoding/json"
	"log"
	"net/http"
	"net/http/httptest"
	"os"

	gin "github.com/gin-contrib/sse"
	r3labs "github.com/r3labs/sse/v2"
	tmaxmax "github.com/tmaxmax/go-sse"
)

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func main() {
	var pieces []string
	must(json.Unmarshal([]byte(os.Args[1]), &pieces))
	written := map[string]string{}

	var body bytes.Buffer
	for _, piece := range pieces {
		must(gin.Encode(&body, gin.Event{Data: piece}))
	}
	written["gin-contrib/sse"] = body.String()

	body.Reset()
	for _, piece := range pieces {
		event := tmaxmax.Message{}
		event.AppendData(piece)
		_, err := event.WriteTo(&body)
		must(err)
	}
	written["tmaxmax/go-sse"] = body.String()

	events := r3labs.New()
	events.CreateStream("s")
	for _, piece := range pieces {
		events.Publish("s", &r3labs.Event{Data: []byte(piece)}) // kept, and replayed to whoever comes
	}
	server := httptest.NewServer(http.HandlerFunc(events.ServeHTTP))
	response, err := http.Get(server.URL + "?stream=s")
	must(err)
	body.Reset()
	for !bytes.Contains(body.Bytes(), []byte("end")) {
		part := make([]byte, 4096)
		n, err := response.Body.Read(part)
		must(err)
		body.Write(part[:n])
	}
	written["r3labs/sse"] = body.String()
	must(json.NewEncoder(os.Stdout).Encode(written))
}
GO
go mod init probe 2>/dev/null
go get github.com/gin-contrib/sse@v1.1.0 github.com/r3labs/sse/v2@v2.10.0 github.com/tmaxmax/go-sse@v0.12.0 2>/dev/null
go list -m github.com/gin-contrib/sse github.com/r3labs/sse/v2 github.com/tmaxmax/go-sse
go build -o written .

cat >probe.mjs <<'JS'
import { execFileSync } from 'node:child_process'
import http from 'node:http'
import { serve } from '@hono/node-server'
import { createSession } from 'better-sse'
import { createParser } from 'eventsource-parser'
import Fastify from 'fastify'
import { FastifySSEPlugin } from 'fastify-sse-v2'
import { createEventStream, H3, serve as serveH3 } from 'h3'
import { Hono } from 'hono'
import { streamSSE } from 'hono/streaming'
import SseStream from 'ssestream'

const pieces = ['Hello', ' world', '.', '\n\n', 'A list', ':\n- one', ' end']
const node = handler => new Promise(done => {
  const server = http.createServer(handler).listen(0, '127.0.0.1', () => done(`http://127.0.0.1:${server.address().port}`))
})
const servers = {
  'better-sse': () => node(async (request, response) => {
    const session = await createSession(request, response, { serializer: String })
    for (const piece of pieces) session.push(piece)
    setTimeout(() => response.end(), 300)
  }),
  'ssestream': () => node((request, response) => {
    const stream = new (SseStream.default ?? SseStream)(request)
    stream.pipe(response)
    for (const data of pieces) stream.write({ data })
    stream.end()
  }),
  'fastify-sse-v2': async () => {
    const app = Fastify()
    app.register(FastifySSEPlugin)
    app.get('/', (request, reply) => { reply.sse((async function* () { for (const data of pieces) yield { data } })()) })
    return app.listen({ port: 0, host: '127.0.0.1' })
  },
  'hono': () => new Promise(done => {
    const app = new Hono()
    app.get('/', context => streamSSE(context, async stream => { for (const data of pieces) await stream.writeSSE({ data }) }))
    serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' }, ({ port }) => done(`http://127.0.0.1:${port}`))
  }),
  'h3': async () => {
    const app = new H3()
    app.get('/', event => {
      const stream = createEventStream(event)
      void (async () => { for (const piece of pieces) await stream.push(piece); await stream.close() })()
      return stream.send()
    })
    const server = serveH3(app, { port: 0, hostname: '127.0.0.1', silent: true })
    await server.ready()
    return server.url
  },
}
const written = JSON.parse(execFileSync('./written', [JSON.stringify(pieces)]))
for (const [name, start] of Object.entries(servers)) written[name] = await (await fetch(await start(), { headers: { accept: 'text/event-stream' } })).text()
const answer = pieces.join('')
console.log('as it was said:', JSON.stringify(answer))
for (const [name, stream] of Object.entries(written)) {
  let heard = ''
  const parser = createParser({ onEvent: ({ data }) => { heard += data } })
  parser.feed(stream)
  console.log(`${name}: ${heard === answer ? 'the same' : JSON.stringify(heard)}`)
}
process.exit()
JS
node probe.mjs | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
as it was said: "Hello world.\n\nA list:\n- one end"
gin-contrib/sse: "Helloworld.\n\nA list:\n- oneend"
r3labs/sse: "Hello world.A list end"
tmaxmax/go-sse: "Hello world.\nA list:\n- one end"
better-sse: "Helloworld.A list:end"
ssestream: the same
fastify-sse-v2: the same
hono: the same
h3: the same
SEEN
