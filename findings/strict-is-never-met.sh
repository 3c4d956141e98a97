#!/usr/bin/env bash
# A strict schema is met by no answer of Instructor's, which puts its own field into each before it looks: four right ones are paid, and the model reads its bill as its own words.
#
# Seen 2026-11-30 with @instructor-ai/instructor 1.7.0, openai 4.104.0 and zod 3.25.76 (Node 20.20), in the mode "TOOLS", with three retries.
# Expected: what the model has called the tool with is held against the schema, and where it doesn't fit, the model is told what it answered, as it answered it, and what
# was wrong. Instructor puts the call's usage into the parsed object, as "_meta", before it is checked. A schema that is .strict(), as those are that forbid fields nobody asked
# for, refuses "_meta" each time: the right answer is asked for until the tries are over, all of them paid, and the program's
# error is a ZodError. With any schema a second try has "_meta" in the assistant's words, tokens and all, and the call with its id is gone: the model reads, and pays for
# as input, that it has written its own bill. The usage of the answer is that of the last call: 2,010 tokens of 3,020 here. So schemas for it aren't strict, and who has
# to know what a structured answer has cost counts in the client's fetch or at the gateway.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts @instructor-ai/instructor@1.7.0 openai@4.104.0 zod@3.25.76
npm ls --depth=0

cat >probe.mjs <<'JS'
import Instructor from '@instructor-ai/instructor'
import OpenAI from 'openai'
import { z } from 'zod'

const ask = async (name, schema, answers) => {
  const asked = []
  let paid = 0
  const seller = async (url, { body }) => {
    const { messages, tools } = JSON.parse(body)
    asked.push(messages)
    const usage = { prompt_tokens: 1000 * asked.length, completion_tokens: 10, total_tokens: 1000 * asked.length + 10 }
    paid += usage.total_tokens
    const call = { id: 'call_1', type: 'function', function: { name: tools[0].function.name, arguments: answers.shift() ?? '{"cents":1250}' } }
    const choices = [{ index: 0, message: { role: 'assistant', content: null, tool_calls: [call] }, finish_reason: 'tool_calls' }]
    return Response.json({ id: 'c', object: 'chat.completion', created: 1, model: 'm', choices, usage })
  }
  const client = Instructor({ client: new OpenAI({ apiKey: 'k', baseURL: 'http://localhost/v1', fetch: seller }), mode: 'TOOLS' })
  const request = { model: 'm', messages: [{ role: 'user', content: 'what is to be paid?' }], max_retries: 3, response_model: { name: 'Payment', schema } }
  const answer = await client.chat.completions.create(request).catch(error => error)
  const told = answer instanceof Error ? `${answer.name}: ${answer.message.split('\n')[0]}` : `${answer.cents} cents, ${answer._meta.usage.total_tokens} tokens`
  console.log(`${name}: ${asked.length} calls, ${paid} tokens paid; ${told}`)
  for (const { role, content, tool_calls: calls } of asked[1]?.slice(1, 2) ?? []) console.log(`${role} in the second: ${content}${calls ? ' and a call' : ''}`)
}
const payment = z.object({ cents: z.number() })
await ask('right at once', payment, [])
await ask('right at last', payment, ['{"cents":"a lot"}'])
await ask('right at once, strict', payment.strict(), [])
JS
node probe.mjs 2>&1 | grep -E '^(right|assistant)' | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
right at once: 1 calls, 1010 tokens paid; 1250 cents, 1010 tokens
right at last: 2 calls, 3020 tokens paid; 1250 cents, 2010 tokens
assistant in the second: {"cents":"a lot","_meta":{"usage":{"prompt_tokens":1000,"completion_tokens":10,"total_tokens":1010}}}
right at once, strict: 4 calls, 10040 tokens paid; ZodError: [
assistant in the second: {"cents":1250,"_meta":{"usage":{"prompt_tokens":1000,"completion_tokens":10,"total_tokens":1010}}}
SEEN
