#!/usr/bin/env bash
# With an Idempotency-Key on it a POST is sent a second time by Go itself, under an SDK that was told never to try again.
#
# Seen 2026-11-28 with github.com/openai/openai-go/v3 3.96.0, github.com/anthropics/anthropic-sdk-go 1.84.0,
# github.com/sashabaranov/go-openai 1.43.0 (Go 1.26) and openai 6.49.0 (Node 20.20).
# Expected: without retries a question is on the wire once, and a connection that ends before the answer is an error to decide about.
# So it is without the header, and in Node. With Idempotency-Key or X-Idempotency-Key Go's transport takes the POST for one that may
# be repeated: where a kept connection is closed after the request has been read and before the answer's first byte, it asks again on
# a new one. The caller sees one good answer, and the SDK's own count still says that this is the first try. A seller that does not know
# the header has worked twice, and is paid twice. So a gateway must put this header on a call only for
# sellers that keep its promise, take it off what clients send along, and never count its own tries to know how often it has asked.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
export GOMODCACHE=$tmp/modules GOFLAGS='-modcacherw -trimpath'
npm install --silent --no-audit --no-fund --ignore-scripts openai@6.49.0
npm ls --depth=0

cat >main.go <<'GO'
package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"

	"github.com/anthropics/anthropic-sdk-go"
	anthropicoption "github.com/anthropics/anthropic-sdk-go/option"
	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	community "github.com/sashabaranov/go-openai"
)

const answer = `{"id":"a","type":"message","object":"chat.completion","role":"assistant","model":"m",
	"choices":[{"index":0,"message":{"role":"assistant","content":"hello"},"finish_reason":"stop"}],
	"content":[{"type":"text","text":"hello"}],"usage":{"input_tokens":1,"output_tokens":1}}`

// A seller answers the first request of a connection; the second it reads to the end, and hangs up.
type seller struct {
	net.Listener
	mu     sync.Mutex
	counts []string
}

func (s *seller) serve(conn net.Conn) {
	defer conn.Close()
	in := bufio.NewReader(conn)
	for first := true; ; first = false {
		request, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		io.Copy(io.Discard, request.Body)
		s.mu.Lock()
		s.counts = append(s.counts, request.Header.Get("X-Stainless-Retry-Count"))
		s.mu.Unlock()
		if !first {
			return
		}
		fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(answer), answer)
	}
}

type withHeader string

func (h withHeader) RoundTrip(request *http.Request) (*http.Response, error) {
	if h != "" {
		request.Header.Set(string(h), "call-1")
	}
	return http.DefaultTransport.RoundTrip(request)
}

func main() {
	ctx := context.Background()
	calls := map[string]func(string, *http.Client) func() error{
		"net/http": func(base string, client *http.Client) func() error {
			return func() error {
				response, err := client.Post(base, "application/json", strings.NewReader("{}"))
				if err == nil {
					io.Copy(io.Discard, response.Body)
					err = response.Body.Close()
				}
				return err
			}
		},
		"openai-go": func(base string, client *http.Client) func() error {
			c := openai.NewClient(option.WithAPIKey("k"), option.WithBaseURL(base), option.WithMaxRetries(0), option.WithHTTPClient(client))
			return func() error {
				_, err := c.Chat.Completions.New(ctx, openai.ChatCompletionNewParams{
					Model: "m", Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage("hi")},
				})
				return err
			}
		},
		"anthropic-go": func(base string, client *http.Client) func() error {
			c := anthropic.NewClient(anthropicoption.WithAPIKey("k"), anthropicoption.WithBaseURL(base),
				anthropicoption.WithMaxRetries(0), anthropicoption.WithHTTPClient(client))
			return func() error {
				_, err := c.Messages.New(ctx, anthropic.MessageNewParams{
					Model: "m", MaxTokens: 9, Messages: []anthropic.MessageParam{anthropic.NewUserMessage(anthropic.NewTextBlock("hi"))},
				})
				return err
			}
		},
		"go-openai": func(base string, client *http.Client) func() error {
			config := community.DefaultConfig("k")
			config.BaseURL, config.HTTPClient = base, client
			c := community.NewClientWithConfig(config)
			return func() error {
				_, err := c.CreateChatCompletion(ctx, community.ChatCompletionRequest{
					Model: "m", Messages: []community.ChatCompletionMessage{{Role: "user", Content: "hi"}},
				})
				return err
			}
		},
	}
	for _, header := range []string{"", "Idempotency-Key", "X-Idempotency-Key"} {
		for _, name := range []string{"net/http", "openai-go", "anthropic-go", "go-openai", "openai for Node"} {
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				panic(err)
			}
			s := &seller{Listener: listener}
			go func() {
				for conn, err := s.Accept(); err == nil; conn, err = s.Accept() {
					go s.serve(conn)
				}
			}()
			base := "http://" + listener.Addr().String()
			if call := calls[name]; call != nil {
				ask := call(base, &http.Client{Transport: withHeader(header)})
				err = errors.Join(ask(), ask())
			} else {
				err = exec.Command("node", "probe.mjs", base, header).Run()
			}
			end := "both answered"
			if err != nil {
				end = "the second is an error"
			}
			s.mu.Lock()
			fmt.Printf("header %q, %s: 2 questions, %d requests, counts of tries %q, %s\n", header, name, len(s.counts), s.counts, end)
			s.mu.Unlock()
			listener.Close()
			http.DefaultTransport.(*http.Transport).CloseIdleConnections()
		}
	}
	os.Exit(0)
}
GO
cat >probe.mjs <<'JS'
import OpenAI from 'openai'

const [baseURL, header] = process.argv.slice(2)
const openai = new OpenAI({ apiKey: 'k', baseURL, maxRetries: 0, defaultHeaders: header ? { [header]: 'call-1' } : {} })
for (let i = 0; i < 2; i++) {
  await openai.chat.completions.create({ model: 'm', messages: [{ role: 'user', content: 'hi' }] })
  await new Promise(done => setTimeout(done, 300)) // until the connection is free to be used again
}
JS
go mod init probe 2>/dev/null
go get github.com/openai/openai-go/v3@v3.96.0 github.com/anthropics/anthropic-sdk-go@v1.84.0 \
	github.com/sashabaranov/go-openai@v1.43.0 2>/dev/null
go list -m github.com/openai/openai-go/v3 github.com/anthropics/anthropic-sdk-go github.com/sashabaranov/go-openai
go run . | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
header "", net/http: 2 questions, 2 requests, counts of tries ["" ""], the second is an error
header "", openai-go: 2 questions, 2 requests, counts of tries ["0" "0"], the second is an error
header "", anthropic-go: 2 questions, 2 requests, counts of tries ["0" "0"], the second is an error
header "", go-openai: 2 questions, 2 requests, counts of tries ["" ""], the second is an error
header "", openai for Node: 2 questions, 2 requests, counts of tries ["0" "0"], the second is an error
header "Idempotency-Key", net/http: 2 questions, 3 requests, counts of tries ["" "" ""], both answered
header "Idempotency-Key", openai-go: 2 questions, 3 requests, counts of tries ["0" "0" "0"], both answered
header "Idempotency-Key", anthropic-go: 2 questions, 3 requests, counts of tries ["0" "0" "0"], both answered
header "Idempotency-Key", go-openai: 2 questions, 3 requests, counts of tries ["" "" ""], both answered
header "Idempotency-Key", openai for Node: 2 questions, 2 requests, counts of tries ["0" "0"], the second is an error
header "X-Idempotency-Key", net/http: 2 questions, 3 requests, counts of tries ["" "" ""], both answered
header "X-Idempotency-Key", openai-go: 2 questions, 3 requests, counts of tries ["0" "0" "0"], both answered
header "X-Idempotency-Key", anthropic-go: 2 questions, 3 requests, counts of tries ["0" "0" "0"], both answered
header "X-Idempotency-Key", go-openai: 2 questions, 3 requests, counts of tries ["" "" ""], both answered
header "X-Idempotency-Key", openai for Node: 2 questions, 2 requests, counts of tries ["0" "0"], the second is an error
SEEN
