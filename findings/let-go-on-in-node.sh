#!/usr/bin/env bash
# A stream that its server breaks off stays open behind three of Node's proxies and ends well behind a gateway; that a client has left two of eight never tell.
#
# Seen 2026-11-30 with http-proxy 1.18.1, http-proxy-3 2.0.1, http-proxy-middleware 4.2.2, httpxy 0.5.6, express-http-proxy 2.1.2, @fastify/http-proxy 11.6.3,
# hono 4.13.19 with @hono/node-server 2.1.9 and @portkey-ai/gateway 1.15.2 (Node 20.20), express 5.3.0 and fastify 5.12.8, each with the fewest lines that
# hand requests on. All of them pass the first word of a stream at once.
# Expected: what ends on one side ends on the other, torn where it was torn, as with three of them. http-proxy, the one that most things are built
# on, waits for the request's "aborted", which Node no longer has for one that was read: a seller writes, and is paid, for a client that left long
# ago. The gateway does as much, and @fastify/http-proxy while a whole answer is being worked on. A stream that breaks off is an
# ordinary thing, a restart of the server; three leave the client's side open, so that it waits as if the model were thinking, until
# a timer of its own ends it, if it has one. The gateway ends it well: half an answer is all of it to whoever does not look
# for [DONE]. So who has one of these before or behind a gateway should try the three with it; a gateway should say by an
# error event that a stream is over before it breaks it off, and bound by money and time what may go on unread.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts --legacy-peer-deps http-proxy@1.18.1 http-proxy-3@2.0.1 http-proxy-middleware@4.2.2 httpxy@0.5.6 \
	express-http-proxy@2.1.2 @fastify/http-proxy@11.6.3 fastify@5.12.8 hono@4.13.19 @hono/node-server@2.1.9 @portkey-ai/gateway@1.15.2 express@5.3.0
npm ls --depth=0 2>/dev/null | grep -E ' (http-proxy|http-proxy-3|http-proxy-middleware|httpxy|express-http-proxy|@fastify/http-proxy|hono|@portkey-ai/gateway)@'

cat >probe.mjs <<'JS'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import http from 'node:http'
import net from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import fastifyProxy from '@fastify/http-proxy'
import { serve } from '@hono/node-server'
import express from 'express'
import expressProxy from 'express-http-proxy'
import Fastify from 'fastify'
import { Hono } from 'hono'
import { proxy } from 'hono/proxy'
import httpProxy from 'http-proxy'
import { createProxyServer as createProxy3 } from 'http-proxy-3'
import { createProxyMiddleware } from 'http-proxy-middleware'
import { createProxyServer as createHttpxy } from 'httpxy'

const ends = {} // what the seller sees of each request: how its answer has ended
const seller = http.createServer((request, response) => {
  const [, kind] = request.headers['x-case'].split(':')
  request.resume()
  response.on('close', () => { ends[request.headers['x-case']] = response.writableFinished ? 'written to its end' : 'told' })
  if (kind === 'whole') {
    setTimeout(() => response.writeHead(200, { 'content-type': 'application/json' }).end('{}'), 4000)
    return
  }
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  const word = () => response.write('data: {"id":"a","choices":[{"index":0,"delta":{"content":"word "}}]}\n\n')
  word()
  if (kind === 'torn') return setTimeout(() => response.destroy(), 300)
  const words = setInterval(word, 100)
  setTimeout(() => { clearInterval(words); response.end() }, 4000)
})
await new Promise(done => seller.listen(0, '127.0.0.1', done))
const target = `http://127.0.0.1:${seller.address().port}`
const listen = handler => new Promise(done => {
  const server = http.createServer(handler).listen(0, '127.0.0.1', () => done(server.address().port))
})
const classic = made => listen((request, response) => made.on('error', () => {}).web(request, response))
const ways = {
  'nothing between': () => seller.address().port,
  'http-proxy': () => classic(httpProxy.createProxyServer({ target })),
  'http-proxy-3': () => classic(createProxy3({ target })),
  'http-proxy-middleware': () => listen(express().use(createProxyMiddleware({ target }))),
  httpxy: () => {
    const made = createHttpxy({ target })
    return listen((request, response) => made.web(request, response).catch(() => {}))
  },
  'express-http-proxy': () => listen(express().use(expressProxy(target))),
  '@fastify/http-proxy': async () => {
    const made = Fastify()
    await made.register(fastifyProxy, { upstream: target })
    await made.listen({ port: 0, host: '127.0.0.1' })
    return made.server.address().port
  },
  hono: () => new Promise(done => {
    const made = new Hono().all('*', c => proxy(target + c.req.path, c.req))
    serve({ fetch: made.fetch, port: 0, hostname: '127.0.0.1' }, ({ port }) => done(port))
  }),
  '@portkey-ai/gateway': async () => {
    const probe = net.createServer().listen(0, '127.0.0.1')
    await once(probe, 'listening')
    const { port } = probe.address()
    await new Promise(done => probe.close(done))
    const child = spawn('node', ['node_modules/@portkey-ai/gateway/build/start-server.js', `--port=${port}`, '--headless'], { stdio: 'ignore' })
    process.on('exit', () => child.kill())
    while (!await fetch(`http://127.0.0.1:${port}/`).catch(() => null)) await wait(100)
    return port
  },
}
const ask = (port, name, kind) => {
  const body = JSON.stringify({ model: 'm', stream: kind !== 'whole', messages: [{ role: 'user', content: 'hi' }] })
  const id = `${name}:${kind}`
  const request = http.request({
    host: '127.0.0.1', port, path: '/v1/chat/completions', method: 'POST', agent: false,
    headers: {
      'content-type': 'application/json', 'content-length': body.length, authorization: 'Bearer k', 'x-case': id, // the rest is for the last of them
      'x-portkey-provider': 'openai', 'x-portkey-custom-host': `${target}/v1`, 'x-portkey-forward-headers': 'x-case',
    },
  })
  const first = new Promise(done => request.on('response', response => response.once('data', done)))
  const end = new Promise(done => {
    request.on('error', () => done('torn'))
    request.on('response', response => response.on('data', () => {}).on('end', () => done('well ended')).on('error', () => done('torn')))
  })
  request.end(body)
  return { id, request, first, end }
}
const look = async (name, make) => {
  const port = await make()
  const torn = ask(port, name, 'torn')
  const stream = ask(port, name, 'stream')
  const whole = ask(port, name, 'whole')
  await stream.first
  await wait(500)
  stream.request.destroy()
  whole.request.destroy()
  const how = await Promise.race([torn.end, wait(7000).then(() => 'left open')])
  await wait(7000)
  torn.request.destroy()
  return `${name}: broken off is ${how}; a left stream is ${ends[stream.id]}, a left whole answer ${ends[whole.id]}`
}
const lines = await Promise.all(Object.entries(ways).map(([name, make]) => look(name, make)))
console.log(lines.join('\n'))
process.exit()
JS
node probe.mjs 2>/dev/null | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
nothing between: broken off is torn; a left stream is told, a left whole answer told
http-proxy: broken off is left open; a left stream is written to its end, a left whole answer written to its end
http-proxy-3: broken off is left open; a left stream is told, a left whole answer told
http-proxy-middleware: broken off is torn; a left stream is told, a left whole answer told
httpxy: broken off is torn; a left stream is told, a left whole answer told
express-http-proxy: broken off is left open; a left stream is told, a left whole answer told
@fastify/http-proxy: broken off is torn; a left stream is told, a left whole answer written to its end
hono: broken off is torn; a left stream is told, a left whole answer told
@portkey-ai/gateway: broken off is well ended; a left stream is written to its end, a left whole answer written to its end
SEEN
