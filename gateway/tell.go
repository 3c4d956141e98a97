package gateway

import (
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/tokenbuddy/caddy-tokenbuddy/admin"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/routing"
)

// tell gives the metrics, the access log, and placeholders for whoever wants them, what became of the request.
func (x *exchange) tell() {
	if x.endpoint != nil {
		admin.ObserveRequest(admin.Request{
			Protocol: string(x.endpoint.Protocol), Model: x.served, Seller: x.seller, Outcome: x.outcome(),
			TimeToFirstByte: x.firstByte, Duration: time.Since(x.begun),
		})
	}
	x.setPlaceholders()
	if x.attempts > 0 {
		x.replacer().Set("http.tokenbuddy.billed_micros", int64(x.billed))
	}
	extra, ok := x.r.Context().Value(caddyhttp.ExtraLogFieldsCtxKey).(*caddyhttp.ExtraLogFields)
	if !ok {
		return
	}
	for _, f := range x.facts() {
		if f.value != "" {
			extra.Add(zap.String("tokenbuddy_"+f.name, f.value))
		}
	}
	if x.attempts > 0 {
		extra.Add(zap.Int64("tokenbuddy_billed_micros", int64(x.billed)))
	}
}

// fact is something that the access log and the placeholders say of a request; its value is empty where it is not known.
type fact struct{ name, value string }

func (x *exchange) facts() [3]fact {
	all := [...]fact{{"member", ""}, {"model", x.served}, {"seller", x.seller}}
	if x.member != nil {
		all[0].value = x.member.Name
	}
	return all
}

// setPlaceholders sets those that are known by now. It is done before the answer begins too, so that a header which Caddy
// sets at that moment finds them.
func (x *exchange) setPlaceholders() {
	repl := x.replacer()
	for _, f := range x.facts() {
		if f.value != "" {
			repl.Set("http.tokenbuddy."+f.name, f.value)
		}
	}
}

// outcome is how the request ended, as the metrics have it: as the ledger does, or refused where no seller was asked.
func (x *exchange) outcome() string {
	if x.ended == "" {
		return "refused"
	}
	return string(x.ended)
}

// report writes an attempt down where operators look. after is the event of a try with another token than the one that the
// seller has refused, but for its last word; empty for all others.
func (a *attempt) report(d routing.Decision, after string) {
	kind, level, event := string(a.outcome.Kind), zapcore.InfoLevel, "proxy.upstream_fetch.failed"
	switch {
	case a.outcome.Good():
		kind, level, event = "ok", zapcore.DebugLevel, "proxy.upstream_fetch.succeeded"
	case d.Step == routing.Next:
		event = "route.failover.triggered"
		admin.ObserveFailover(kind)
	}
	admin.ObserveAttempt(a.candidate.Seller.ID, kind)
	a.trace = append(a.trace, ledger.Try{
		Seller: a.candidate.Seller.ID, Kind: kind, Decision: d.Step.String(), AtMs: time.Since(a.begun).Milliseconds(),
	})
	if after != "" {
		event = after + ".failed"
		if a.outcome.Good() {
			event = after + ".succeeded"
		}
	}
	if entry := a.logger.Check(level, event); entry != nil {
		fields := []zap.Field{
			zap.String("requestId", a.id), zap.String("seller", a.candidate.Seller.ID), zap.String("model", a.served),
			zap.String("kind", kind), zap.Int("status", a.outcome.Status), zap.String("decision", d.Step.String()),
		}
		if a.err != nil {
			fields = append(fields, zap.Error(a.err))
		}
		entry.Write(fields...)
	}
}
