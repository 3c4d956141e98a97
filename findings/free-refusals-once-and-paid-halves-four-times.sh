#!/usr/bin/env bash
# Told to try three times more, Go's most used HTTP client asks once where nothing was paid, at 429 and 503, and four times for half an answer; its next one asks five times, for seconds that its own limit forbids, and throws the refusal's words away.
#
# Seen 2026-12-01 with github.com/go-resty/resty/v2 2.17.2, github.com/hashicorp/go-retryablehttp 0.7.8 and github.com/gojek/heimdall/v7 7.0.3 (Go 1.26), each given a POST, retries and a time-out of a second, and no conditions of its own.
# Expected: a client that tries again does so at the answers which ask for it, a 429 or a 503, and not with a POST whose answer has begun, as that has been written and is paid for. resty has its retries for errors of Go
# alone, and a status is none: "SetRetryCount(3)" does nothing for a 429, a 500 or a 503. An answer that breaks off behind its 200 is an error, and one that doesn't come in time, too: these it asks for four times.
# heimdall tries again at 500 and above and when the time is up, and not at 429. retryablehttp tries at all three, five times by default, and takes Retry-After as it comes: RetryWaitMax, "maximum time to wait", isn't for that, so that "ask in an hour"
# is five requests in four hours in the place of an answer. After the last try there is no answer at all, but "giving up after 5 attempt(s)": neither the status nor the words, so that
# "ada has no money left today", where it comes as a 429, is a text in nobody's log (ErrorHandler = PassthroughErrorHandler keeps them). A gateway can say all it likes in its answers to these
# three; what bounds what they spend is that it knows a question again by itself.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
export GOMODCACHE=$tmp/modules GOFLAGS='-modcacherw -trimpath'
cat >main.go <<'GO'
package main

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-resty/resty/v2"
	"github.com/gojek/heimdall/v7"
	"github.com/gojek/heimdall/v7/httpclient"
	"github.com/hashicorp/go-retryablehttp"
)

const question = `{"question":"how much?"}`

func read(res *http.Response, err error) string {
	if res == nil || res.Body == nil {
		return "error"
	}
	body, torn := io.ReadAll(res.Body)
	return fmt.Sprintf("%d, %q, error %v", res.StatusCode, body, err != nil || torn != nil)
}

func retryable(url string) string {
	client := retryablehttp.NewClient()
	client.Logger = nil
	client.HTTPClient.Timeout = time.Second
	client.RetryWaitMin, client.RetryWaitMax = time.Millisecond, 10*time.Millisecond
	res, err := client.Post(url, "application/json", strings.NewReader(question))
	if err != nil {
		words, _, _ := strings.Cut(err.Error()[strings.LastIndex(err.Error(), "giving"):], ": Post")
		return "error: " + words
	}
	return read(res, err)
}

func rest(url string) string {
	client := resty.New().SetRetryCount(3).SetRetryWaitTime(time.Millisecond).SetRetryMaxWaitTime(10 * time.Millisecond).SetTimeout(time.Second)
	client.SetLogger(silent{})
	res, err := client.R().SetHeader("Content-Type", "application/json").SetBody(question).Post(url)
	return fmt.Sprintf("%d, %q, error %v", res.StatusCode(), res.String(), err != nil)
}

func heim(url string) string {
	client := httpclient.NewClient(httpclient.WithRetryCount(3), httpclient.WithHTTPTimeout(time.Second),
		httpclient.WithRetrier(heimdall.NewRetrier(heimdall.NewConstantBackoff(time.Millisecond, time.Millisecond))))
	return read(client.Post(url, strings.NewReader(question), http.Header{}))
}

type silent struct{}

func (silent) Errorf(string, ...any) {}
func (silent) Warnf(string, ...any)  {}
func (silent) Debugf(string, ...any) {}

func main() {
	log.SetOutput(io.Discard)
	var asked atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		io.Copy(io.Discard, r.Body)
		switch r.URL.Path {
		case "/429", "/429, in 2 s":
			if r.URL.Path != "/429" {
				w.Header().Set("Retry-After", "2")
			}
			w.WriteHeader(http.StatusTooManyRequests)
			fmt.Fprint(w, "no money left today")
		case "/503":
			w.WriteHeader(http.StatusServiceUnavailable)
			fmt.Fprint(w, "no seller")
		case "/half an answer":
			w.Header().Set("Content-Length", "100")
			fmt.Fprint(w, "pay 12")
			http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		case "/an answer after 1.5 s":
			select {
			case <-time.After(1500 * time.Millisecond):
				fmt.Fprint(w, "pay 1250")
			case <-r.Context().Done():
			}
		}
	}))
	for _, client := range []struct {
		name string
		ask  func(string) string
	}{{"resty", rest}, {"heimdall", heim}, {"retryablehttp", retryable}} {
		fmt.Println(client.name)
		for _, path := range []string{"429", "503", "half an answer", "an answer after 1.5 s", "429, in 2 s"} {
			asked.Store(0)
			start := time.Now()
			said := client.ask(server.URL + "/" + strings.ReplaceAll(path, " ", "%20"))
			fmt.Printf("  %s: asked %d times, in more than 7 s: %v; has %s\n", path, asked.Load(), time.Since(start) > 7*time.Second, said)
		}
	}
}
GO
{ go mod init probe && go get github.com/go-resty/resty/v2@v2.17.2 github.com/hashicorp/go-retryablehttp@v0.7.8 github.com/gojek/heimdall/v7/httpclient@v7.0.3; } 2>go.log || { cat go.log; exit 1; }
go list -m github.com/go-resty/resty/v2 github.com/hashicorp/go-retryablehttp github.com/gojek/heimdall/v7
go run . | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
resty
  429: asked 1 times, in more than 7 s: false; has 429, "no money left today", error false
  503: asked 1 times, in more than 7 s: false; has 503, "no seller", error false
  half an answer: asked 4 times, in more than 7 s: false; has 200, "pay 12", error true
  an answer after 1.5 s: asked 4 times, in more than 7 s: false; has 0, "", error true
  429, in 2 s: asked 1 times, in more than 7 s: false; has 429, "no money left today", error false
heimdall
  429: asked 1 times, in more than 7 s: false; has 429, "no money left today", error false
  503: asked 4 times, in more than 7 s: false; has 503, "no seller", error false
  half an answer: asked 1 times, in more than 7 s: false; has 200, "pay 12", error true
  an answer after 1.5 s: asked 4 times, in more than 7 s: false; has error
  429, in 2 s: asked 1 times, in more than 7 s: false; has 429, "no money left today", error false
retryablehttp
  429: asked 5 times, in more than 7 s: false; has error: giving up after 5 attempt(s)
  503: asked 5 times, in more than 7 s: false; has error: giving up after 5 attempt(s)
  half an answer: asked 1 times, in more than 7 s: false; has 200, "pay 12", error true
  an answer after 1.5 s: asked 5 times, in more than 7 s: false; has error: giving up after 5 attempt(s)
  429, in 2 s: asked 5 times, in more than 7 s: true; has error: giving up after 5 attempt(s)
SEEN
