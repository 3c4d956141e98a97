#!/usr/bin/env bash
# 800 tokens that a long answer didn't need, given back when it is over, make the next minute one of 1,800 for three limiters of five, and in Go's own way of giving back, Cancel, they are gone.
#
# Seen 2026-12-01 with rate-limiter-flexible 11.4.0 and bottleneck 2.19.5 (Node 20.20), golang.org/x/time 0.16.0, github.com/ulule/limiter/v3 3.11.2 and
# github.com/throttled/throttled/v2 2.15.0 (Go 1.26). 1,000 tokens in 60 s, and in 2 s of the true clock for the two of Node.
# Expected: who may use 1,000 tokens a minute, takes 900 for a question, since nobody knows how long its answer gets, and gives 800 back at its end, may use 900 more in that minute, and 1,000 in the next one. So
# it is where the answer is over within the minute. Answers of models aren't: after 70 seconds the 900 are forgotten, with the window that they were taken from, and the 800 go to the new one, which nothing was taken from.
# rate-limiter-flexible's reward() then begins a window at minus 800, ulule's Increment does by a negative number, and bottleneck's incrementReservoir() adds them to a full one: who always asks for too much
# has nearly twice his limit. x/time's reservation has a Cancel, which gives back nothing once its time to act has come, and that is at once for a reservation that need not wait: of 1,000 there are 260 after ten seconds,
# 160 of them new. Its AllowN and throttled's RateLimit by a negative number, of which neither documentation speaks, do what is meant, up to the full bucket and no further. So a limit that is settled afterwards
# keeps with each hold which window it was taken from, and gives back to that one alone.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
export GOMODCACHE=$tmp/modules GOFLAGS='-modcacherw -trimpath'
npm install --silent --no-audit --no-fund --ignore-scripts rate-limiter-flexible@11.4.0 bottleneck@2.19.5
npm ls --depth=0

cat >probe.mjs <<'JS'
import { setTimeout as sleep } from 'node:timers/promises'
import Bottleneck from 'bottleneck'
import { RateLimiterMemory } from 'rate-limiter-flexible'

const limits = {
  "rate-limiter-flexible, reward": () => {
    const limit = new RateLimiterMemory({ points: 1000, duration: 2 })
    return { take: n => limit.consume('ada', n).then(() => true, () => false), giveBack: n => limit.reward('ada', n) }
  },
  "bottleneck, incrementReservoir": () => {
    const limit = new Bottleneck({ reservoir: 1000, reservoirRefreshAmount: 1000, reservoirRefreshInterval: 2000, heartbeatInterval: 250 })
    const take = async n => await limit.currentReservoir() >= n && (await limit.schedule({ weight: n }, async () => {}), true)
    return { take, giveBack: n => limit.incrementReservoir(n) }
  },
}
for (const [name, make] of Object.entries(limits)) {
  for (const [when, wait] of Object.entries({ 'in time': 200, 'late': 2600 })) {
    const { take, giveBack } = make()
    await take(900)
    await sleep(wait)
    await giveBack(800)
    let more = 0
    while (await take(100)) more += 100
    console.log(`${name}: given back ${when}, ${more} tokens`)
  }
}
process.exit()
JS
cat >probe_test.go <<'GO'
package probe

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/throttled/throttled/v2"
	throttledstore "github.com/throttled/throttled/v2/store/memstore"
	"github.com/ulule/limiter/v3"
	ulule "github.com/ulule/limiter/v3/drivers/store/memory"
	"golang.org/x/time/rate"
)

type limit struct {
	name     string
	take     func(n int) bool
	giveBack func(n int)
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func limits() []limit {
	ctx := context.Background()
	bucket := func() *rate.Limiter { return rate.NewLimiter(rate.Every(time.Minute/1000), 1000) }
	canceled, negative := bucket(), bucket()
	var held *rate.Reservation
	window := limiter.New(ulule.NewStoreWithOptions(limiter.StoreOptions{}), limiter.Rate{Limit: 1000, Period: time.Minute})
	quota := throttled.RateQuota{MaxRate: throttled.PerMin(1000), MaxBurst: 999}
	gcra := must(throttled.NewGCRARateLimiterCtx(throttled.WrapStoreWithContext(must(throttledstore.New(10))), quota))
	of := func(n int) bool {
		limited, _, err := gcra.RateLimitCtx(ctx, "ada", n)
		return !must(limited, err)
	}
	return []limit{
		{"x/time/rate, Cancel", func(n int) bool {
			reserved := canceled.ReserveN(time.Now(), n)
			if reserved.Delay() > 0 {
				reserved.Cancel()
				return false
			}
			held = reserved
			return true
		}, func(int) { held.Cancel() }},
		{"x/time/rate, AllowN", func(n int) bool { return negative.AllowN(time.Now(), n) }, func(n int) { negative.AllowN(time.Now(), -n) }},
		{"ulule/limiter, Increment", func(n int) bool { return !must(window.Increment(ctx, "ada", int64(n))).Reached }, func(n int) { must(window.Increment(ctx, "ada", int64(-n))) }},
		{"throttled, RateLimit", of, func(n int) { of(-n) }},
	}
}

func TestGivingBack(t *testing.T) {
	for i := range 4 {
		for _, took := range []time.Duration{10 * time.Second, 70 * time.Second} {
			synctest.Test(t, func(t *testing.T) {
				l := limits()[i]
				l.take(900)
				time.Sleep(took)
				l.giveBack(800)
				more := 0
				for l.take(10) {
					more += 10
				}
				fmt.Printf("%s: given back after %.0f s, %d tokens\n", l.name, took.Seconds(), more)
			})
		}
	}
}
GO
{ go mod init probe && go get golang.org/x/time@v0.16.0 github.com/ulule/limiter/v3@v3.11.2 github.com/throttled/throttled/v2/store/memstore@v2.15.0; } 2>go.log || { cat go.log; exit 1; }
go list -m golang.org/x/time github.com/ulule/limiter/v3 github.com/throttled/throttled/v2
{ node probe.mjs && go test -count=1 -v . | grep given; } | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
rate-limiter-flexible, reward: given back in time, 900 tokens
rate-limiter-flexible, reward: given back late, 1800 tokens
bottleneck, incrementReservoir: given back in time, 900 tokens
bottleneck, incrementReservoir: given back late, 1800 tokens
x/time/rate, Cancel: given back after 10 s, 260 tokens
x/time/rate, Cancel: given back after 70 s, 1000 tokens
x/time/rate, AllowN: given back after 10 s, 1000 tokens
x/time/rate, AllowN: given back after 70 s, 1000 tokens
ulule/limiter, Increment: given back after 10 s, 900 tokens
ulule/limiter, Increment: given back after 70 s, 1800 tokens
throttled, RateLimit: given back after 10 s, 1000 tokens
throttled, RateLimit: given back after 70 s, 1000 tokens
SEEN
