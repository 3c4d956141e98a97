#!/usr/bin/env bash
# "The seller is gone" in the middle of a stream is no error for langchaingo, and a stream that just ends is none for three Go clients.
#
# Seen 2026-11-28 with github.com/tmc/langchaingo 0.1.14, github.com/sashabaranov/go-openai 1.43.0 and
# github.com/openai/openai-go/v3 3.96.0 (Go 1.26).
# Expected: half an answer comes with an error. An event with an "error" and no choices, as servers send it once the 200 is out, is one
# for go-openai and openai-go; langchaingo passes it over and gives back the half, with a nil error and an empty stop reason. A
# stream that ends without finish reason and [DONE] is an answer for all three. A connection that is broken off is an error for
# all three, and after an error event the two still have its words. So a gateway that loses a seller in the middle should
# write the error and then break the connection off: an error event alone, or an orderly end, is money spent on half an answer.
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
	"github.com/tmc/langchaingo/llms/openai"
)

const (
	words = "data: {\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"half an\"},\"finish_reason\":null}]}\n\n"
	rest  = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\" answer\"},\"finish_reason\":null}]}\n\n" +
		"data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n" +
		"data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":3,\"total_tokens\":4}}\n\ndata: [DONE]\n\n"
	gone = "data: {\"error\":{\"message\":\"the seller is gone\"}}\n\n"
)

func askLangchain(base string) (text, reason string, err error) {
	model, err := openai.New(openai.WithToken("k"), openai.WithModel("m"), openai.WithBaseURL(base))
	if err != nil {
		return "", "", err
	}
	answer, err := model.GenerateContent(context.Background(), []llms.MessageContent{llms.TextParts(llms.ChatMessageTypeHuman, "hi")},
		llms.WithStreamingFunc(func(_ context.Context, part []byte) error {
			text += string(part)
			return nil
		}))
	if err == nil {
		text, reason = answer.Choices[0].Content, answer.Choices[0].StopReason
	}
	return text, reason, err
}

func askCommunity(base string) (text, reason string, err error) {
	config := community.DefaultConfig("k")
	config.BaseURL = base
	stream, err := community.NewClientWithConfig(config).CreateChatCompletionStream(context.Background(), community.ChatCompletionRequest{
		Model: "m", Messages: []community.ChatCompletionMessage{{Role: "user", Content: "hi"}},
	})
	for err == nil {
		var chunk community.ChatCompletionStreamResponse
		chunk, err = stream.Recv()
		for _, choice := range chunk.Choices {
			text, reason = text+choice.Delta.Content, string(choice.FinishReason)
		}
	}
	if errors.Is(err, io.EOF) { // as its examples end the loop
		err = nil
	}
	return text, reason, err
}

func askOfficial(base string) (text, reason string, err error) {
	client := official.NewClient(option.WithAPIKey("k"), option.WithBaseURL(base))
	stream := client.Chat.Completions.NewStreaming(context.Background(), official.ChatCompletionNewParams{
		Model: "m", Messages: []official.ChatCompletionMessageParamUnion{official.UserMessage("hi")},
	})
	for stream.Next() {
		for _, choice := range stream.Current().Choices {
			text, reason = text+choice.Delta.Content, choice.FinishReason
		}
	}
	return text, reason, stream.Err()
}

func main() {
	ends := []struct{ name, events string }{{"whole", rest}, {"ended early", ""}, {"error event", gone}, {"broken off", ""}, {"error event, broken off", gone}}
	clients := []struct {
		name string
		ask  func(string) (string, string, error)
	}{{"langchaingo", askLangchain}, {"go-openai", askCommunity}, {"openai-go", askOfficial}}
	for _, end := range ends {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			io.WriteString(w, words+end.events)
			w.(http.Flusher).Flush()
			if strings.HasSuffix(end.name, "broken off") {
				panic(http.ErrAbortHandler)
			}
		}))
		for _, client := range clients {
			text, reason, err := client.ask(server.URL)
			fmt.Printf("%s, %s: %q, finish %q, error %v\n", end.name, client.name, text, reason, err)
		}
		server.Close()
	}
}
GO
go mod init probe 2>/dev/null
go get github.com/tmc/langchaingo/llms/openai@v0.1.14 github.com/sashabaranov/go-openai@v1.43.0 github.com/openai/openai-go/v3@v3.96.0 2>/dev/null
go list -m github.com/tmc/langchaingo github.com/sashabaranov/go-openai github.com/openai/openai-go/v3
go run . 2>/dev/null | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
whole, langchaingo: "half an answer", finish "stop", error <nil>
whole, go-openai: "half an answer", finish "stop", error <nil>
whole, openai-go: "half an answer", finish "stop", error <nil>
ended early, langchaingo: "half an", finish "", error <nil>
ended early, go-openai: "half an", finish "", error <nil>
ended early, openai-go: "half an", finish "", error <nil>
error event, langchaingo: "half an", finish "", error <nil>
error event, go-openai: "half an", finish "", error error, the seller is gone
error event, openai-go: "half an", finish "", error received error while streaming: {"message":"the seller is gone"}
broken off, langchaingo: "half an", finish "", error error reading streaming response: unexpected EOF
broken off, go-openai: "half an", finish "", error unexpected EOF
broken off, openai-go: "half an", finish "", error unexpected EOF
error event, broken off, langchaingo: "half an", finish "", error error reading streaming response: unexpected EOF
error event, broken off, go-openai: "half an", finish "", error error, the seller is gone
error event, broken off, openai-go: "half an", finish "", error received error while streaming: {"message":"the seller is gone"}
SEEN
