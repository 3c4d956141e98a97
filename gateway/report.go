package gateway

import (
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/tokenbuddy/caddy-tokenbuddy/admin"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/routing"
)

// report writes an attempt down where operators look, and gives what the request's entry is to say of it. after is the event of
// a try with another token than the one that the seller has refused, but for its last word; empty for all others. next is the
// seller that is asked instead; empty where none is.
func (a *attempt) report(d routing.Decision, after, next string) ledger.Try {
	kind, level, event := string(a.outcome.Kind), zapcore.InfoLevel, "proxy.upstream_fetch.failed"
	failover := false
	switch {
	case a.outcome.RefusesUsage:
		kind = "usage_refused" // nobody's fault
	case a.outcome.Good():
		kind, level, event = "ok", zapcore.DebugLevel, "proxy.upstream_fetch.succeeded"
	case d.Step == routing.Next, d.Step == routing.ToMaker:
		failover = true
		admin.ObserveFailover(kind)
	}
	admin.ObserveAttempt(a.candidate.Seller.ID, kind)
	switch {
	case after != "" && a.outcome.Good():
		event = after + ".succeeded"
	case after != "":
		event = after + ".failed"
	case failover:
		event = ""
	}
	if event != "" {
		a.write(level, event, kind, d, next)
	}
	if failover {
		a.write(zapcore.WarnLevel, "route.failover.triggered", kind, d, next)
	}
	return ledger.Try{Seller: a.candidate.Seller.ID, Kind: kind, Decision: d.Step.String(), AtMs: time.Since(a.rq.begun).Milliseconds()}
}

// write writes an attempt down as one event.
func (a *attempt) write(level zapcore.Level, event, kind string, d routing.Decision, next string) {
	entry := a.rq.log.Check(level, event)
	if entry == nil {
		return
	}
	fields := []zap.Field{
		zap.String("requestId", a.rq.id), zap.String("seller", a.candidate.Seller.ID), zap.String("model", a.rq.served),
		zap.String("kind", kind), zap.Int("status", a.outcome.Status), zap.String("decision", d.Step.String()),
	}
	if a.err != nil {
		fields = append(fields, zap.Error(a.err))
	}
	entry.Write(append(fields, a.circumstances(next)...)...)
}

// circumstances are what an operator wants to know of an attempt beside how it ended.
func (a *attempt) circumstances(next string) []zap.Field {
	fields := []zap.Field{
		zap.String("requestedModel", a.rq.ask.Model), zap.String("path", a.rq.endpoint.Path), zap.Bool("stream", a.rq.ask.Stream),
		zap.Int("attempt", a.number), zap.Int64("durationMs", time.Since(a.rq.begun).Milliseconds()),
	}
	if next != "" {
		fields = append(fields, zap.String("next", next))
	}
	if a.lease != nil && !a.candidate.Seller.Account {
		// Leaving a seller that was just paid may waste what is on the token.
		fields = append(fields, zap.Bool("freshPurchase", a.lease.Fresh(time.Now())), zap.Int64("tokenBalanceMicros", int64(a.lease.Balance())))
	}
	return fields
}
