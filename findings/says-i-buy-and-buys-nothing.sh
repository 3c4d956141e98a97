#!/usr/bin/env bash
# A model says "I buy." and calls the tool; Eino's ReAct agent has bought where it was asked for the whole, and where it streams it ends with "I buy.", no purchase and no error. Thoughts are 0 tokens in each of its streams.
#
# Seen 2026-12-01 with github.com/cloudwego/eino 0.7.36 and eino-ext/components/model/openai 0.1.7 (Go 1.26; with github.com/bytedance/sonic 1.15.5, as the one that they name doesn't build with it), by react.NewAgent and by adk.NewChatModelAgent with
# a runner, which Eino has both; no options but the model and a tool.
# Expected: whether an agent's answer comes word by word or whole is how it is shown, and what it does is the same. react's agent looks at the first chunk that isn't empty to know whether the model calls a tool: with words in it the answer is
# over, and whatever follows is handed through as part of it, a call that nobody carries out. OpenAI's models say nothing before a call as a rule, so that a test with those is fine; Claude nearly always does, and so may any model behind a
# gateway which another seller serves today. The documentation names Claude, at an option, StreamToolCallChecker, that has to be written. The ADK's agent reads to the end. Both have their limits: twelve "steps", which are six turns with a tool, after which the seventh
# answer is paid and there is an error in the place of all that was said, and twenty turns.
# Of usage each message has that of its call, so that a run's is to be summed up, and who gets one message has the last call's; what was thought is in it where nothing was streamed, and when chunks are joined it is dropped, with what was cached kept.
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
	"sync/atomic"

	"github.com/cloudwego/eino-ext/components/model/openai"
	"github.com/cloudwego/eino/adk"
	"github.com/cloudwego/eino/components/tool"
	"github.com/cloudwego/eino/components/tool/utils"
	"github.com/cloudwego/eino/compose"
	"github.com/cloudwego/eino/flow/agent/react"
	"github.com/cloudwego/eino/schema"
)

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

const (
	calls = `[{"index":0,"id":"call_1","type":"function","function":{"name":"buy","arguments":"{\"cents\":5}"}}]`
	usage = `{"prompt_tokens":1000,"completion_tokens":10,"total_tokens":1010,"prompt_tokens_details":{"cached_tokens":900},"completion_tokens_details":{"reasoning_tokens":7}}`
)

var asked, bought atomic.Int32

// model calls the tool once, or each time, with words before the call or without, and then says "done".
func model(w http.ResponseWriter, r *http.Request) {
	var question struct {
		Stream   bool
		Messages []struct{ Role string }
	}
	if err := json.NewDecoder(r.Body).Decode(&question); err != nil {
		panic(err)
	}
	asked.Add(1)
	words, call := "done", question.Messages[len(question.Messages)-1].Role != "tool"
	switch r.URL.Path {
	case "/again/chat/completions":
		words, call = "", true
	case "/silent/chat/completions":
		if call {
			words = ""
		}
	default:
		if call {
			words = "I buy."
		}
	}
	reason := "stop"
	if call {
		reason = "tool_calls"
	}
	if !question.Stream {
		message := fmt.Sprintf(`{"role":"assistant","content":%q}`, words)
		if call {
			message = fmt.Sprintf(`{"role":"assistant","content":%q,"tool_calls":%s}`, words, calls)
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"id":"a","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":%s,"finish_reason":%q}],"usage":%s}`, message, reason, usage)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	chunk := func(choices string) {
		fmt.Fprintf(w, "data: {\"id\":\"a\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":%s\n\n", choices)
	}
	chunk(fmt.Sprintf(`[{"index":0,"delta":{"role":"assistant","content":%q},"finish_reason":null}]}`, words))
	if call {
		chunk(fmt.Sprintf(`[{"index":0,"delta":{"tool_calls":%s},"finish_reason":null}]}`, calls))
	}
	chunk(fmt.Sprintf(`[{"index":0,"delta":{},"finish_reason":%q}]}`, reason))
	chunk(`[],"usage":` + usage + "}")
	fmt.Fprint(w, "data: [DONE]\n\n")
}

type purchase struct {
	Cents int64 `json:"cents"`
}

func main() {
	ctx := context.Background()
	server := httptest.NewServer(http.HandlerFunc(model))
	buy := must(utils.InferTool("buy", "buys something", func(_ context.Context, what *purchase) (string, error) {
		bought.Add(int32(what.Cents))
		return "bought", nil
	}))
	tools := compose.ToolsNodeConfig{Tools: []tool.BaseTool{buy}}
	question := []*schema.Message{schema.UserMessage("buy it")}
	for _, kind := range []string{"silent", "words", "again"} {
		chat := must(openai.NewChatModel(ctx, &openai.ChatModelConfig{BaseURL: server.URL + "/" + kind, APIKey: "key", Model: "m"}))
		agent := must(react.NewAgent(ctx, &react.AgentConfig{ToolCallingModel: chat, ToolsConfig: tools}))
		run := func(streaming bool) (last *schema.Message, err error) {
			chatting := must(adk.NewChatModelAgent(ctx, &adk.ChatModelAgentConfig{Name: "a", Description: "a", Model: chat, ToolsConfig: adk.ToolsConfig{ToolsNodeConfig: tools}}))
			events := adk.NewRunner(ctx, adk.RunnerConfig{Agent: chatting, EnableStreaming: streaming}).Query(ctx, "buy it")
			for {
				event, ok := events.Next()
				switch {
				case !ok:
					return last, err
				case event.Err != nil:
					last, err = nil, event.Err
				case event.Output != nil && event.Output.MessageOutput != nil:
					last = must(event.Output.MessageOutput.GetMessage())
				}
			}
		}
		for _, way := range []struct {
			name string
			ask  func() (*schema.Message, error)
		}{
			{"react, whole", func() (*schema.Message, error) { return agent.Generate(ctx, question) }},
			{"react, streamed", func() (*schema.Message, error) {
				stream, err := agent.Stream(ctx, question)
				if err != nil {
					return nil, err
				}
				return schema.ConcatMessageStream(stream)
			}},
			{"adk, whole", func() (*schema.Message, error) { return run(false) }},
			{"adk, streamed", func() (*schema.Message, error) { return run(true) }},
		} {
			asked.Store(0)
			bought.Store(0)
			message, err := way.ask()
			fmt.Printf("%s, %s: asked %d, bought for %d cents, error %v", kind, way.name, asked.Load(), bought.Load(), err != nil)
			if message != nil {
				told := message.ResponseMeta.Usage
				fmt.Printf(", says %q; told %d in, %d cached, %d out, %d thought", message.Content, told.PromptTokens, told.PromptTokenDetails.CachedTokens, told.CompletionTokens, told.CompletionTokensDetails.ReasoningTokens)
			}
			fmt.Println()
		}
	}
}
GO
{ go mod init probe && go get github.com/cloudwego/eino@v0.7.36 github.com/cloudwego/eino-ext/components/model/openai@v0.1.7 github.com/bytedance/sonic@v1.15.5 && go get .; } 2>go.log || { cat go.log; exit 1; }
go list -m github.com/cloudwego/eino github.com/cloudwego/eino-ext/components/model/openai github.com/bytedance/sonic
go run . | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
silent, react, whole: asked 2, bought for 5 cents, error false, says "done"; told 1000 in, 900 cached, 10 out, 7 thought
silent, react, streamed: asked 2, bought for 5 cents, error false, says "done"; told 1000 in, 900 cached, 10 out, 0 thought
silent, adk, whole: asked 2, bought for 5 cents, error false, says "done"; told 1000 in, 900 cached, 10 out, 7 thought
silent, adk, streamed: asked 2, bought for 5 cents, error false, says "done"; told 1000 in, 900 cached, 10 out, 0 thought
words, react, whole: asked 2, bought for 5 cents, error false, says "done"; told 1000 in, 900 cached, 10 out, 7 thought
words, react, streamed: asked 1, bought for 0 cents, error false, says "I buy."; told 1000 in, 900 cached, 10 out, 0 thought
words, adk, whole: asked 2, bought for 5 cents, error false, says "done"; told 1000 in, 900 cached, 10 out, 7 thought
words, adk, streamed: asked 2, bought for 5 cents, error false, says "done"; told 1000 in, 900 cached, 10 out, 0 thought
again, react, whole: asked 7, bought for 30 cents, error true
again, react, streamed: asked 7, bought for 30 cents, error true
again, adk, whole: asked 20, bought for 100 cents, error true
again, adk, streamed: asked 20, bought for 100 cents, error true
SEEN
