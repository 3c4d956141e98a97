#!/usr/bin/env bash
# A request that is too large for what is left of a minute's tokens is refused, and takes them: the small ones after it are refused, too, by two limiters of five.
#
# Seen 2026-11-30 with rate-limiter-flexible 11.4.0 and limiter 4.1.0 (Node 20.20), github.com/ulule/limiter/v3 3.11.2, github.com/throttled/throttled/v2
# 2.15.0 and golang.org/x/time 0.16.0 (Go 1.26), each in memory.
# Expected: what is refused costs nothing, so that 10 tokens fit after 95 of 90 did not; so with three, as it is with a limit by requests, where each
# is one and no difference can be seen. rate-limiter-flexible and ulule's limiter add first and look then, and take nothing back. An agent
# whose prompt has grown past the budget of a minute tries it again, as clients do at a 429, and each try of nothing is booked as all of it; its
# user's other programs, and all who share the key, stand still for a minute, and the next one if the agent asks then. "Left" is 0, as if it had been
# used. So who limits tokens or money by such a library asks first what is left and takes then, in one step of his own,
# or gives back what was refused; and "too large for any minute" needs a status at which nobody tries again.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
export GOMODCACHE=$tmp/modules GOFLAGS='-modcacherw -trimpath'
npm install --silent --no-audit --no-fund --ignore-scripts rate-limiter-flexible@11.4.0 limiter@4.1.0
npm ls --depth=0
cat >probe.mjs <<'JS'
import { RateLimiter } from 'limiter'
import { RateLimiterMemory } from 'rate-limiter-flexible'

const flexible = new RateLimiterMemory({ points: 100, duration: 60 })
const limiter = new RateLimiter({ tokensPerInterval: 100, interval: 'minute' })
const ways = {
  'rate-limiter-flexible': tokens => flexible.consume('ada', tokens).then(() => true, () => false),
  limiter: async tokens => limiter.tryRemoveTokens(tokens),
}
for (const [name, take] of Object.entries(ways)) {
  const seen = []
  for (const tokens of [10, 95, 10]) seen.push(`${tokens} ${(await take(tokens)) ? 'taken' : 'refused'}`)
  console.log(`${name}: ${seen.join(', ')}`)
}
JS
cat >probe.go <<'GO'
package main

import (
	"context"
	"fmt"
	"time"

	"github.com/throttled/throttled/v2"
	throttledstore "github.com/throttled/throttled/v2/store/memstore"
	"github.com/ulule/limiter/v3"
	"github.com/ulule/limiter/v3/drivers/store/memory"
	"golang.org/x/time/rate"
)

func main() {
	ctx := context.Background()
	ulule := limiter.New(memory.NewStore(), limiter.Rate{Period: time.Minute, Limit: 100})
	store, err := throttledstore.NewCtx(10)
	if err != nil {
		panic(err)
	}
	gcra, err := throttled.NewGCRARateLimiterCtx(store, throttled.RateQuota{MaxRate: throttled.PerMin(100), MaxBurst: 99})
	if err != nil {
		panic(err)
	}
	xtime := rate.NewLimiter(rate.Every(time.Minute/100), 100)
	ways := []struct {
		name string
		take func(tokens int) bool
	}{
		{"ulule/limiter", func(tokens int) bool {
			got, err := ulule.Increment(ctx, "ada", int64(tokens))
			return err == nil && !got.Reached
		}},
		{"throttled", func(tokens int) bool {
			limited, _, err := gcra.RateLimitCtx(ctx, "ada", tokens)
			return err == nil && !limited
		}},
		{"x/time/rate", func(tokens int) bool { return xtime.AllowN(time.Now(), tokens) }},
	}
	for _, way := range ways {
		fmt.Printf("%s:", way.name)
		for i, tokens := range []int{10, 95, 10} {
			word := "refused"
			if way.take(tokens) {
				word = "taken"
			}
			fmt.Printf("%s %d %s", []string{"", ",", ","}[i], tokens, word)
		}
		fmt.Println()
	}
}
GO
go mod init probe 2>go.log
go get github.com/ulule/limiter/v3@v3.11.2 github.com/ulule/limiter/v3/drivers/store/memory@v3.11.2 github.com/throttled/throttled/v2@v2.15.0 \
	github.com/throttled/throttled/v2/store/memstore@v2.15.0 golang.org/x/time@v0.16.0 2>>go.log || { cat go.log; exit 1; }
go list -m github.com/ulule/limiter/v3 github.com/throttled/throttled/v2 golang.org/x/time
{
	node probe.mjs
	go run probe.go
} | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
rate-limiter-flexible: 10 taken, 95 refused, 10 refused
limiter: 10 taken, 95 refused, 10 taken
ulule/limiter: 10 taken, 95 refused, 10 refused
throttled: 10 taken, 95 refused, 10 taken
x/time/rate: 10 taken, 95 refused, 10 taken
SEEN
