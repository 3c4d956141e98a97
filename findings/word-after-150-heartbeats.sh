#!/usr/bin/env bash
# 151 heartbeats end a stream for a popular Go client, and one takes the words out of every error that comes after it.
#
# Seen 2026-11-28 with github.com/sashabaranov/go-openai 1.43.0 and github.com/openai/openai-go/v3 3.96.0 (Go 1.26).
# Expected: a comment in an event stream is passed over, as its standard says, so a gateway may send as many as it likes while a model
# thinks. go-openai counts each line that is no data, a comment and the blank line behind it being two, and gives up above 300
# between two data lines: with a heartbeat a second after two and a half minutes of silence, for an answer that the seller will
# write. And it collects these lines to read an error from them: a ":" of long ago makes of {"error":{"message":...}} "unexpected
# end of JSON input". Without a heartbeat, and in openai-go with any number, the message is there. So heartbeats should be
# rare (15 s give 37 minutes), and a client that reports broken JSON may have been told in good words why its answer ended.
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
)

const (
	word = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"hello\"}}]}\n\n"
	done = "data: [DONE]\n\n"
	gone = "data: {\"error\":{\"message\":\"the seller is gone\"}}\n\n"
)

func askCommunity(base string) (text string, err error) {
	config := community.DefaultConfig("k")
	config.BaseURL = base
	stream, err := community.NewClientWithConfig(config).CreateChatCompletionStream(context.Background(), community.ChatCompletionRequest{
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
}

func askOfficial(base string) (text string, err error) {
	client := official.NewClient(option.WithAPIKey("k"), option.WithBaseURL(base))
	stream := client.Chat.Completions.NewStreaming(context.Background(), official.ChatCompletionNewParams{
		Model: "m", Messages: []official.ChatCompletionMessageParamUnion{official.UserMessage("hi")},
	})
	for stream.Next() {
		text += stream.Current().Choices[0].Delta.Content
	}
	return text, stream.Err()
}

func main() {
	for _, beats := range []int{0, 1, 150, 151} {
		for _, end := range []string{done, gone} {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "text/event-stream")
				io.WriteString(w, strings.Repeat(": \n\n", beats)+word+end)
			}))
			name := map[string]string{done: "done", gone: "an error"}[end]
			text, err := askCommunity(server.URL)
			fmt.Printf("%d heartbeats, a word, %s: go-openai %q %v\n", beats, name, text, err)
			text, err = askOfficial(server.URL)
			fmt.Printf("%d heartbeats, a word, %s: openai-go %q %v\n", beats, name, text, err)
			server.Close()
		}
	}
}
GO
go mod init probe 2>/dev/null
go get github.com/sashabaranov/go-openai@v1.43.0 github.com/openai/openai-go/v3@v3.96.0 2>/dev/null
go list -m github.com/sashabaranov/go-openai github.com/openai/openai-go/v3
go run . | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
0 heartbeats, a word, done: go-openai "hello" <nil>
0 heartbeats, a word, done: openai-go "hello" <nil>
0 heartbeats, a word, an error: go-openai "hello" error, the seller is gone
0 heartbeats, a word, an error: openai-go "hello" received error while streaming: {"message":"the seller is gone"}
1 heartbeats, a word, done: go-openai "hello" <nil>
1 heartbeats, a word, done: openai-go "hello" <nil>
1 heartbeats, a word, an error: go-openai "hello" unexpected end of JSON input
1 heartbeats, a word, an error: openai-go "hello" received error while streaming: {"message":"the seller is gone"}
150 heartbeats, a word, done: go-openai "hello" <nil>
150 heartbeats, a word, done: openai-go "hello" <nil>
150 heartbeats, a word, an error: go-openai "hello" unexpected end of JSON input
150 heartbeats, a word, an error: openai-go "hello" received error while streaming: {"message":"the seller is gone"}
151 heartbeats, a word, done: go-openai "" stream has sent too many empty messages
151 heartbeats, a word, done: openai-go "hello" <nil>
151 heartbeats, a word, an error: go-openai "" stream has sent too many empty messages
151 heartbeats, a word, an error: openai-go "hello" received error while streaming: {"message":"the seller is gone"}
SEEN
