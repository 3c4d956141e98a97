#!/usr/bin/env bash
# Of a stream that begins with a byte order mark the first event is gone for four Go clients: the answer's first word, or all tokens of the prompt, and no error.
#
# Seen 2026-11-30 with github.com/openai/openai-go/v3 3.96.0, github.com/anthropics/anthropic-sdk-go 1.84.0, github.com/sashabaranov/go-openai 1.43.0,
# github.com/tmc/langchaingo 0.1.14 (Go 1.26), openai 6.49.0, @anthropic-ai/sdk 1.14.0, ai 6.0.326 and @ai-sdk/anthropic 3.0.140 (Node 20.20).
# Expected: a mark at an event stream's beginning is passed over, as its standard says; .NET's StreamWriter with Encoding.UTF8, for one, writes it by itself.
# The same vendors' SDKs for Node do so. The ones for Go look for "data:" and "event:" at each line's beginning, where the first has the mark before it: its
# event has no data, or no name, and is passed over as any that one doesn't know. In Chat Completions that is the first word, where most servers write more than
# a role. In Anthropic's API it is message_start, the one that says what the prompt took: the words are all there, the input is 0 tokens, with cache and all,
# and a budget by it sees the smaller part of the bill; langchaingo, which goes by the data there, is right. curl shows nothing of a mark, and the first client
# that is tried may be Node's. So a gateway takes the mark away, and one that passes streams on byte by byte, or counts by them, looks for it at the first three
# bytes.
set -euo pipefail
tmp=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; wait; rm -rf "$tmp"' EXIT
cd "$tmp"
export GOMODCACHE=$tmp/modules GOFLAGS='-modcacherw -trimpath'
npm install --silent --no-audit --no-fund --ignore-scripts --legacy-peer-deps openai@6.49.0 @anthropic-ai/sdk@1.14.0 ai@6.0.326 @ai-sdk/openai-compatible@2.0.92 \
	@ai-sdk/anthropic@3.0.140 zod@4.4.3
npm ls --depth=0 2>/dev/null || true

cat >server.mjs <<'JS'
import http from 'node:http'

const chat = [
  { choices: [{ index: 0, delta: { role: 'assistant', content: 'one ' }, finish_reason: null }] },
  { choices: [{ index: 0, delta: { content: 'two' }, finish_reason: null }] },
  { choices: [{ index: 0, delta: {}, finish_reason: 'stop' }], usage: { prompt_tokens: 100, completion_tokens: 2, total_tokens: 102 } },
].map(event => `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', created: 1, model: 'm', ...event })}\n\n`).join('') + 'data: [DONE]\n\n'
const message = { id: 'm', type: 'message', role: 'assistant', model: 'm', content: [], stop_reason: null, stop_sequence: null }
const messages = [
  { type: 'message_start', message: { ...message, usage: { input_tokens: 100, output_tokens: 1 } } },
  { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
  { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'one ' } },
  { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'two' } },
  { type: 'content_block_stop', index: 0 },
  { type: 'message_delta', delta: { stop_reason: 'end_turn', stop_sequence: null }, usage: { output_tokens: 2 } },
  { type: 'message_stop' },
].map(event => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`).join('')
const server = http.createServer((request, response) => {
  request.resume().on('end', () => {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.end((request.url.startsWith('/mark') ? '\uFEFF' : '') + (request.url.includes('messages') ? messages : chat))
  })
})
server.listen(0, '127.0.0.1', () => console.log(`http://127.0.0.1:${server.address().port}`))
JS
cat >probe.mjs <<'JS'
import Anthropic from '@anthropic-ai/sdk'
import { createAnthropic } from '@ai-sdk/anthropic'
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { streamText } from 'ai'
import OpenAI from 'openai'

globalThis.AI_SDK_LOG_WARNINGS = false
const [, , base] = process.argv
const messages = [{ role: 'user', content: 'hi' }]
const ai = async model => {
  const answer = streamText({ model, messages, maxOutputTokens: 9 })
  return [await answer.text, (await answer.usage).inputTokens]
}
const ways = {
  openai: async root => {
    const answer = await new OpenAI({ apiKey: 'k', baseURL: `${root}/v1` }).chat.completions.stream({ model: 'm', messages }).finalChatCompletion()
    return [answer.choices[0].message.content, answer.usage.prompt_tokens]
  },
  'ai, chat': root => ai(createOpenAICompatible({ name: 'p', apiKey: 'k', baseURL: `${root}/v1`, includeUsage: true })('m')),
  anthropic: async root => {
    const answer = await new Anthropic({ apiKey: 'k', baseURL: root }).messages.stream({ model: 'm', max_tokens: 9, messages }).finalMessage()
    return [answer.content[0].text, answer.usage.input_tokens]
  },
  'ai, messages': root => ai(createAnthropic({ apiKey: 'k', baseURL: `${root}/v1` })('m')),
}
for (const [name, ask] of Object.entries(ways))
  for (const how of ['plain', 'mark']) {
    const [text, input] = await ask(`${base}/${how}`)
    console.log(`${name}, ${how}: ${JSON.stringify(text)}, ${input} in`)
  }
process.exit()
JS
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
	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	goopenai "github.com/sashabaranov/go-openai"
	"github.com/tmc/langchaingo/llms"
	chainanthropic "github.com/tmc/langchaingo/llms/anthropic"
	chainopenai "github.com/tmc/langchaingo/llms/openai"
)

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func chain(ctx context.Context, model llms.Model, err error, input string) (string, any) {
	check(err)
	answer, err := model.GenerateContent(ctx, []llms.MessageContent{llms.TextParts(llms.ChatMessageTypeHuman, "hi")}, llms.WithMaxTokens(9),
		llms.WithStreamingFunc(func(context.Context, []byte) error { return nil }))
	check(err)
	return answer.Choices[0].Content, answer.Choices[0].GenerationInfo[input]
}

func main() {
	ctx := context.Background()
	ways := []struct {
		name string
		ask  func(base string) (string, any)
	}{
		{"openai-go", func(base string) (string, any) {
			client := openai.NewClient(option.WithBaseURL(base+"/v1"), option.WithAPIKey("k"))
			stream := client.Chat.Completions.NewStreaming(ctx, openai.ChatCompletionNewParams{Model: "m",
				Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage("hi")}})
			answer := openai.ChatCompletionAccumulator{}
			for stream.Next() {
				answer.AddChunk(stream.Current())
			}
			check(stream.Err())
			return answer.Choices[0].Message.Content, answer.Usage.PromptTokens
		}},
		{"go-openai", func(base string) (string, any) {
			config := goopenai.DefaultConfig("k")
			config.BaseURL = base + "/v1"
			stream, err := goopenai.NewClientWithConfig(config).CreateChatCompletionStream(ctx, goopenai.ChatCompletionRequest{Model: "m",
				Messages: []goopenai.ChatCompletionMessage{{Role: "user", Content: "hi"}}})
			check(err)
			text, input := "", 0
			for {
				chunk, err := stream.Recv()
				if errors.Is(err, io.EOF) {
					return text, input
				}
				check(err)
				text += chunk.Choices[0].Delta.Content
				if chunk.Usage != nil {
					input = chunk.Usage.PromptTokens
				}
			}
		}},
		{"langchaingo, chat", func(base string) (string, any) {
			model, err := chainopenai.New(chainopenai.WithToken("k"), chainopenai.WithBaseURL(base+"/v1"), chainopenai.WithModel("m"))
			return chain(ctx, model, err, "PromptTokens")
		}},
		{"anthropic-go", func(base string) (string, any) {
			client := anthropic.NewClient(anthropicoption.WithBaseURL(base), anthropicoption.WithAPIKey("k"))
			stream := client.Messages.NewStreaming(ctx, anthropic.MessageNewParams{Model: "m", MaxTokens: 9,
				Messages: []anthropic.MessageParam{anthropic.NewUserMessage(anthropic.NewTextBlock("hi"))}})
			answer := anthropic.Message{}
			for stream.Next() {
				check(answer.Accumulate(stream.Current()))
			}
			check(stream.Err())
			return answer.Content[0].Text, answer.Usage.InputTokens
		}},
		{"langchaingo, messages", func(base string) (string, any) {
			model, err := chainanthropic.New(chainanthropic.WithToken("k"), chainanthropic.WithBaseURL(base+"/v1"), chainanthropic.WithModel("m"))
			return chain(ctx, model, err, "InputTokens")
		}},
	}
	for _, way := range ways {
		for _, how := range []string{"plain", "mark"} {
			text, input := way.ask(os.Args[1] + "/" + how)
			fmt.Printf("%s, %s: %q, %v in\n", way.name, how, text, input)
		}
	}
}
GO
{
	go mod init probe
	go get github.com/openai/openai-go/v3@v3.96.0 github.com/anthropics/anthropic-sdk-go@v1.84.0 github.com/sashabaranov/go-openai@v1.43.0 \
		github.com/tmc/langchaingo@v0.1.14 github.com/tmc/langchaingo/llms/{anthropic,openai}@v0.1.14
} 2>go.log || { cat go.log; exit 1; }
go list -m github.com/openai/openai-go/v3 github.com/anthropics/anthropic-sdk-go github.com/sashabaranov/go-openai github.com/tmc/langchaingo
node server.mjs >base &
until [ -s base ]; do sleep 0.1; done
{
	node probe.mjs "$(cat base)"
	go run . "$(cat base)"
} | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
openai, plain: "one two", 100 in
openai, mark: "one two", 100 in
ai, chat, plain: "one two", 100 in
ai, chat, mark: "one two", 100 in
anthropic, plain: "one two", 100 in
anthropic, mark: "one two", 100 in
ai, messages, plain: "one two", 100 in
ai, messages, mark: "one two", 100 in
openai-go, plain: "one two", 100 in
openai-go, mark: "two", 100 in
go-openai, plain: "one two", 100 in
go-openai, mark: "two", 100 in
langchaingo, chat, plain: "one two", 100 in
langchaingo, chat, mark: "two", 100 in
anthropic-go, plain: "one two", 100 in
anthropic-go, mark: "one two", 0 in
langchaingo, messages, plain: "one two", 100 in
langchaingo, messages, mark: "one two", 100 in
SEEN
