package routing

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/tokenbuddy/caddy-tokenbuddy/guestcall"
)

const (
	// orderTime is how long a request waits for a guest policy, gatherTime how long the background does.
	orderTime  = 200 * time.Millisecond
	gatherTime = 10 * time.Second
	// maxStuck is how many calls of a guest that have not come back in time are put up with before no more are made.
	maxStuck = 16
	// warnEvery is how often the log tells of one guest's faults at the most.
	warnEvery = time.Minute
)

// guard makes the calls of one guest policy: a panic ends the call and nothing else, and one that does not come back is left
// behind.
type guard struct {
	module string
	logger *zap.Logger
	hook   func(module, call string) // may be nil

	stuck  atomic.Int32
	warned atomic.Int64 // in nanoseconds of Unix time
}

// EndPolicy cleans up a policy, by the end of the context that it was loaded in, and does not wait for one that takes its time.
func EndPolicy(log *zap.Logger, policy string, cancel func()) {
	if out := guestcall.End(cancel); out.Fault != "" {
		log.Warn("selection.policy.failed", zap.String("policy", policy), zap.String("call", "cleanup"), zap.String("reason", "it "+string(out.Fault)),
			zap.String("hint", "it is left behind"))
	}
}

// guarded gives what the guest gives, within a time; ok is false where it gives nothing.
func guarded[T any](g *guard, name string, within time.Duration, f func() T) (given T, ok bool) {
	if g.stuck.Load() >= maxStuck {
		g.trouble(name, "it does not come back from earlier calls, and is not asked any more", nil, nil)
		return given, false
	}
	ctx, stop := context.WithTimeout(context.Background(), within)
	defer stop()
	out := guestcall.Do(ctx, 0, func() (T, error) { return f(), nil }, func(late bool) {
		if late {
			g.stuck.Add(-1)
		}
	})
	switch out.Fault {
	case "":
		return out.Value, true
	case guestcall.Blocked:
		g.stuck.Add(1)
		g.trouble(name, fmt.Sprintf("it did not come back within %s", within), nil, nil)
	case guestcall.Panicked, guestcall.Exited:
		g.trouble(name, "it "+string(out.Fault), out.Said, out.Stack)
	}
	return given, false
}

// trouble counts a fault of the guest, and tells of it once a minute: with what it has panicked, if it has.
func (g *guard) trouble(call, reason string, said any, stack []byte) {
	if g.hook != nil {
		g.hook(g.module, call)
	}
	now, before := time.Now().UnixNano(), g.warned.Load()
	if now-before < int64(warnEvery) || !g.warned.CompareAndSwap(before, now) {
		return
	}
	fields := []zap.Field{
		zap.String("policy", g.module), zap.String("call", call), zap.String("reason", reason),
		zap.String("hint", "the registry's order serves meanwhile"),
	}
	if err, ok := said.(runtime.Error); ok { // what else it says may not be for the log
		fields = append(fields, zap.String("panic", plain(err.Error(), 200)))
	}
	if len(stack) > 0 {
		fields = append(fields, zap.String("stack", plain(string(stack), 2000)))
	}
	g.logger.Warn("selection.policy.failed", fields...)
}

// plain gives the first bytes of a text without what is not printable.
func plain(text string, most int) string {
	text = text[:min(len(text), most)]
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' {
			return ' '
		}
		if r < ' ' || r == 0x7f || r == '\uFFFD' {
			return -1
		}
		return r
	}, text)
}
