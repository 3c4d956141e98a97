#!/usr/bin/env bash
# Two tool calls without a number are none for openai's Node helper and one "weatherweather" for its Go one; whoever is not the vendor has both.
#
# Seen 2026-11-28 with openai 6.49.0, ai 6.0.326, @ai-sdk/openai-compatible 2.0.92, @langchain/openai 1.5.8, @langchain/core 1.4.0
# (Node 20.20), github.com/openai/openai-go/v3 3.96.0 and github.com/tmc/langchaingo 0.1.14 (Go 1.26).
# Expected: a stream's tool call is known by its id or by its "index", or a missing one is an error. The API asks for the index, but
# servers that write each call whole, and gateways that make them from Gemini's parts, leave it out or have 0 in all, and test
# it with one call, where nothing shows. By the number alone openai's two go: 0 twice joins the arguments of both, in Go the names as well,
# and no number is no call at all in Node, where the answer ends with "tool_calls" and an empty list. No error, and AddChunk is true.
# Three others see that an id is another one, and have two calls. So a gateway has to number the calls of whoever does not, from 0 for
# each choice; else the words are paid, and the agent does nothing, or calls what nobody has offered and pays for the turn that says so.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
export GOMODCACHE=$tmp/modules GOFLAGS='-modcacherw -trimpath'
npm install --silent --no-audit --no-fund --ignore-scripts openai@6.49.0 ai@6.0.326 @ai-sdk/openai-compatible@2.0.92 \
	@langchain/openai@1.5.8 @langchain/core@1.4.0
npm ls --depth=0

cat >main.go <<'GO'
package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/tmc/langchaingo/llms"
	langchain "github.com/tmc/langchaingo/llms/openai"
)

func main() {
	name, base := os.Args[1], os.Args[2]
	var calls []string
	var err error
	if name == "openai-go" {
		calls, err = official(base)
	} else {
		calls, err = langchaingo(base)
	}
	fmt.Print(len(calls), " ", strings.Join(calls, ", "), ", error ", err)
}

func official(base string) (calls []string, err error) {
	client := openai.NewClient(option.WithAPIKey("k"), option.WithBaseURL(base))
	stream := client.Chat.Completions.NewStreaming(context.Background(), openai.ChatCompletionNewParams{
		Model: "m", Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage("hi")},
	})
	var answer openai.ChatCompletionAccumulator
	for stream.Next() {
		if !answer.AddChunk(stream.Current()) {
			return nil, fmt.Errorf("AddChunk is false")
		}
	}
	for _, call := range answer.Choices[0].Message.ToolCalls {
		calls = append(calls, call.Function.Name+call.Function.Arguments)
	}
	return calls, stream.Err()
}

func langchaingo(base string) (calls []string, err error) {
	client, err := langchain.New(langchain.WithToken("k"), langchain.WithBaseURL(base), langchain.WithModel("m"))
	if err != nil {
		return nil, err
	}
	answer, err := client.GenerateContent(context.Background(), []llms.MessageContent{llms.TextParts(llms.ChatMessageTypeHuman, "hi")},
		llms.WithStreamingFunc(func(context.Context, []byte) error { return nil }))
	if err != nil {
		return nil, err
	}
	for _, call := range answer.Choices[0].ToolCalls {
		calls = append(calls, call.FunctionCall.Name+call.FunctionCall.Arguments)
	}
	return calls, nil
}
GO
go mod init probe 2>/dev/null
go get github.com/openai/openai-go/v3@v3.96.0 github.com/tmc/langchaingo/llms/openai@v0.1.14 2>/dev/null
go list -m github.com/openai/openai-go/v3 github.com/tmc/langchaingo
go build -o probe .

cat >probe.mjs <<'JS'
import http from 'node:http'
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { ChatOpenAI } from '@langchain/openai'
import { jsonSchema, streamText, tool } from 'ai'
import OpenAI from 'openai'

const chunk = (delta, finish_reason = null) => `data: ${JSON.stringify({
  id: 'a', object: 'chat.completion.chunk', created: 1, model: 'm', choices: [{ index: 0, delta, finish_reason }],
})}\n\n`
const call = (index, id, city) => chunk({
  role: 'assistant', tool_calls: [{ index, id, type: 'function', function: { name: 'weather', arguments: JSON.stringify({ city }) } }],
})
const streams = {
  'numbered 0 and 1': call(0, 'call-1', 'Oslo') + call(1, 'call-2', 'Rome'),
  'numbered 0 and 0': call(0, 'call-1', 'Oslo') + call(0, 'call-2', 'Rome'),
  'without numbers': call(undefined, 'call-1', 'Oslo') + call(undefined, 'call-2', 'Rome'),
}
const server = http.createServer((request, response) => {
  request.resume()
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  response.end(streams[decodeURIComponent(request.url.split('/')[1])] + chunk({}, 'tool_calls') + 'data: [DONE]\n\n')
})
server.listen(0, '127.0.0.1', async () => {
  const messages = [{ role: 'user', content: 'hi' }]
  for (const how of Object.keys(streams)) {
    const options = { apiKey: 'k', baseURL: `http://127.0.0.1:${server.address().port}/${encodeURIComponent(how)}` }
    const run = async name => (await promisify(execFile)('./probe', [name, options.baseURL])).stdout
    const show = calls => `${calls.length} ${calls.join(', ')}`
    const clients = {
      'openai': async () => {
        const answer = await new OpenAI(options).chat.completions.stream({ model: 'm', messages }).finalChatCompletion()
        const [{ message: { tool_calls = [] }, finish_reason }] = answer.choices
        return `${show(tool_calls.map(({ function: f }) => f.name + f.arguments))}, finish reason ${finish_reason}`
      },
      'openai-go': () => run('openai-go'),
      'langchaingo': () => run('langchaingo'),
      'langchain': async () => {
        let all
        for await (const part of await new ChatOpenAI({ apiKey: 'k', model: 'm', configuration: options }).stream('hi'))
          all = all ? all.concat(part) : part
        return show(all.tool_calls.map(({ name, args }) => name + JSON.stringify(args)))
      },
      'ai': async () => {
        const weather = tool({ inputSchema: jsonSchema({ type: 'object', properties: { city: { type: 'string' } } }) })
        const { toolCalls } = streamText({ model: createOpenAICompatible({ name: 'x', ...options })('m'), messages, tools: { weather } })
        return show((await toolCalls).map(({ toolName, input }) => toolName + JSON.stringify(input)))
      },
    }
    for (const [name, ask] of Object.entries(clients)) console.log(`${how}, ${name}: ${await ask()}`)
  }
  process.exit()
})
JS
node probe.mjs 2>/dev/null | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
numbered 0 and 1, openai: 2 weather{"city":"Oslo"}, weather{"city":"Rome"}, finish reason tool_calls
numbered 0 and 1, openai-go: 2 weather{"city":"Oslo"}, weather{"city":"Rome"}, error <nil>
numbered 0 and 1, langchaingo: 2 weather{"city":"Oslo"}, weather{"city":"Rome"}, error <nil>
numbered 0 and 1, langchain: 2 weather{"city":"Oslo"}, weather{"city":"Rome"}
numbered 0 and 1, ai: 2 weather{"city":"Oslo"}, weather{"city":"Rome"}
numbered 0 and 0, openai: 1 weather{"city":"Oslo"}{"city":"Rome"}, finish reason tool_calls
numbered 0 and 0, openai-go: 1 weatherweather{"city":"Oslo"}{"city":"Rome"}, error <nil>
numbered 0 and 0, langchaingo: 2 weather{"city":"Oslo"}, weather{"city":"Rome"}, error <nil>
numbered 0 and 0, langchain: 2 weather{"city":"Oslo"}, weather{"city":"Rome"}
numbered 0 and 0, ai: 2 weather{"city":"Oslo"}, weather{"city":"Rome"}
without numbers, openai: 0 , finish reason tool_calls
without numbers, openai-go: 1 weatherweather{"city":"Oslo"}{"city":"Rome"}, error <nil>
without numbers, langchaingo: 2 weather{"city":"Oslo"}, weather{"city":"Rome"}, error <nil>
without numbers, langchain: 2 weather{"city":"Oslo"}, weather{"city":"Rome"}
without numbers, ai: 2 weather{"city":"Oslo"}, weather{"city":"Rome"}
SEEN
