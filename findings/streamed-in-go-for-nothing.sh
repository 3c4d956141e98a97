#!/usr/bin/env bash
# A streamed answer has cost 0 tokens with Genkit for Go, a prompt of 90,510 tokens that Anthropic had cached is 10 to any-llm-go, and half an answer is a whole one to both.
#
# Seen 2026-11-30 with github.com/firebase/genkit/go 1.4.0 (plugins/compat_oai), github.com/mozilla-ai/any-llm-go 0.8.0 (Go 1.26).
# Expected: a framework that gives a usage with each answer has the same one whichever way it was asked, and one API for several vendors means the same by "prompt tokens"
# for each. Genkit's plugin for Go doesn't ask for the usage of a stream (stream_options), and gives zeros, not "unknown", where the same answer
# that isn't streamed has all of it. any-llm-go leaves asking to its caller, and of Anthropic's three counts of input takes the first alone, what was neither read from the
# cache nor written to it: an agent's long prompt is as good as free. A stream that ends after its first word, without a finish reason and without [DONE], is an answer
# without an error to both. So a gateway that is told of 0 tokens by such a program has the right number, and one that
# wants the usage in each stream asks the seller for it whether or not its client did.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
export GOMODCACHE=$tmp/modules GOFLAGS='-modcacherw -trimpath'

cat >main.go <<'GO'
package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/firebase/genkit/go/ai"
	"github.com/firebase/genkit/go/genkit"
	"github.com/firebase/genkit/go/plugins/compat_oai"
	"github.com/mozilla-ai/any-llm-go/config"
	"github.com/mozilla-ai/any-llm-go/providers"
	"github.com/mozilla-ai/any-llm-go/providers/anthropic"
	"github.com/mozilla-ai/any-llm-go/providers/openai"
)

const (
	counts  = `"usage":{"prompt_tokens":100,"completion_tokens":2,"total_tokens":102,"prompt_tokens_details":{"cached_tokens":90}}`
	message = `{"id":"m","type":"message","role":"assistant","model":"m","content":[{"type":"text","text":"yes"}],"stop_reason":"end_turn",
		"usage":{"input_tokens":10,"cache_read_input_tokens":90000,"cache_creation_input_tokens":500,"output_tokens":2}}`
)

// seller answers as OpenAI does, whole or streamed, with half an answer under /half, and as Anthropic does.
func seller(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	stream := strings.Contains(string(body), `"stream":true`)
	w.Header().Set("Content-Type", map[bool]string{false: "application/json", true: "text/event-stream"}[stream])
	switch {
	case strings.HasSuffix(r.URL.Path, "/messages"):
		fmt.Fprint(w, message)
		return
	case !stream:
		fmt.Fprintf(w, `{"id":"c","object":"chat.completion","created":1,"model":"m",%s,
			"choices":[{"index":0,"message":{"role":"assistant","content":"yes"},"finish_reason":"stop"}]}`, counts)
		return
	}
	event := func(fields string) {
		fmt.Fprintf(w, "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",%s}\n\n", fields)
	}
	event(`"choices":[{"index":0,"delta":{"role":"assistant","content":"yes"},"finish_reason":null}]`)
	if strings.HasPrefix(r.URL.Path, "/half") {
		return
	}
	event(`"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]`)
	if strings.Contains(string(body), "include_usage") {
		event(`"choices":[],` + counts)
	}
	fmt.Fprint(w, "data: [DONE]\n\n")
}

func main() {
	server := httptest.NewServer(http.HandlerFunc(seller))
	ctx := context.Background()
	for _, path := range []string{"/v1", "/half/v1"} {
		plugin := &compat_oai.OpenAICompatible{Provider: "x", APIKey: "k", BaseURL: server.URL + path}
		app := genkit.Init(ctx, genkit.WithPlugins(plugin))
		ask := []ai.GenerateOption{ai.WithPrompt("hi"), ai.WithModel(plugin.DefineModel("x", "m", ai.ModelOptions{Supports: &compat_oai.BasicText}))}
		streamed := ai.WithStreaming(func(context.Context, *ai.ModelResponseChunk) error { return nil })
		for _, options := range [][]ai.GenerateOption{ask, append(ask, streamed)} {
			answer, err := genkit.Generate(ctx, app, options...)
			if err != nil {
				fmt.Println("genkit:", path, err)
				continue
			}
			fmt.Printf("genkit, %s, streamed %v: %q, %s, input %d, cached %d, output %d\n", path, len(options) == 3, answer.Text(),
				answer.FinishReason, answer.Usage.InputTokens, answer.Usage.CachedContentTokens, answer.Usage.OutputTokens)
		}
	}
	question := providers.CompletionParams{Model: "m", Messages: []providers.Message{{Role: "user", Content: "hi"}}}
	claude, _ := anthropic.New(config.WithAPIKey("k"), config.WithBaseURL(server.URL))
	answer, err := claude.Completion(ctx, question)
	fmt.Printf("any-llm-go, Anthropic: input %d, total %d, error %v\n", answer.Usage.PromptTokens, answer.Usage.TotalTokens, err)
	for _, path := range []string{"/v1", "/half/v1"} {
		gpt, _ := openai.New(config.WithAPIKey("k"), config.WithBaseURL(server.URL+path))
		chunks, errs := gpt.CompletionStream(ctx, question)
		text, reason, usage := "", "", "none"
		for chunk := range chunks {
			for _, choice := range chunk.Choices {
				text += choice.Delta.Content
				reason += choice.FinishReason
			}
			if chunk.Usage != nil {
				usage = "some"
			}
		}
		fmt.Printf("any-llm-go, OpenAI, %s, streamed: %q, finish reason %q, usage %s, error %v\n", path, text, reason, usage, <-errs)
	}
}
GO
go mod init probe 2>go.log && go get github.com/firebase/genkit/go/plugins/compat_oai@v1.4.0 github.com/firebase/genkit/go/genkit@v1.4.0 \
	github.com/mozilla-ai/any-llm-go/providers/openai@v0.8.0 github.com/mozilla-ai/any-llm-go/providers/anthropic@v0.8.0 2>>go.log || { cat go.log; exit 1; }
go list -m github.com/firebase/genkit/go github.com/mozilla-ai/any-llm-go
go run . 2>/dev/null | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
genkit, /v1, streamed false: "yes", stop, input 100, cached 90, output 2
genkit, /v1, streamed true: "yes", stop, input 0, cached 0, output 0
genkit, /half/v1, streamed false: "yes", stop, input 100, cached 90, output 2
genkit, /half/v1, streamed true: "yes", unknown, input 0, cached 0, output 0
any-llm-go, Anthropic: input 10, total 12, error <nil>
any-llm-go, OpenAI, /v1, streamed: "yes", finish reason "stop", usage none, error <nil>
any-llm-go, OpenAI, /half/v1, streamed: "yes", finish reason "", usage none, error <nil>
SEEN
