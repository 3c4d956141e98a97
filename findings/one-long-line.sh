#!/usr/bin/env bash
# An answer that comes in one event of more than 64 KiB is an error for langchaingo, with both APIs, and whole for three other Go clients.
#
# Seen 2026-11-28 with github.com/tmc/langchaingo 0.1.14, github.com/sashabaranov/go-openai 1.43.0, github.com/openai/openai-go/v3 3.96.0
# and github.com/anthropics/anthropic-sdk-go 1.84.0 (Go 1.26).
# Expected: an event may be as long as it likes, and a model's stream, a few letters at a time, never comes to such a limit. It does where
# somebody between has put it together: a gateway that makes a stream of a whole answer, a filter that holds text back to look
# at it, a tool call that a server sends in one piece. langchaingo then ends with "token too long", which is a line's length
# and no count of tokens, and the answer, which is paid, is not there. So who writes a stream should cut long text into
# several events, even where one would do.
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

	vendor "github.com/anthropics/anthropic-sdk-go"
	vendoroption "github.com/anthropics/anthropic-sdk-go/option"
	official "github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	community "github.com/sashabaranov/go-openai"
	"github.com/tmc/langchaingo/llms"
	"github.com/tmc/langchaingo/llms/anthropic"
	"github.com/tmc/langchaingo/llms/openai"
)

const chat = `data: {"choices":[{"index":0,"delta":{"role":"assistant","content":"%s"},"finish_reason":null}]}

data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}

data: [DONE]

`

const messages = `event: message_start
data: {"type":"message_start","message":{"id":"a","type":"message","role":"assistant","model":"m","content":[],"stop_reason":null,"usage":{"input_tokens":1,"output_tokens":1}}}

event: content_block_start
data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"%s"}}

event: content_block_stop
data: {"type":"content_block_stop","index":0}

event: message_delta
data: {"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":9}}

event: message_stop
data: {"type":"message_stop"}

`

func langchain(ctx context.Context, model llms.Model, err error) (string, error) {
	if err != nil {
		return "", err
	}
	answer, err := model.GenerateContent(ctx, []llms.MessageContent{llms.TextParts(llms.ChatMessageTypeHuman, "hi")},
		llms.WithMaxTokens(9), llms.WithStreamingFunc(func(context.Context, []byte) error { return nil }))
	if err != nil {
		return "", err
	}
	return answer.Choices[0].Content, nil
}

func main() {
	ctx := context.Background()
	clients := []struct {
		name, stream string
		ask          func(base string) (string, error)
	}{
		{"langchaingo, openai", chat, func(base string) (string, error) {
			model, err := openai.New(openai.WithToken("k"), openai.WithModel("m"), openai.WithBaseURL(base))
			return langchain(ctx, model, err)
		}},
		{"langchaingo, anthropic", messages, func(base string) (string, error) {
			model, err := anthropic.New(anthropic.WithToken("k"), anthropic.WithModel("m"), anthropic.WithBaseURL(base))
			return langchain(ctx, model, err)
		}},
		{"openai-go", chat, func(base string) (text string, err error) {
			client := official.NewClient(option.WithAPIKey("k"), option.WithBaseURL(base))
			stream := client.Chat.Completions.NewStreaming(ctx, official.ChatCompletionNewParams{
				Model: "m", Messages: []official.ChatCompletionMessageParamUnion{official.UserMessage("hi")},
			})
			for stream.Next() {
				text += stream.Current().Choices[0].Delta.Content
			}
			return text, stream.Err()
		}},
		{"go-openai", chat, func(base string) (text string, err error) {
			config := community.DefaultConfig("k")
			config.BaseURL = base
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
		}},
		{"anthropic-sdk-go", messages, func(base string) (string, error) {
			client := vendor.NewClient(vendoroption.WithAPIKey("k"), vendoroption.WithBaseURL(base))
			stream := client.Messages.NewStreaming(ctx, vendor.MessageNewParams{
				Model: "m", MaxTokens: 9, Messages: []vendor.MessageParam{vendor.NewUserMessage(vendor.NewTextBlock("hi"))},
			})
			var answer vendor.Message
			for stream.Next() {
				if err := answer.Accumulate(stream.Current()); err != nil {
					return "", err
				}
			}
			if stream.Err() != nil {
				return "", stream.Err()
			}
			return answer.Content[0].Text, nil
		}},
	}
	for _, size := range []int{65000, 66000, 1000000} {
		for _, client := range clients {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "text/event-stream")
				fmt.Fprintf(w, client.stream, strings.Repeat("a", size))
			}))
			text, err := client.ask(server.URL)
			fmt.Printf("%d letters, %s: %d, error %v\n", size, client.name, len(text), err)
			server.Close()
		}
	}
}
GO
go mod init probe 2>/dev/null
go get github.com/tmc/langchaingo/llms/openai@v0.1.14 github.com/tmc/langchaingo/llms/anthropic@v0.1.14 \
	github.com/anthropics/anthropic-sdk-go@v1.84.0 github.com/sashabaranov/go-openai@v1.43.0 github.com/openai/openai-go/v3@v3.96.0 2>/dev/null
go list -m github.com/tmc/langchaingo github.com/sashabaranov/go-openai github.com/openai/openai-go/v3 github.com/anthropics/anthropic-sdk-go
go run . 2>/dev/null | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
65000 letters, langchaingo, openai: 65000, error <nil>
65000 letters, langchaingo, anthropic: 65000, error <nil>
65000 letters, openai-go: 65000, error <nil>
65000 letters, go-openai: 65000, error <nil>
65000 letters, anthropic-sdk-go: 65000, error <nil>
66000 letters, langchaingo, openai: 0, error error reading streaming response: bufio.Scanner: token too long
66000 letters, langchaingo, anthropic: 0, error anthropic: failed to create message: issue scanning response: bufio.Scanner: token too long
66000 letters, openai-go: 66000, error <nil>
66000 letters, go-openai: 66000, error <nil>
66000 letters, anthropic-sdk-go: 66000, error <nil>
1000000 letters, langchaingo, openai: 0, error error reading streaming response: bufio.Scanner: token too long
1000000 letters, langchaingo, anthropic: 0, error anthropic: failed to create message: issue scanning response: bufio.Scanner: token too long
1000000 letters, openai-go: 1000000, error <nil>
1000000 letters, go-openai: 1000000, error <nil>
1000000 letters, anthropic-sdk-go: 1000000, error <nil>
SEEN
