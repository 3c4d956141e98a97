package gateway

import (
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/recent"
)

// remember keeps a request that has ended for whoever looks in: every inference that was let in, and of the others what was refused.
func (p *reply) remember() {
	rq := p.rq
	if rq.gw == nil || rq.endpoint == nil && p.refusal == nil {
		return
	}
	m := rq.record
	m.RequestID, m.Time, m.Ended = rq.id, rq.begun, time.Now()
	if rq.member != nil {
		m.Member, m.Group, m.Project = rq.member.Name, rq.group(), rq.project
	}
	if rq.endpoint != nil {
		m.Protocol = string(rq.endpoint.Protocol)
	}
	if m.Path = rq.path(); m.Path == "" {
		m.Path = recent.Text(rq.r.URL.Path)
	}
	if rq.ask != nil {
		m.RequestedModel, m.Stream = recent.Text(rq.ask.Model), rq.ask.Stream
	}
	m.Model, m.Seller = m.RequestedModel, p.seller
	if rq.served != m.Model {
		m.Model = recent.Text(rq.served)
	}
	m.Outcome, m.HTTPStatus, m.Attempts = p.outcome(), p.status, p.tries
	if m.Attempts == nil {
		m.Attempts = []recent.Attempt{}
	}
	if r := p.refusal; r != nil {
		m.Code, m.Reason = r.Code, recent.Text(r.Error())
	}
	m.TimeToFirstByteMs, m.DurationMs = p.ended.firstByte.Milliseconds(), m.Ended.Sub(m.Time).Milliseconds()
	rq.gw.market.Recent.Add(m)
}

// path is that of the request's endpoint, where it is the request's: a text that nobody has to keep. Empty: it is not.
func (rq *request) path() string {
	if rq.endpoint == nil || rq.endpoint.Path != rq.r.URL.Path {
		return ""
	}
	return rq.endpoint.Path
}

// remembered is what is kept of an attempt: how it went, and when.
func (a *attempt) remembered(number int, try ledger.Try) recent.Attempt {
	m := recent.Attempt{
		Number: number, Seller: try.Seller, Origin: a.candidate.Seller.Origin, Kind: try.Kind, Status: a.outcome.Status, Then: try.Decision,
		BeginMs: a.begun.Sub(a.rq.begun).Milliseconds(), KnownMs: try.AtMs,
	}
	if a.call != nil {
		m.SentMs = a.call.begun.Sub(a.rq.begun).Milliseconds() + 1 // begun: 0 says that it was not
		m.KnownMs = max(m.KnownMs, m.SentMs)
	}
	switch {
	case a.outcome.Good():
	case a.err != nil:
		m.Why = recent.Text(a.err.Error())
	case a.timedOut:
		m.Why = errDeadline.Error()
	}
	if a.lease != nil {
		m.TokenID = a.lease.TokenID()
	}
	return m
}
