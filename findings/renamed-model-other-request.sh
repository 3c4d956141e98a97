#!/usr/bin/env bash
# The same call asks for its limit, its instructions and its temperature in other fields when a gateway has put "openai/" before the model.
#
# Seen 2026-11-28 with @ai-sdk/openai 3.0.141, @ai-sdk/openai-compatible 2.0.92, ai 6.0.326, @langchain/openai 1.5.8, @langchain/core 1.4.0
# (Node 20.20), github.com/tmc/langchaingo 0.1.14 and github.com/sashabaranov/go-openai 1.43.0 (Go 1.26). Each is asked for at
# most 100 tokens at a temperature of 0.5, with instructions of the system.
# Expected: a client knows what a model takes from its settings, and a model's name is for the server. Four of five read the name: of "o3"
# they make max_completion_tokens, a developer's message, or no temperature, each its own choice of these, or an error before
# anything is sent; of "openai/o3" none of it. A "gpt-6" is one of these models for one, and none for three. langchaingo
# names the limit max_completion_tokens for all, and for o3 has the instructions as a user's. So a gateway that names
# models as it likes gets requests which, by what these clients know, the model's own server does not take, and has to put the
# fields right; and who reads the limit, to know what a call can cost at most, has to look for both names.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
export GOMODCACHE=$tmp/modules GOFLAGS='-modcacherw -trimpath'
npm install --silent --no-audit --no-fund --ignore-scripts @ai-sdk/openai@3.0.141 @ai-sdk/openai-compatible@2.0.92 ai@6.0.326 \
	@langchain/openai@1.5.8 @langchain/core@1.4.0
npm ls --depth=0

cat >main.go <<'GO'
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"

	community "github.com/sashabaranov/go-openai"
	"github.com/tmc/langchaingo/llms"
	"github.com/tmc/langchaingo/llms/openai"
)

const answer = `{"id":"a","object":"chat.completion","created":1,"model":"m","usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2},
	"choices":[{"index":0,"message":{"role":"assistant","content":"hello"},"finish_reason":"stop"}]}`

func main() {
	var sent []byte
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sent, _ = io.ReadAll(r.Body)
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, answer)
	}))
	ctx := context.Background()
	clients := []struct {
		name string
		ask  func(model string) error
	}{
		{"langchaingo", func(model string) error {
			client, err := openai.New(openai.WithToken("k"), openai.WithModel(model), openai.WithBaseURL(server.URL))
			if err == nil {
				_, err = client.GenerateContent(ctx, []llms.MessageContent{
					llms.TextParts(llms.ChatMessageTypeSystem, "s"), llms.TextParts(llms.ChatMessageTypeHuman, "hi"),
				}, llms.WithMaxTokens(100), llms.WithTemperature(0.5))
			}
			return err
		}},
		{"go-openai", func(model string) error {
			config := community.DefaultConfig("k")
			config.BaseURL = server.URL
			_, err := community.NewClientWithConfig(config).CreateChatCompletion(ctx, community.ChatCompletionRequest{
				Model: model, MaxTokens: 100, Temperature: 0.5,
				Messages: []community.ChatCompletionMessage{{Role: "system", Content: "s"}, {Role: "user", Content: "hi"}},
			})
			return err
		}},
	}
	for _, client := range clients {
		fmt.Println(client.name + ":")
		for _, model := range os.Args[1:] {
			sent = nil
			if err := client.ask(model); err != nil {
				fmt.Printf("  %s: %v\n", model, err)
				continue
			}
			var request struct {
				Max         int `json:"max_tokens"`
				Completion  int `json:"max_completion_tokens"`
				Temperature any
				Messages    []struct{ Role string }
			}
			if err := json.Unmarshal(sent, &request); err != nil {
				panic(err)
			}
			limit := "max_tokens"
			if request.Max == 0 {
				limit = "max_completion_tokens"
			}
			with := "no temperature"
			if request.Temperature != nil {
				with = "temperature"
			}
			fmt.Printf("  %s: %s, %s, %s\n", model, limit, request.Messages[0].Role, with)
		}
	}
}
GO
go mod init probe 2>/dev/null
go get github.com/tmc/langchaingo/llms/openai@v0.1.14 github.com/sashabaranov/go-openai@v1.43.0 2>/dev/null
go list -m github.com/tmc/langchaingo github.com/sashabaranov/go-openai

cat >probe.mjs <<'JS'
import { createOpenAI } from '@ai-sdk/openai'
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { ChatOpenAI } from '@langchain/openai'
import { generateText } from 'ai'

let sent
const answer = {
  id: 'a', object: 'chat.completion', created: 1, model: 'm', usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 },
  choices: [{ index: 0, message: { role: 'assistant', content: 'hello' }, finish_reason: 'stop' }],
}
const options = {
  apiKey: 'k', baseURL: 'http://127.0.0.1:1',
  fetch: async (_, { body }) => {
    sent = JSON.parse(body)
    return new Response(JSON.stringify(answer), { headers: { 'content-type': 'application/json' } })
  },
}
const ask = { system: 's', prompt: 'hi', maxOutputTokens: 100, temperature: 0.5 }
const clients = {
  '@ai-sdk/openai': model => generateText({ model: createOpenAI(options).chat(model), ...ask }),
  '@ai-sdk/openai-compatible': model => generateText({ model: createOpenAICompatible({ name: 'x', ...options })(model), ...ask }),
  langchain: model => new ChatOpenAI({ model, apiKey: 'k', maxTokens: 100, temperature: 0.5, configuration: options })
    .invoke([['system', 's'], ['user', 'hi']]),
}
globalThis.AI_SDK_LOG_WARNINGS = false
for (const [name, call] of Object.entries(clients)) {
  console.log(`${name}:`)
  for (const model of process.argv.slice(2)) {
    await call(model)
    const limit = Object.keys(sent).find(key => sent[key] === 100)
    console.log(`  ${model}: ${limit}, ${sent.messages[0].role}, ${sent.temperature === undefined ? 'no ' : ''}temperature`)
  }
}
JS
models='gpt-4o o3 openai/o3 gpt-5 openai/gpt-5 gpt-6'
go build -o probe .
{
	node probe.mjs $models
	./probe $models
} 2>/dev/null | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
@ai-sdk/openai:
  gpt-4o: max_tokens, system, temperature
  o3: max_completion_tokens, developer, no temperature
  openai/o3: max_tokens, system, temperature
  gpt-5: max_completion_tokens, developer, no temperature
  openai/gpt-5: max_tokens, system, temperature
  gpt-6: max_completion_tokens, developer, no temperature
@ai-sdk/openai-compatible:
  gpt-4o: max_tokens, system, temperature
  o3: max_tokens, system, temperature
  openai/o3: max_tokens, system, temperature
  gpt-5: max_tokens, system, temperature
  openai/gpt-5: max_tokens, system, temperature
  gpt-6: max_tokens, system, temperature
langchain:
  gpt-4o: max_tokens, system, temperature
  o3: max_completion_tokens, developer, temperature
  openai/o3: max_tokens, system, temperature
  gpt-5: max_completion_tokens, developer, temperature
  openai/gpt-5: max_tokens, system, temperature
  gpt-6: max_tokens, system, temperature
langchaingo:
  gpt-4o: max_completion_tokens, system, temperature
  o3: max_completion_tokens, user, no temperature
  openai/o3: max_completion_tokens, system, temperature
  gpt-5: max_completion_tokens, system, no temperature
  openai/gpt-5: max_completion_tokens, system, temperature
  gpt-6: max_completion_tokens, system, temperature
go-openai:
  gpt-4o: max_tokens, system, temperature
  o3: this model is not supported MaxTokens, please use MaxCompletionTokens
  openai/o3: max_tokens, system, temperature
  gpt-5: this model is not supported MaxTokens, please use MaxCompletionTokens
  openai/gpt-5: max_tokens, system, temperature
  gpt-6: max_tokens, system, temperature
SEEN
