package gateway

import (
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/tokenbuddy/caddy-tokenbuddy/admin"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/purchase"
	"github.com/tokenbuddy/caddy-tokenbuddy/routing"
)

// tell gives the metrics, the access log, and placeholders for whoever wants them, what became of the request.
func (p *reply) tell() {
	rq := p.rq
	if rq.endpoint != nil {
		admin.ObserveRequest(admin.Request{
			Protocol: string(rq.endpoint.Protocol), Model: rq.served, Seller: p.seller, Outcome: p.outcome(),
			TimeToFirstByte: p.ended.firstByte, Duration: time.Since(rq.begun),
		})
	}
	if reason := p.reason(); reason != "" {
		admin.ObserveRefusal(reason)
	}
	p.remember()
	p.told = true
	p.setPlaceholders()
	ctx := rq.r.Context()
	if server, ok := ctx.Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server); ok && server.Logs == nil {
		return // nobody would read it
	}
	extra, ok := ctx.Value(caddyhttp.ExtraLogFieldsCtxKey).(*caddyhttp.ExtraLogFields)
	if !ok {
		return
	}
	for _, f := range p.facts() {
		if f.value != "" {
			extra.Add(zap.String("tokenbuddy_"+f.name, f.value))
		}
	}
	if p.attempts > 0 {
		extra.Add(zap.Int64("tokenbuddy_billed_micros", int64(p.billed)))
	}
}

// fact is something that the access log and the placeholders say of a request; its value is empty where it is not known.
type fact struct{ name, value string }

func (p *reply) facts() [5]fact {
	all := [...]fact{{"member", ""}, {"model", p.rq.served}, {"seller", p.seller}, {"group", ""}, {"project", p.rq.project}}
	if p.rq.member != nil {
		all[0].value, all[3].value = p.rq.member.Name, p.rq.group()
	}
	return all
}

// setPlaceholders has the placeholders say what is known when they are read. It is done before the answer begins too, so that a
// header which Caddy sets at that moment finds them.
func (p *reply) setPlaceholders() {
	if !p.placed {
		p.placed = true
		p.rq.replacer().Map(p.placeholder)
	}
}

// placeholder gives the value of one.
func (p *reply) placeholder(key string) (value any, ok bool) {
	name, ok := strings.CutPrefix(key, "http.tokenbuddy.")
	if !ok {
		return nil, false
	}
	if name == "billed_micros" && p.told && p.attempts > 0 {
		return int64(p.billed), true
	}
	for _, f := range p.facts() {
		if f.name == name && f.value != "" {
			return f.value, true
		}
	}
	return nil, false
}

// outcome is how the request ended, as the metrics have it: as the ledger does, or refused where no seller was asked. One that
// no seller could be paid for is no fault of the client's; where a limit of purchases is spent, that is said.
func (p *reply) outcome() string {
	switch {
	case p.ended.status != "":
		return string(p.ended.status)
	case p.unpaid == purchase.LacksDay, p.unpaid == purchase.LacksSession, p.unpaid == purchase.LacksSeller, p.unpaid == purchase.LacksWallet:
		return "purchase_limit"
	case p.unpaid != "":
		return "no_credit"
	}
	return "refused"
}

// reason is why the gateway has answered by itself, as the metrics have it; empty: it has not.
func (p *reply) reason() string {
	switch {
	case p.refusal == nil:
		return ""
	case p.unpaid != "":
		return string(p.unpaid)
	}
	return p.refusal.Code
}

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
