#!/usr/bin/env bash
# An event written over two "data:" lines is an empty answer and no error for langchaingo, and an error for go-openai and both of Google's SDKs.
#
# Seen 2026-11-29 with github.com/sashabaranov/go-openai 1.43.0, github.com/tmc/langchaingo 0.1.14, github.com/openai/openai-go/v3 3.96.0,
# github.com/anthropics/anthropic-sdk-go 1.84.0, google.golang.org/genai 1.77.0 (Go 1.26), openai 6.49.0, @anthropic-ai/sdk 1.14.0 and
# @google/genai 2.32.0 (Node 20.20).
# Expected: the lines of one event are joined by a line feed, as an event stream's standard has it, so that JSON may be written with
# its line breaks, and whoever writes events by such a library does so by itself. OpenAI's and Anthropic's own four SDKs join them. The
# others read each line for itself: go-openai and both of Google's end with an error about JSON, where the answer has been paid, and so
# does langchaingo in Anthropic's API; in OpenAI's it passes over what it cannot read, and gives back "" without an error. So a gateway that
# makes events from indented JSON has to take the line breaks out of it, and one that hands events on writes one line, whatever came.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
export GOMODCACHE=$tmp/modules GOFLAGS='-modcacherw -trimpath'
npm install --silent --no-audit --no-fund --ignore-scripts openai@6.49.0 @anthropic-ai/sdk@1.14.0 @google/genai@2.32.0
npm ls --depth=0

cat >main.go <<'GO'
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/anthropics/anthropic-sdk-go"
	anthropicoption "github.com/anthropics/anthropic-sdk-go/option"
	official "github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	community "github.com/sashabaranov/go-openai"
	"github.com/tmc/langchaingo/llms"
	langchainanthropic "github.com/tmc/langchaingo/llms/anthropic"
	langchain "github.com/tmc/langchaingo/llms/openai"
	"google.golang.org/genai"
)

var ctx = context.Background()

func langchaingo(model llms.Model, err error) (string, error) {
	if err != nil {
		return "", err
	}
	answer, err := model.GenerateContent(ctx, []llms.MessageContent{llms.TextParts(llms.ChatMessageTypeHuman, "hi")}, llms.WithMaxTokens(9),
		llms.WithStreamingFunc(func(context.Context, []byte) error { return nil }))
	if err != nil {
		return "", err
	}
	return answer.Choices[0].Content, nil
}

func ask(name, base string) (text string, err error) {
	switch name {
	case "openai-go":
		client := official.NewClient(option.WithAPIKey("k"), option.WithBaseURL(base+"/v1"))
		stream := client.Chat.Completions.NewStreaming(ctx, official.ChatCompletionNewParams{
			Model: "m", Messages: []official.ChatCompletionMessageParamUnion{official.UserMessage("hi")},
		})
		for stream.Next() {
			text += stream.Current().Choices[0].Delta.Content
		}
		return text, stream.Err()
	case "go-openai":
		config := community.DefaultConfig("k")
		config.BaseURL = base + "/v1"
		stream, err := community.NewClientWithConfig(config).CreateChatCompletionStream(ctx, community.ChatCompletionRequest{
			Model: "m", Messages: []community.ChatCompletionMessage{{Role: "user", Content: "hi"}},
		})
		for err == nil {
			var chunk community.ChatCompletionStreamResponse
			if chunk, err = stream.Recv(); err == nil {
				text += chunk.Choices[0].Delta.Content
			}
		}
		if errors.Is(err, io.EOF) {
			err = nil
		}
		return text, err
	case "langchaingo, chat":
		return langchaingo(langchain.New(langchain.WithToken("k"), langchain.WithBaseURL(base+"/v1"), langchain.WithModel("m")))
	case "langchaingo, messages":
		return langchaingo(langchainanthropic.New(langchainanthropic.WithToken("k"), langchainanthropic.WithBaseURL(base+"/v1"), langchainanthropic.WithModel("m")))
	case "anthropic-sdk-go":
		client := anthropic.NewClient(anthropicoption.WithAPIKey("k"), anthropicoption.WithBaseURL(base))
		stream := client.Messages.NewStreaming(ctx, anthropic.MessageNewParams{
			Model: "m", MaxTokens: 9, Messages: []anthropic.MessageParam{anthropic.NewUserMessage(anthropic.NewTextBlock("hi"))},
		})
		for stream.Next() {
			text += stream.Current().Delta.Text
		}
		return text, stream.Err()
	}
	client, err := genai.NewClient(ctx, &genai.ClientConfig{APIKey: "k", Backend: genai.BackendGeminiAPI, HTTPOptions: genai.HTTPOptions{BaseURL: base}})
	if err != nil {
		return "", err
	}
	for part, err := range client.Models.GenerateContentStream(ctx, "m", genai.Text("hi"), nil) {
		if err != nil {
			return text, err
		}
		text += part.Text()
	}
	return text, nil
}

func main() {
	text, err := ask(os.Args[1], os.Args[2])
	fmt.Printf("%q, error %v", text, err)
}
GO
go mod init probe 2>/dev/null
go get github.com/sashabaranov/go-openai@v1.43.0 github.com/openai/openai-go/v3@v3.96.0 github.com/anthropics/anthropic-sdk-go@v1.84.0 \
	github.com/tmc/langchaingo/llms/openai@v0.1.14 github.com/tmc/langchaingo/llms/anthropic@v0.1.14 google.golang.org/genai@v1.77.0 2>/dev/null
go list -m github.com/sashabaranov/go-openai github.com/openai/openai-go/v3 github.com/anthropics/anthropic-sdk-go github.com/tmc/langchaingo google.golang.org/genai
go build -o probe .

cat >probe.mjs <<'JS'
import http from 'node:http'
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import Anthropic from '@anthropic-ai/sdk'
import { GoogleGenAI } from '@google/genai'
import OpenAI from 'openai'

const choice = { index: 0, delta: { role: 'assistant', content: 'hello' }, finish_reason: 'stop' }
const events = {
  chat: [{ id: 'c', object: 'chat.completion.chunk', created: 1, model: 'm', choices: [choice] }],
  messages: [
    { type: 'message_start', message: { id: 'm', type: 'message', role: 'assistant', model: 'm', content: [], usage: { input_tokens: 1, output_tokens: 1 } } },
    { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
    { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'hello' } },
    { type: 'content_block_stop', index: 0 },
    { type: 'message_delta', delta: { stop_reason: 'end_turn' }, usage: { output_tokens: 1 } },
    { type: 'message_stop' },
  ],
  gemini: [{
    candidates: [{ content: { role: 'model', parts: [{ text: 'hello' }] }, finishReason: 'STOP', index: 0 }],
    usageMetadata: { promptTokenCount: 1, candidatesTokenCount: 1, totalTokenCount: 2 },
  }],
}
let lines
const event = (one, named) => {
  let json = JSON.stringify(one)
  // A line break is allowed between the members of an object.
  if (lines === 2) json = json.replace(/,"/, ',\n"')
  return (named ? `event: ${one.type}\n` : '') + json.split('\n').map(line => `data: ${line}\n`).join('') + '\n'
}
const server = http.createServer((request, response) => {
  request.resume()
  const api = request.url.includes('chat') ? 'chat' : request.url.includes('messages') ? 'messages' : 'gemini'
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  response.end(events[api].map(one => event(one, api === 'messages')).join('') + (api === 'chat' ? 'data: [DONE]\n\n' : ''))
})
server.listen(0, '127.0.0.1', async () => {
  const base = `http://127.0.0.1:${server.address().port}`
  const messages = [{ role: 'user', content: 'hi' }]
  const node = (make, text) => async () => {
    let all = ''
    for await (const part of await make()) all += text(part) ?? ''
    return `"${all}"`
  }
  const run = name => async () => (await promisify(execFile)('./probe', [name, base])).stdout
  const clients = {
    'openai': node(() => new OpenAI({ apiKey: 'k', baseURL: `${base}/v1` }).chat.completions.create({ model: 'm', messages, stream: true }), part => part.choices[0].delta.content),
    'openai-go': run('openai-go'),
    'go-openai': run('go-openai'),
    'langchaingo, chat': run('langchaingo, chat'),
    'langchaingo, messages': run('langchaingo, messages'),
    '@anthropic-ai/sdk': node(() => new Anthropic({ apiKey: 'k', baseURL: base }).messages.create({ model: 'm', max_tokens: 9, messages, stream: true }), part => part.delta?.text),
    'anthropic-sdk-go': run('anthropic-sdk-go'),
    '@google/genai': node(() => new GoogleGenAI({ apiKey: 'k', httpOptions: { baseUrl: base } }).models.generateContentStream({ model: 'm', contents: 'hi' }), part => part.text),
    'go-genai': run('go-genai'),
  }
  for (lines of [1, 2])
    for (const [name, ask] of Object.entries(clients))
      console.log(`${lines} line(s), ${name}: ${(await ask().catch(error => `${error.name}: ${error.message}`)).replaceAll('\n', ' ').slice(0, 160)}`)
  process.exit()
})
JS
node probe.mjs 2>/dev/null | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
1 line(s), openai: "hello"
1 line(s), openai-go: "hello", error <nil>
1 line(s), go-openai: "hello", error <nil>
1 line(s), langchaingo, chat: "hello", error <nil>
1 line(s), langchaingo, messages: "hello", error <nil>
1 line(s), @anthropic-ai/sdk: "hello"
1 line(s), anthropic-sdk-go: "hello", error <nil>
1 line(s), @google/genai: "hello"
1 line(s), go-genai: "hello", error <nil>
2 line(s), openai: "hello"
2 line(s), openai-go: "hello", error <nil>
2 line(s), go-openai: "", error unexpected end of JSON input
2 line(s), langchaingo, chat: "", error <nil>
2 line(s), langchaingo, messages: "", error anthropic: failed to create message: failed to parse stream event: unexpected EOF
2 line(s), @anthropic-ai/sdk: "hello"
2 line(s), anthropic-sdk-go: "hello", error <nil>
2 line(s), @google/genai: SyntaxError: Expected double-quoted property name in JSON at position 43
2 line(s), go-genai: "", error iterateResponseStream: error unmarshalling data data: {"candidates":[{"content":{"role":"model", data: "parts":[{"text":"hello"}]},"finishReason":"STO
SEEN
