#!/usr/bin/env bash
# Six users who stop a long answer take its seller away from everybody, with each of four circuit breakers, and with one of them a single user does; six 503s do nothing.
#
# Seen 2026-11-30 with opossum 9.0.0, cockatiel 3.2.1 (Node 20.20), github.com/sony/gobreaker/v2 2.4.0 and github.com/failsafe-go/failsafe-go 0.9.8 (Go 1.26), around
# fetch and net/http; the first and the third with their defaults, the others told to open after six failures in a row.
# Expected: a breaker counts what is wrong with the one behind it. What a caller has cancelled says nothing of that, and each of the four is, or can be, told of
# the signal or context that was cancelled; nobody looks at it, as an error is a failure. With models it is the ordinary end of a long answer that goes wrong,
# and of one that thinks: users press Escape, tabs are closed, an agent's own time is up. So a healthy seller is out for half a minute or a minute, its users
# are sent to a dearer one or refused, and the log says that the breaker has opened. opossum opens at half of the calls in ten seconds, of which one is enough:
# at night one user who stops is all of them. The other way round an answer of 503 or 429 is no error to either client, and so a success. A test with a server
# that is gone shows none of it. So who puts one before a seller says what counts (errorFilter, IsExcluded, HandleIf, handleWhen), tries it with a caller who
# leaves and with each status, and makes errors of the statuses himself.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
export GOMODCACHE=$tmp/modules GOFLAGS='-modcacherw -trimpath'
npm install --silent --no-audit --no-fund --ignore-scripts opossum@9.0.0 cockatiel@3.2.1
npm ls --depth=0

cat >probe.mjs <<'JS'
import http from 'node:http'
import { circuitBreaker, ConsecutiveBreaker, handleAll } from 'cockatiel'
import CircuitBreaker from 'opossum'

const server = http.createServer(async (request, response) => { // a seller that is well, one that thinks for long, and one that is away
  for await (const _ of request);
  if (request.url === '/thinks') return
  response.writeHead(request.url === '/away' ? 503 : 200)
  response.end()
})
await new Promise(done => server.listen(0, '127.0.0.1', done))
const url = `http://127.0.0.1:${server.address().port}`
const ask = async (path, signal) => (await fetch(url + path, { method: 'POST', body: '{}', signal })).status
const ways = {
  opossum: () => {
    const breaker = new CircuitBreaker(ask)
    return (path, signal) => breaker.fire(path, signal)
  },
  cockatiel: () => {
    const breaker = circuitBreaker(handleAll, { halfOpenAfter: 30_000, breaker: new ConsecutiveBreaker(6) })
    return (path, signal) => breaker.execute(({ signal }) => ask(path, signal), signal)
  },
}
const left = { '/thinks': 'whose caller left', '/away': 'answered with 503' }
for (const [name, make] of Object.entries(ways))
  for (const path of ['/thinks', '/away'])
    for (const calls of [1, 6]) {
      const call = make()
      for (let at = 0; at < calls; at++) {
        const caller = new AbortController()
        const end = call(path, caller.signal).catch(() => {})
        if (path === '/thinks') setTimeout(() => caller.abort(), 50)
        await end
      }
      const next = await call('/well', new AbortController().signal).catch(error => error.message)
      console.log(`${name}, after ${calls} ${left[path]}: ${next}`)
    }
process.exit()
JS
cat >main.go <<'GO'
package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/failsafe-go/failsafe-go"
	"github.com/failsafe-go/failsafe-go/circuitbreaker"
	"github.com/sony/gobreaker/v2"
)

func main() {
	seller := httptest.NewServer(http.HandlerFunc(func(answer http.ResponseWriter, request *http.Request) {
		_, _ = io.Copy(io.Discard, request.Body)
		switch request.URL.Path {
		case "/thinks":
			<-request.Context().Done()
		case "/away":
			answer.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	ask := func(ctx context.Context, path string) (int, error) {
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, seller.URL+path, strings.NewReader("{}"))
		if err != nil {
			return 0, err
		}
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			return 0, err
		}
		return answer.StatusCode, answer.Body.Close()
	}
	type caller func(ctx context.Context, path string) (int, error)
	ways := []struct {
		name string
		make func() caller
	}{
		{"gobreaker", func() caller {
			breaker := gobreaker.NewCircuitBreaker[int](gobreaker.Settings{})
			return func(ctx context.Context, path string) (int, error) {
				return breaker.Execute(func() (int, error) { return ask(ctx, path) })
			}
		}},
		{"failsafe-go", func() caller {
			breaker := circuitbreaker.NewBuilder[int]().WithFailureThreshold(6).Build()
			return func(ctx context.Context, path string) (int, error) {
				return failsafe.With[int](breaker).WithContext(ctx).GetWithExecution(func(execution failsafe.Execution[int]) (int, error) {
					return ask(execution.Context(), path)
				})
			}
		}},
	}
	left := map[string]string{"/thinks": "whose caller left", "/away": "answered with 503"}
	for _, way := range ways {
		for _, path := range []string{"/thinks", "/away"} {
			for _, calls := range []int{1, 6} {
				call := way.make()
				for range calls {
					ctx, leave := context.WithCancel(context.Background())
					if path == "/thinks" {
						time.AfterFunc(50*time.Millisecond, leave)
					}
					_, _ = call(ctx, path)
					leave()
				}
				next, err := call(context.Background(), "/well")
				if err != nil {
					fmt.Printf("%s, after %d %s: %v\n", way.name, calls, left[path], err)
				} else {
					fmt.Printf("%s, after %d %s: %d\n", way.name, calls, left[path], next)
				}
			}
		}
	}
}
GO
{
	go mod init probe
	go get github.com/sony/gobreaker/v2@v2.4.0 github.com/failsafe-go/failsafe-go/circuitbreaker@v0.9.8
} 2>go.log || { cat go.log; exit 1; }
go list -m github.com/sony/gobreaker/v2 github.com/failsafe-go/failsafe-go
{
	node probe.mjs
	go run .
} | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
opossum, after 1 whose caller left: Breaker is open
opossum, after 6 whose caller left: Breaker is open
opossum, after 1 answered with 503: 200
opossum, after 6 answered with 503: 200
cockatiel, after 1 whose caller left: 200
cockatiel, after 6 whose caller left: Execution prevented because the circuit breaker is open
cockatiel, after 1 answered with 503: 200
cockatiel, after 6 answered with 503: 200
gobreaker, after 1 whose caller left: 200
gobreaker, after 6 whose caller left: circuit breaker is open
gobreaker, after 1 answered with 503: 200
gobreaker, after 6 answered with 503: 200
failsafe-go, after 1 whose caller left: 200
failsafe-go, after 6 whose caller left: circuit breaker open
failsafe-go, after 1 answered with 503: 200
failsafe-go, after 6 answered with 503: 200
SEEN
