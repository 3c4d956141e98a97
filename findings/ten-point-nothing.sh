#!/usr/bin/env bash
# A count of 10.0, or a time with a fraction, loses a whole paid answer in two Go clients; in a stream one of them then has no usage, and no error.
#
# Seen 2026-11-29 with github.com/sashabaranov/go-openai 1.43.0, github.com/tmc/langchaingo 0.1.14 and
# github.com/openai/openai-go/v3 3.96.0 (Go 1.26).
# Expected: 10 and 10.0 are one number to JSON, and a server in another language may write either for a count that it has worked out, or a
# clock's seconds with a fraction for "created", which no program needs. openai-go reads all of it. To encoding/json an int is digits
# alone: asked for a whole answer both others end with "cannot unmarshal number" behind a
# 200, go-openai with the answer and its tokens beside the error, where nobody looks, langchaingo with nothing. Of a stream go-openai
# ends at such a chunk, be it the first; langchaingo passes over the usage, and an answer of 0 tokens looks like a good one. So a
# gateway writes counts and times as digits alone, whatever its seller wrote, or its buyers' programs pay for what they can't read.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
export GOMODCACHE=$tmp/modules GOFLAGS='-modcacherw -trimpath'

cat >main.go <<'GO'
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"

	official "github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	community "github.com/sashabaranov/go-openai"
	"github.com/tmc/langchaingo/llms"
	langchain "github.com/tmc/langchaingo/llms/openai"
)

func communityWhole(base string) (string, any, error) {
	config := community.DefaultConfig("k")
	config.BaseURL = base
	answer, err := community.NewClientWithConfig(config).CreateChatCompletion(context.Background(), community.ChatCompletionRequest{
		Model: "m", Messages: []community.ChatCompletionMessage{{Role: "user", Content: "hi"}},
	})
	if len(answer.Choices) == 0 {
		return "", 0, err
	}
	return answer.Choices[0].Message.Content, answer.Usage.TotalTokens, err
}

func communityStream(base string) (text string, total any, err error) {
	config := community.DefaultConfig("k")
	config.BaseURL = base
	total = 0
	stream, err := community.NewClientWithConfig(config).CreateChatCompletionStream(context.Background(), community.ChatCompletionRequest{
		Model: "m", Messages: []community.ChatCompletionMessage{{Role: "user", Content: "hi"}},
	})
	for err == nil {
		var chunk community.ChatCompletionStreamResponse
		if chunk, err = stream.Recv(); err == nil {
			for _, choice := range chunk.Choices {
				text += choice.Delta.Content
			}
			if chunk.Usage != nil {
				total = chunk.Usage.TotalTokens
			}
		}
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return text, total, err
}

var question = official.ChatCompletionNewParams{
	Model: "m", Messages: []official.ChatCompletionMessageParamUnion{official.UserMessage("hi")},
}

func officialWhole(base string) (string, any, error) {
	client := official.NewClient(option.WithAPIKey("k"), option.WithBaseURL(base))
	answer, err := client.Chat.Completions.New(context.Background(), question)
	if err != nil {
		return "", 0, err
	}
	return answer.Choices[0].Message.Content, answer.Usage.TotalTokens, nil
}

func officialStream(base string) (text string, total any, err error) {
	client := official.NewClient(option.WithAPIKey("k"), option.WithBaseURL(base))
	stream := client.Chat.Completions.NewStreaming(context.Background(), question)
	for stream.Next() {
		chunk := stream.Current()
		for _, choice := range chunk.Choices {
			text += choice.Delta.Content
		}
		total = chunk.Usage.TotalTokens
	}
	return text, total, stream.Err()
}

func langchaingo(options ...llms.CallOption) func(base string) (string, any, error) {
	return func(base string) (string, any, error) {
		client, err := langchain.New(langchain.WithToken("k"), langchain.WithBaseURL(base), langchain.WithModel("m"))
		if err != nil {
			return "", 0, err
		}
		answer, err := client.GenerateContent(context.Background(), []llms.MessageContent{llms.TextParts(llms.ChatMessageTypeHuman, "hi")}, options...)
		if err != nil {
			return "", 0, err
		}
		return answer.Choices[0].Content, answer.Choices[0].GenerationInfo["TotalTokens"], nil
	}
}

func main() {
	clients := []struct {
		name          string
		whole, stream func(base string) (string, any, error)
	}{
		{"openai-go", officialWhole, officialStream},
		{"go-openai", communityWhole, communityStream},
		{"langchaingo", langchaingo(), langchaingo(llms.WithStreamingFunc(func(context.Context, []byte) error { return nil }))},
	}
	for _, number := range []struct{ name, created, count string }{
		{"digits alone", "1795000000", "10"},
		{"created with a fraction", "1795000000.25", "10"},
		{"a count of 10.0", "1795000000", "10.0"},
	} {
		usage := `"usage":{"prompt_tokens":` + number.count + `,"completion_tokens":1,"total_tokens":11}`
		whole := `{"id":"c","object":"chat.completion","created":` + number.created + `,"model":"m",` +
			`"choices":[{"index":0,"message":{"role":"assistant","content":"hello"},"finish_reason":"stop"}],` + usage + `}`
		head := `data: {"id":"c","object":"chat.completion.chunk","model":"m",`
		// The first of three words has the fraction; the usage has a chunk of its own, as always.
		chunk := func(created, word, end string) string {
			return head + `"created":` + created + `,"choices":[{"index":0,"delta":{"role":"assistant","content":"` + word + `"},"finish_reason":` + end + "}]}\n\n"
		}
		stream := chunk(number.created, "not ", "null") + chunk("1795000000", "for ", "null") + chunk("1795000000", "sale", `"stop"`) +
			head + `"created":1795000000,"choices":[],` + usage + "}\n\ndata: [DONE]\n\n"
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			if strings.Contains(string(body), `"stream":true`) {
				w.Header().Set("Content-Type", "text/event-stream")
				io.WriteString(w, stream)
				return
			}
			w.Header().Set("Content-Type", "application/json")
			io.WriteString(w, whole)
		}))
		for _, client := range clients {
			text, total, err := client.whole(server.URL)
			fmt.Printf("%s, %s, whole: %q, %v tokens, error %v\n", number.name, client.name, text, total, err)
			text, total, err = client.stream(server.URL)
			fmt.Printf("%s, %s, streamed: %q, %v tokens, error %v\n", number.name, client.name, text, total, err)
		}
		server.Close()
	}
}
GO
go mod init probe 2>/dev/null
go get github.com/openai/openai-go/v3@v3.96.0 github.com/sashabaranov/go-openai@v1.43.0 github.com/tmc/langchaingo/llms/openai@v0.1.14 2>/dev/null
go list -m github.com/openai/openai-go/v3 github.com/sashabaranov/go-openai github.com/tmc/langchaingo
go run . | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
digits alone, openai-go, whole: "hello", 11 tokens, error <nil>
digits alone, openai-go, streamed: "not for sale", 11 tokens, error <nil>
digits alone, go-openai, whole: "hello", 11 tokens, error <nil>
digits alone, go-openai, streamed: "not for sale", 11 tokens, error <nil>
digits alone, langchaingo, whole: "hello", 11 tokens, error <nil>
digits alone, langchaingo, streamed: "not for sale", 11 tokens, error <nil>
created with a fraction, openai-go, whole: "hello", 11 tokens, error <nil>
created with a fraction, openai-go, streamed: "not for sale", 11 tokens, error <nil>
created with a fraction, go-openai, whole: "hello", 11 tokens, error json: cannot unmarshal number 1795000000.25 into Go struct field ChatCompletionResponse.created of type int64
created with a fraction, go-openai, streamed: "", 0 tokens, error json: cannot unmarshal number 1795000000.25 into Go struct field ChatCompletionStreamResponse.created of type int64
created with a fraction, langchaingo, whole: "", 0 tokens, error json: cannot unmarshal number 1795000000.25 into Go struct field ChatCompletionResponse.created of type int64
created with a fraction, langchaingo, streamed: "not for sale", 11 tokens, error <nil>
a count of 10.0, openai-go, whole: "hello", 11 tokens, error <nil>
a count of 10.0, openai-go, streamed: "not for sale", 11 tokens, error <nil>
a count of 10.0, go-openai, whole: "hello", 11 tokens, error json: cannot unmarshal number 10.0 into Go struct field Usage.usage.prompt_tokens of type int
a count of 10.0, go-openai, streamed: "not for sale", 0 tokens, error json: cannot unmarshal number 10.0 into Go struct field Usage.usage.prompt_tokens of type int
a count of 10.0, langchaingo, whole: "", 0 tokens, error json: cannot unmarshal number 10.0 into Go struct field ChatUsage.usage.prompt_tokens of type int
a count of 10.0, langchaingo, streamed: "not for sale", 0 tokens, error <nil>
SEEN
