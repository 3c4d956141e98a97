#!/usr/bin/env bash
# Half an answer is asked for again by Codex, Claude Code and opencode: six times, in another way, or more than twenty times in forty seconds.
#
# Seen 2026-11-30 with @openai/codex 0.171.0, @anthropic-ai/claude-code 2.1.332, opencode-ai 1.18.33 and @mariozechner/pi-coding-agent 0.73.1 (Node 20.20), each
# asked once without a terminal, and given 40 s; each request has all of the agent's prompt and tools in it.
# Expected: an answer that breaks off is an error to the user, or is asked for again a few times with growing pauses, and an error event that
# says why ends it, with its words. Codex asks six times, whatever broke it off. Claude Code asks on without an end when the connection is torn; after an error
# event, or a good end too early, it asks for the answer whole, without streaming, and shows that, and never the event's words. Each
# of its requests says that it is the first try. opencode asks on at both; an answer that ends well but has no finish reason, as many a
# proxy makes of a torn one, it takes for a turn of the model's, and asks at once for the next, with all halves so far. pi asks four
# times where the connection is torn, once where it is told why, and takes a half that ends well for the whole. Each half is paid. So a gateway that has begun to write must do all that
# it can not to lose its seller; must say so by an error event and a torn connection, never by a good end; and must
# bound what one key spends in a minute, as "asked once" is no bound.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund @openai/codex@0.171.0 @anthropic-ai/claude-code@2.1.332 opencode-ai@1.18.33 \
	@mariozechner/pi-coding-agent@0.73.1
npm ls --depth=0

cat >probe.mjs <<'JS'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import http from 'node:http'
import path from 'node:path'

const message = 'The seller is gone.'
const serve = async how => {
  const asked = []
  const server = http.createServer(async (request, response) => {
    let body = ''
    for await (const piece of request) body += piece
    if (request.method !== 'POST' || request.url.includes('count_tokens')) return response.writeHead(404).end('{}')
    const { tools, stream, model, messages } = JSON.parse(body)
    if (!tools?.length) return response.writeHead(400).end('{}') // what opencode asks for a title
    asked.push({ stream, halves: messages?.filter(({ role }) => role === 'assistant').length, tries: request.headers['x-stainless-retry-count'] })
    const anthropic = request.url.startsWith('/v1/messages')
    if (!stream) {
      response.writeHead(200, { 'content-type': 'application/json' })
      return response.end(JSON.stringify({ id: 'msg_w', type: 'message', role: 'assistant', model, content: [{ type: 'text', text: 'all of it' }], stop_reason: 'end_turn',
        stop_sequence: null, usage: { input_tokens: 9, output_tokens: 2 } }))
    }
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    const event = one => response.write(`${one.type ? `event: ${one.type}\n` : ''}data: ${JSON.stringify(one)}\n\n`)
    if (anthropic) {
      event({ type: 'message_start', message: { id: `msg_${asked.length}`, type: 'message', role: 'assistant', model, content: [], stop_reason: null, stop_sequence: null,
        usage: { input_tokens: 9, output_tokens: 1 } } })
      event({ type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } })
      event({ type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'a half' } })
      if (how === 'error event') event({ type: 'error', error: { type: 'api_error', message } })
    } else if (request.url.endsWith('/responses')) {
      const head = { id: 'resp_1', object: 'response', output: [] }
      event({ type: 'response.created', sequence_number: 0, response: { ...head, status: 'in_progress' } })
      event({ type: 'response.output_item.added', sequence_number: 1, output_index: 0, item: { id: 'msg_1', type: 'message', role: 'assistant', status: 'in_progress', content: [] } })
      event({ type: 'response.output_text.delta', sequence_number: 2, item_id: 'msg_1', output_index: 0, content_index: 0, delta: 'a half' })
      if (how === 'error event') event({ type: 'response.failed', sequence_number: 3, response: { ...head, status: 'failed', error: { code: 'server_error', message } } })
    } else {
      event({ id: 'chatcmpl-1', object: 'chat.completion.chunk', created: 1, model: 'm', choices: [{ index: 0, delta: { role: 'assistant', content: 'a half' }, finish_reason: null }] })
      if (how === 'error event') event({ error: { message, type: 'server_error', param: null, code: 'server_error' } })
    }
    setTimeout(() => (how === 'torn' ? response.destroy() : response.end()), 100)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { asked, base: `http://127.0.0.1:${server.address().port}` }
}
const take = async (how, name, ...args) => {
  const { asked, base } = await serve(how)
  const files = {
    '.codex/config.toml': `model = "m"\nmodel_provider = "x"\ncheck_for_update_on_startup = false\n[analytics]\nenabled = false\n[model_providers.x]
name = "x"\nbase_url = "${base}/v1"\nenv_key = "TEAM_KEY"\nwire_api = "responses"\n`,
    '.config/opencode/opencode.json': JSON.stringify({ model: 'x/m', provider: { x: { npm: '@ai-sdk/openai-compatible',
      options: { baseURL: `${base}/v1`, apiKey: 'k' }, models: { m: {} } } } }),
    '.pi/agent/models.json': JSON.stringify({ providers: { x: { baseUrl: `${base}/v1`, api: 'openai-completions', apiKey: 'TEAM_KEY', models: [{ id: 'm' }] } } }),
  }
  const home = fs.mkdtempSync(`${process.cwd()}/home-`)
  for (const [file, text] of Object.entries(files)) {
    fs.mkdirSync(path.dirname(`${home}/${file}`), { recursive: true })
    fs.writeFileSync(`${home}/${file}`, text)
  }
  const child = spawn(`${process.cwd()}/node_modules/.bin/${args[0]}`, args.slice(1), {
    cwd: home,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      PATH: process.env.PATH, HOME: home, TMPDIR: home, CI: 'true', TEAM_KEY: 'k', ANTHROPIC_BASE_URL: base, ANTHROPIC_AUTH_TOKEN: 'k', ANTHROPIC_MODEL: 'claude-haiku-4-5',
      HTTPS_PROXY: 'http://127.0.0.1:9', HTTP_PROXY: 'http://127.0.0.1:9', NO_PROXY: '127.0.0.1', CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1', DISABLE_AUTOUPDATER: '1',
      OPENCODE_DISABLE_AUTOUPDATE: '1', OPENCODE_DISABLE_MODELS_FETCH: '1', OPENCODE_PURE: '1',
    },
  })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', data => (said += data))
  let ended = true
  const timer = setTimeout(() => {
    ended = false
    process.kill(-child.pid, 'SIGKILL')
  }, 40_000)
  const [status] = await once(child, 'close')
  clearTimeout(timer)
  const times = ended ? asked.length : asked.length > 20 ? 'more than 20 times' : asked.length > 2 ? 'on and on' : asked.length
  const all = [`asks ${times}`]
  if (asked.some(({ stream }) => !stream)) all.push('the last time without streaming')
  if (asked.at(-1).halves) all.push('with the halves in it')
  if (asked.length > 1 && asked.every(({ tries }) => tries === '0')) all.push('each a first try')
  all.push(ended ? `ends with ${status}` : 'is not at an end')
  for (const text of ['a half', 'all of it']) if (said.includes(text)) all.push(`shows "${text}"`)
  if (said.includes(message)) all.push('says why')
  return `${name}, ${how}: ${all.join(', ')}`
}
const agents = [
  ['Codex', 'codex', 'exec', '--skip-git-repo-check', 'hi'],
  ['Claude Code', 'claude', '-p', 'hi'],
  ['opencode', 'opencode', 'run', 'hi'],
  ['pi', 'pi', '-p', '--provider', 'x', '--model', 'm', 'hi'],
]
for (const agent of agents)
  for (const line of await Promise.all(['torn', 'ended', 'error event'].map(how => take(how, ...agent)))) console.log(line)
process.exit()
JS
node probe.mjs 2>/dev/null | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
Codex, torn: asks 6, ends with 1
Codex, ended: asks 6, ends with 1
Codex, error event: asks 6, ends with 1, says why
Claude Code, torn: asks on and on, each a first try, is not at an end
Claude Code, ended: asks 3, the last time without streaming, each a first try, ends with 0, shows "all of it"
Claude Code, error event: asks 2, the last time without streaming, each a first try, ends with 0, shows "all of it"
opencode, torn: asks on and on, is not at an end
opencode, ended: asks more than 20 times, with the halves in it, is not at an end, shows "a half"
opencode, error event: asks on and on, is not at an end
pi, torn: asks 4, each a first try, ends with 1
pi, ended: asks 1, ends with 0, shows "a half"
pi, error event: asks 1, ends with 1, says why
SEEN
