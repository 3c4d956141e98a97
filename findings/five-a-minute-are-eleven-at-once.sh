#!/usr/bin/env bash
# Five calls a minute are eleven at once, and fifteen in that minute, to uber's rate limiter after two minutes of silence: what it adds is ten, whatever the limit is.
#
# Seen 2026-12-01 with go.uber.org/ratelimit 0.3.1, golang.org/x/time 0.16.0, github.com/go-chi/httprate 0.16.1, github.com/ulule/limiter/v3 3.11.2 and github.com/throttled/throttled/v2 2.15.0 (Go 1.26), each set to five
# a minute, on a clock that jumps; ten minutes of silence, then as many calls as are let through.
# Expected: a "leaky bucket", which uber's says that it is, lets calls through at equal distances, so that it is the one to take for a seller who answers 429, or closes the account, when more than five come in a minute. Its "slack" is on where nobody has
# turned it off, and means that what was not used is made up for, up to ten calls. It is ten, not a share of the limit: of 100 a second nobody sees it, and limits of models are a few a minute, where it is two minutes' calls at one moment, and three
# times the limit in a minute. x/time's bucket, with the burst that a limit of five has, lets nine through; the three that count by windows, or by GCRA with a burst of five, let five to nine. A test has no pauses:
# from a fresh start, busy, uber's is the strictest of all, a call each twelve seconds. WithoutSlack is what one expects. And Take waits as long as it takes, with no context to end it:
# the caller who has left is still in the queue, and his call is made.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
export GOMODCACHE=$tmp/modules GOFLAGS='-modcacherw -trimpath'
cat >probe_test.go <<'GO'
package probe

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-chi/httprate"
	"github.com/throttled/throttled/v2"
	throttledstore "github.com/throttled/throttled/v2/store/memstore"
	"github.com/ulule/limiter/v3"
	ulule "github.com/ulule/limiter/v3/drivers/store/memory"
	"go.uber.org/ratelimit"
	"golang.org/x/time/rate"
)

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

var ctx = context.Background()

// Each says whether a call may be made now; uber's waits until it may.
var limits = []struct {
	name string
	make func() func() bool
}{
	{"uber", func() func() bool {
		limit := ratelimit.New(5, ratelimit.Per(time.Minute))
		return func() bool { limit.Take(); return true }
	}},
	{"uber, WithoutSlack", func() func() bool {
		limit := ratelimit.New(5, ratelimit.Per(time.Minute), ratelimit.WithoutSlack)
		return func() bool { limit.Take(); return true }
	}},
	{"x/time", func() func() bool { return rate.NewLimiter(rate.Every(time.Minute/5), 5).Allow }},
	{"httprate", func() func() bool {
		limited := httprate.LimitAll(5, time.Minute)(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		return func() bool {
			answer := httptest.NewRecorder()
			limited.ServeHTTP(answer, httptest.NewRequest(http.MethodPost, "/", nil))
			return answer.Code == http.StatusOK
		}
	}},
	{"ulule", func() func() bool {
		limit := limiter.New(ulule.NewStoreWithOptions(limiter.StoreOptions{}), limiter.Rate{Limit: 5, Period: time.Minute})
		return func() bool { return !must(limit.Get(ctx, "seller")).Reached }
	}},
	{"throttled", func() func() bool {
		limit := must(throttled.NewGCRARateLimiterCtx(throttled.WrapStoreWithContext(must(throttledstore.New(10))), throttled.RateQuota{MaxRate: throttled.PerMin(5), MaxBurst: 4}))
		return func() bool {
			limited, _, err := limit.RateLimitCtx(ctx, "seller", 1)
			return !must(limited, err)
		}
	}},
}

func TestAfterSilence(t *testing.T) {
	for _, limit := range limits {
		for _, silence := range []time.Duration{0, 10 * time.Minute} {
			synctest.Test(t, func(t *testing.T) {
				take := limit.make()
				take()
				time.Sleep(silence)
				start, atOnce, minute := time.Now(), 0, 0
				for time.Since(start) < time.Minute {
					passed := take()
					switch since := time.Since(start); {
					case passed && since < time.Second:
						atOnce++
						minute++
					case passed && since < time.Minute:
						minute++
					case !passed:
						time.Sleep(100 * time.Millisecond)
					}
				}
				fmt.Printf("%s, a call and %v of silence: %d at once, %d in a minute\n", limit.name, silence, atOnce, minute)
			})
		}
	}
}
GO
{ go mod init probe && go get go.uber.org/ratelimit@v0.3.1 golang.org/x/time@v0.16.0 github.com/go-chi/httprate@v0.16.1 github.com/ulule/limiter/v3@v3.11.2 github.com/throttled/throttled/v2/store/memstore@v2.15.0; } 2>go.log || { cat go.log; exit 1; }
go list -m go.uber.org/ratelimit golang.org/x/time github.com/go-chi/httprate github.com/ulule/limiter/v3 github.com/throttled/throttled/v2
go test -count=1 -v . | grep silence | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
uber, a call and 0s of silence: 0 at once, 4 in a minute
uber, a call and 10m0s of silence: 11 at once, 15 in a minute
uber, WithoutSlack, a call and 0s of silence: 0 at once, 4 in a minute
uber, WithoutSlack, a call and 10m0s of silence: 1 at once, 5 in a minute
x/time, a call and 0s of silence: 4 at once, 8 in a minute
x/time, a call and 10m0s of silence: 5 at once, 9 in a minute
httprate, a call and 0s of silence: 4 at once, 4 in a minute
httprate, a call and 10m0s of silence: 5 at once, 5 in a minute
ulule, a call and 0s of silence: 4 at once, 4 in a minute
ulule, a call and 10m0s of silence: 5 at once, 5 in a minute
throttled, a call and 0s of silence: 4 at once, 8 in a minute
throttled, a call and 10m0s of silence: 5 at once, 9 in a minute
SEEN
