package gateway

import (
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/tokenbuddy/caddy-tokenbuddy/admin"
	"github.com/tokenbuddy/caddy-tokenbuddy/purchase"
	"github.com/tokenbuddy/caddy-tokenbuddy/recent"
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
		return recent.PurchaseLimit
	case p.unpaid != "":
		return recent.NoCredit
	}
	return recent.Refused
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
