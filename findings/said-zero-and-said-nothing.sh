#!/usr/bin/env bash
# A temperature of 0 is none to go-openai, so that the seller takes his own, 1 as a rule; where nothing was said langchaingo says 0. The same program has the opposite of what it asked for by changing its client.
#
# Seen 2026-12-01 with github.com/sashabaranov/go-openai 1.43.0, github.com/tmc/langchaingo 0.1.14, github.com/openai/openai-go/v3 3.96.0 and github.com/anthropics/anthropic-sdk-go 1.84.0 (Go 1.26).
# Expected: what was set is in the request, and nothing else is, as with the vendors' SDKs, which have a type of their own for that. 0 is the one temperature that people set, for answers that come out the same each time: tests, extraction, and a cache or a gateway
# that takes equal questions for one. go-openai leaves out whatever is 0 ("omitempty"), except a seed, which is a pointer: the question is answered at the seller's default, in other words each time. langchaingo sends 0 to both APIs whether or not it was set, which nobody sees in
# an answer until a model takes 1 alone, as those that think do, and refuses each question; and it leaves out a seed of 0. For Anthropic it also sets a limit of 2,048 tokens where none was set, at which answers end that are paid to there.
# So a gateway that keys anything by a request's parameters has three requests for one meaning, and "unset" and 0 aren't the same to any seller.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
export GOMODCACHE=$tmp/modules GOFLAGS='-modcacherw -trimpath'
cat >main.go <<'GO'
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"

	anthropicgo "github.com/anthropics/anthropic-sdk-go"
	anthropicoption "github.com/anthropics/anthropic-sdk-go/option"
	openaigo "github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	goopenai "github.com/sashabaranov/go-openai"
	"github.com/tmc/langchaingo/llms"
	"github.com/tmc/langchaingo/llms/anthropic"
	"github.com/tmc/langchaingo/llms/openai"
)

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func main() {
	ctx := context.Background()
	var sent map[string]any
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sent = nil
		if err := json.NewDecoder(r.Body).Decode(&sent); err != nil {
			panic(err)
		}
		w.Header().Set("Content-Type", "application/json")
		if r.URL.Path == "/v1/messages" {
			fmt.Fprint(w, `{"id":"a","type":"message","role":"assistant","content":[{"type":"text","text":"hi"}],"model":"m","stop_reason":"end_turn","usage":{"input_tokens":1,"output_tokens":1}}`)
			return
		}
		fmt.Fprint(w, `{"id":"a","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}],
			"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}`)
	}))
	say := func(name string) {
		delete(sent, "model")
		delete(sent, "messages")
		fmt.Printf("%s: %s\n", name, must(json.Marshal(sent)))
	}
	url := server.URL + "/v1"

	config := goopenai.DefaultConfig("key")
	config.BaseURL = url
	first := goopenai.NewClientWithConfig(config)
	hi := []goopenai.ChatCompletionMessage{{Role: "user", Content: "hi"}}
	must(first.CreateChatCompletion(ctx, goopenai.ChatCompletionRequest{Model: "m", Messages: hi}))
	say("go-openai, nothing")
	must(first.CreateChatCompletion(ctx, goopenai.ChatCompletionRequest{Model: "m", Messages: hi, Temperature: 0, TopP: 0, Seed: new(int)}))
	say("go-openai, zeros")

	zeros := []llms.CallOption{llms.WithTemperature(0), llms.WithTopP(0), llms.WithSeed(0)}
	chain := must(openai.New(openai.WithBaseURL(url), openai.WithToken("key"), openai.WithModel("m")))
	must(llms.GenerateFromSinglePrompt(ctx, chain, "hi"))
	say("langchaingo, nothing")
	must(llms.GenerateFromSinglePrompt(ctx, chain, "hi", zeros...))
	say("langchaingo, zeros")
	claude := must(anthropic.New(anthropic.WithBaseURL(url), anthropic.WithToken("key"), anthropic.WithModel("m")))
	must(llms.GenerateFromSinglePrompt(ctx, claude, "hi"))
	say("langchaingo for Anthropic, nothing")

	vendor := openaigo.NewClient(option.WithBaseURL(url), option.WithAPIKey("key"))
	question := openaigo.ChatCompletionNewParams{Model: "m", Messages: []openaigo.ChatCompletionMessageParamUnion{openaigo.UserMessage("hi")}}
	must(vendor.Chat.Completions.New(ctx, question))
	say("openai-go, nothing")
	question.Temperature, question.TopP, question.Seed = openaigo.Float(0), openaigo.Float(0), openaigo.Int(0)
	must(vendor.Chat.Completions.New(ctx, question))
	say("openai-go, zeros")

	other := anthropicgo.NewClient(anthropicoption.WithBaseURL(server.URL), anthropicoption.WithAPIKey("key"))
	message := anthropicgo.MessageNewParams{Model: "m", MaxTokens: 100, Messages: []anthropicgo.MessageParam{anthropicgo.NewUserMessage(anthropicgo.NewTextBlock("hi"))}}
	must(other.Messages.New(ctx, message))
	say("anthropic-sdk-go, nothing but a limit")
	message.Temperature = anthropicgo.Float(0)
	must(other.Messages.New(ctx, message))
	say("anthropic-sdk-go, zero")
}
GO
{ go mod init probe && go get github.com/sashabaranov/go-openai@v1.43.0 github.com/tmc/langchaingo@v0.1.14 github.com/openai/openai-go/v3@v3.96.0 github.com/anthropics/anthropic-sdk-go@v1.84.0 && go get .; } 2>go.log || { cat go.log; exit 1; }
go list -m github.com/sashabaranov/go-openai github.com/tmc/langchaingo github.com/openai/openai-go/v3 github.com/anthropics/anthropic-sdk-go
go run . | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
go-openai, nothing: {"stream":false}
go-openai, zeros: {"seed":0,"stream":false}
langchaingo, nothing: {"temperature":0}
langchaingo, zeros: {"temperature":0}
langchaingo for Anthropic, nothing: {"max_tokens":2048,"temperature":0}
openai-go, nothing: {}
openai-go, zeros: {"seed":0,"temperature":0,"top_p":0}
anthropic-sdk-go, nothing but a limit: {"max_tokens":100}
anthropic-sdk-go, zero: {"max_tokens":100,"temperature":0}
SEEN
