#!/usr/bin/env bash
# A tool that buys something, in ninety seconds, has failed for three MCP clients of four, has bought all the same, and is called again by the agent that was told so.
#
# Seen 2026-11-30 with @modelcontextprotocol/sdk 1.32.2, @openai/agents 0.20.0, @langchain/mcp-adapters 1.1.4, @langchain/core 1.4.0, @ai-sdk/mcp 1.0.102 and ai
# 6.0.326 (Node 20.20), over HTTP, on a clock that runs twenty times as fast.
# Expected: a call that has begun is waited for, or what it does ends with its time; a tool that works for long says that it does, and is waited for. The SDK's
# client waits 60 seconds for anything, and so do two that are built on it and don't say so; progress, which the tool tells each ten seconds here, doesn't
# lengthen that unless it is told to (resetTimeoutOnProgress). The client then sends a cancellation, which reaches no tool on a server without sessions, as they
# are made for many instances: the request that it names is another instance's. The agent's model gets "timed out" for the tool's result, and does what one
# does: it calls the tool again, which buys again. The AI SDK has no limit, and one purchase. Payments that wait for a chain, and tools that ask another model,
# take a minute now and then, and in tests never. So a tool that pays has a key for each purchase among its arguments, by which it knows the second call for the
# first, or answers at once with a number to ask by; and who calls such tools sets the time-out himself.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts --legacy-peer-deps @modelcontextprotocol/sdk@1.32.2 @openai/agents@0.20.0 openai@6.49.0 \
	@langchain/mcp-adapters@1.1.4 @langchain/core@1.4.0 @langchain/langgraph@1.7.3 @ai-sdk/mcp@1.0.102 ai@6.0.326 zod@4.6.7
npm ls --depth=0 2>/dev/null | grep @

cat >probe.mjs <<'JS'
const wait = globalThis.setTimeout
globalThis.setTimeout = (run, pause, ...rest) => wait(run, pause >= 10_000 ? pause / 20 : pause, ...rest)
const { default: http } = await import('node:http')
const { createMCPClient, experimental_createMCPClient = createMCPClient } = await import('@ai-sdk/mcp')
const { MultiServerMCPClient } = await import('@langchain/mcp-adapters')
const { Client } = await import('@modelcontextprotocol/sdk/client/index.js')
const { StreamableHTTPClientTransport } = await import('@modelcontextprotocol/sdk/client/streamableHttp.js')
const { McpServer } = await import('@modelcontextprotocol/sdk/server/mcp.js')
const { StreamableHTTPServerTransport } = await import('@modelcontextprotocol/sdk/server/streamableHttp.js')
const { Agent, MCPServerStreamableHttp, OpenAIChatCompletionsModel, run, setTracingDisabled } = await import('@openai/agents')
const { default: OpenAI } = await import('openai')
const { z } = await import('zod')

let seconds, bought = 0, running = 0
const shop = () => {
  const mcp = new McpServer({ name: 'shop', version: '1.0.0' })
  mcp.registerTool('buy', { description: 'buys tokens', inputSchema: { dollars: z.number() } }, async (_, extra) => {
    running++
    const token = extra._meta?.progressToken
    for (let at = 10; token !== undefined && at < seconds; at += 10)
      setTimeout(() => extra.sendNotification({ method: 'notifications/progress', params: { progressToken: token, progress: at } }), at * 1000)
    await new Promise(done => setTimeout(done, seconds * 1000))
    if (!extra.signal.aborted) bought++
    running--
    return { content: [{ type: 'text', text: 'bought' }] }
  })
  return mcp
}
const server = http.createServer(async (request, response) => {
  if (request.url === '/v1/chat/completions') { // a model that calls the tool until it has heard that it is done
    let body = ''
    for await (const piece of request) body += piece
    const { messages } = JSON.parse(body)
    const results = messages.filter(message => message.role === 'tool')
    const more = results.length < 3 && !/bought/.test(JSON.stringify(results))
    const call = { id: `call-${results.length}`, type: 'function', function: { name: 'buy', arguments: '{"dollars":5}' } }
    const message = { role: 'assistant', content: more ? null : 'done', ...(more && { tool_calls: [call] }) }
    response.writeHead(200, { 'content-type': 'application/json' })
    return response.end(JSON.stringify({ id: 'c', object: 'chat.completion', created: 1, model: 'm', choices: [{ index: 0, message, finish_reason: more ? 'tool_calls' : 'stop' }] }))
  }
  const transport = new StreamableHTTPServerTransport({ sessionIdGenerator: undefined }) // without sessions
  await shop().connect(transport)
  await transport.handleRequest(request, response)
})
await new Promise(done => server.listen(0, '127.0.0.1', done))
const base = `http://127.0.0.1:${server.address().port}`, url = `${base}/mcp`
const once = { name: 'buy', arguments: { dollars: 5 } }
const sdk = async options => {
  const client = new Client({ name: 'c', version: '1' })
  await client.connect(new StreamableHTTPClientTransport(new URL(url)))
  return client.callTool(once, undefined, options)
}
setTracingDisabled(true)
const agents = async () => {
  const mcp = new MCPServerStreamableHttp({ url, name: 'shop' })
  await mcp.connect()
  return mcp
}
const ways = {
  'the SDK': () => sdk(),
  'the SDK, told of progress': () => sdk({ onprogress() {} }),
  'the SDK, told to wait on': () => sdk({ onprogress() {}, resetTimeoutOnProgress: true }),
  langchain: async () => (await new MultiServerMCPClient({ shop: { transport: 'http', url } }).getTools())[0].invoke({ dollars: 5 }),
  ai: async () => (await (await experimental_createMCPClient({ transport: { type: 'http', url } })).tools()).buy.execute({ dollars: 5 }, { toolCallId: '1', messages: [] }),
  agents: async () => (await agents()).callTool('buy', { dollars: 5 }),
  'agents, with a model': async () => {
    const model = new OpenAIChatCompletionsModel(new OpenAI({ apiKey: 'k', baseURL: `${base}/v1` }), 'm')
    return (await run(new Agent({ name: 'a', instructions: 'i', model, mcpServers: [await agents()] }), 'buy for 5 dollars')).finalOutput
  },
}
for (const [name, way] of Object.entries(ways))
  for (seconds of [30, 90]) {
    bought = 0
    const end = await way().then(result => JSON.stringify(result).match(/bought|done/)?.[0] ?? JSON.stringify(result), error => `error, ${error.message.match(/[Tt]imed out/)?.[0] ?? error.message}`)
    while (running > 0) await new Promise(done => wait(done, 20))
    console.log(`${name}, ${seconds} s: ${end}; bought ${bought} time(s)`)
  }
process.exit()
JS
node probe.mjs 2>/dev/null | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
the SDK, 30 s: bought; bought 1 time(s)
the SDK, 90 s: error, timed out; bought 1 time(s)
the SDK, told of progress, 30 s: bought; bought 1 time(s)
the SDK, told of progress, 90 s: error, timed out; bought 1 time(s)
the SDK, told to wait on, 30 s: bought; bought 1 time(s)
the SDK, told to wait on, 90 s: bought; bought 1 time(s)
langchain, 30 s: bought; bought 1 time(s)
langchain, 90 s: error, timed out; bought 1 time(s)
ai, 30 s: bought; bought 1 time(s)
ai, 90 s: bought; bought 1 time(s)
agents, 30 s: bought; bought 1 time(s)
agents, 90 s: error, timed out; bought 1 time(s)
agents, with a model, 30 s: done; bought 1 time(s)
agents, with a model, 90 s: done; bought 3 time(s)
SEEN
