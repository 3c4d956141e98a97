#!/usr/bin/env bash
# "One at a time" is five streams at once, six that broke off are six successes, and a stream may take ten times its time-out, to failsafe-go's policies for HTTP: for each of them a call is over at its headers. A hedge buys a slow answer twice.
#
# Seen 2026-12-01 with github.com/failsafe-go/failsafe-go 0.9.8 (Go 1.26), failsafehttp's round tripper with one policy each, which is how a client is made from them; the server streams a word each 50 ms.
# Expected: a bulkhead bounds what is open with a seller, as plans for "so many at a time" do; a breaker hears of answers that break off, as a seller that dies does so in the middle; a time-out is for the answer. A round tripper's work is over when the headers are there, and with it
# the permit is given back, the success is counted and the clock stands still. For answers that come whole it is nearly the same. A model sends its headers with the first word, or before it, and then writes for a minute: to all of the policies the call has taken a tenth of a second.
# A seller who refuses a sixth stream by 429 does so with a bulkhead of one, and one whose answers all break off is never left for another. What happens before the headers is as it says: a hedge, documented for whatever may be slow, asks anew when
# they don't come in time; of the two the first that has headers is read and the other is hung up on. Thinking models are slow by nature, and so each of their prompts is paid twice.
# So limits, breakers and time-outs for streams are put around the reading of the body, not into the transport.
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
	"sync"
	"time"

	"github.com/failsafe-go/failsafe-go"
	"github.com/failsafe-go/failsafe-go/bulkhead"
	"github.com/failsafe-go/failsafe-go/circuitbreaker"
	"github.com/failsafe-go/failsafe-go/failsafehttp"
	"github.com/failsafe-go/failsafe-go/hedgepolicy"
	"github.com/failsafe-go/failsafe-go/timeout"
)

const words = 40

type seller struct {
	sync.Mutex
	asked, open, most int
}

func (s *seller) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	s.Lock()
	s.asked++
	s.open++
	s.most = max(s.most, s.open)
	s.Unlock()
	defer func() {
		s.Lock()
		s.open--
		s.Unlock()
	}()
	word := time.NewTicker(50 * time.Millisecond)
	defer word.Stop()
	if r.URL.Path == "/thinks" {
		select {
		case <-time.After(time.Second):
		case <-r.Context().Done():
			return
		}
	}
	for i := range words {
		fmt.Fprint(w, "word ")
		http.NewResponseController(w).Flush()
		if r.URL.Path == "/breaks" && i == 2 {
			panic(http.ErrAbortHandler)
		}
		select {
		case <-word.C:
		case <-r.Context().Done():
			return
		}
	}
}

func main() {
	log.SetOutput(io.Discard)
	each := func(name, path string, calls int, oneByOne bool, policy failsafe.Policy[*http.Response], more func() string) {
		s := &seller{}
		server := httptest.NewServer(s)
		client := http.Client{Transport: failsafehttp.NewRoundTripper(nil, policy)}
		whole, torn, refused := 0, 0, 0
		var mu sync.Mutex
		var all sync.WaitGroup
		for range calls {
			all.Go(func() {
				res, err := client.Post(server.URL+path, "text/plain", strings.NewReader("question"))
				text := []byte(nil)
				if err == nil {
					text, err = io.ReadAll(res.Body)
					res.Body.Close()
				}
				mu.Lock()
				defer mu.Unlock()
				switch {
				case err == nil && len(text) == words*len("word "):
					whole++
				case res != nil:
					torn++
				default:
					refused++
				}
			})
			if oneByOne {
				all.Wait()
			} else {
				<-time.After(200 * time.Millisecond)
			}
		}
		all.Wait()
		fmt.Printf("%s: %d calls, %d whole, %d broken off, %d refused; the seller was asked %d times, had %d open at once%s\n", name, calls, whole, torn, refused, s.asked, s.most, more())
		server.Close()
	}
	nothing := func() string { return "" }
	each("a bulkhead of one", "/", 5, false, bulkhead.New[*http.Response](1), nothing)
	each("a time-out of 200 ms", "/", 1, true, timeout.New[*http.Response](200*time.Millisecond), nothing)
	breaker := circuitbreaker.NewWithDefaults[*http.Response]()
	each("a breaker that opens at the first failure", "/breaks", 6, true, breaker, func() string { return fmt.Sprintf("; it is %v", breaker.State()) })
	each("a hedge after 300 ms", "/thinks", 1, true, hedgepolicy.NewWithDelay[*http.Response](300*time.Millisecond), nothing)
}
GO
{ go mod init probe && go get github.com/failsafe-go/failsafe-go@v0.9.8 && go get .; } 2>go.log || { cat go.log; exit 1; }
go list -m github.com/failsafe-go/failsafe-go
go run . | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
a bulkhead of one: 5 calls, 5 whole, 0 broken off, 0 refused; the seller was asked 5 times, had 5 open at once
a time-out of 200 ms: 1 calls, 1 whole, 0 broken off, 0 refused; the seller was asked 1 times, had 1 open at once
a breaker that opens at the first failure: 6 calls, 0 whole, 6 broken off, 0 refused; the seller was asked 6 times, had 1 open at once; it is closed
a hedge after 300 ms: 1 calls, 1 whole, 0 broken off, 0 refused; the seller was asked 2 times, had 2 open at once
SEEN
