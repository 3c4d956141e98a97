package gateway

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/tokenbuddy/caddy-tokenbuddy/dialect"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/market"
	"github.com/tokenbuddy/caddy-tokenbuddy/purchase"
)

// Where Caddy's tracing comes before the gateway, each attempt, purchase and commit is a span under the request's. Where it does not,
// nothing of this costs anything: there is no span, and nobody asks further.

// traced gives the span that a request's own are under; nil: nobody wants to know.
func traced(ctx context.Context) trace.Span {
	if s := trace.SpanFromContext(ctx); s.IsRecording() {
		return s
	}
	return nil
}

// beginSpan begins a span under another, which is not nil.
func beginSpan(parent trace.Span, name string, kind trace.SpanKind, at time.Time, attributes ...attribute.KeyValue) trace.Span {
	_, s := parent.TracerProvider().Tracer(market.Module).Start(trace.ContextWithSpan(context.Background(), parent), name,
		trace.WithSpanKind(kind), trace.WithTimestamp(at), trace.WithAttributes(attributes...))
	return s
}

// operations are what the semantic conventions call the APIs; the others are chat.
var operations = map[dialect.Protocol]string{dialect.Completions: "text_completion", dialect.Embeddings: "embeddings"}

// beginSpan begins the attempt's span, where the request is traced.
func (a *attempt) beginSpan() {
	rq := a.rq
	if rq.span == nil {
		return
	}
	operation := operations[rq.endpoint.Protocol]
	if operation == "" {
		operation = "chat"
	}
	seller := a.candidate.Seller
	model := seller.Theirs(a.candidate.Model)
	attributes := []attribute.KeyValue{
		attribute.String("gen_ai.operation.name", operation), attribute.String("gen_ai.provider.name", seller.ID),
		attribute.String("gen_ai.request.model", model), attribute.Bool("gen_ai.request.stream", rq.ask.Stream),
		attribute.Int("tokenbuddy.attempt", a.number), attribute.String("tokenbuddy.request_id", rq.id),
		attribute.String("tokenbuddy.member", rq.member.Name),
	}
	if u, err := url.Parse(seller.Origin); err == nil {
		attributes = append(attributes, attribute.String("server.address", u.Hostname()))
		if port, err := strconv.Atoi(u.Port()); err == nil {
			attributes = append(attributes, attribute.Int("server.port", port))
		}
	}
	a.span = beginSpan(rq.span, operation+" "+model, trace.SpanKindClient, a.begun, attributes...)
}

// endSpan ends the attempt's span, if there is one that has not ended: with what came of it, and how its delivery ended, if it was.
func (a *attempt) endSpan(e ended) {
	s := a.span
	if s == nil {
		return
	}
	a.span = nil
	if a.answer != nil {
		s.SetAttributes(attribute.Int("http.response.status_code", a.answer.response.StatusCode))
		id, usage := a.answer.said()
		if id != "" {
			s.SetAttributes(attribute.String("gen_ai.response.id", id))
		}
		if usage.Known&dialect.ClassPrompt != 0 {
			s.SetAttributes(attribute.Int64("gen_ai.usage.input_tokens", usage.Tokens.Prompt))
		}
		if usage.Known&dialect.ClassCompletion != 0 {
			s.SetAttributes(attribute.Int64("gen_ai.usage.output_tokens", usage.Tokens.Completion))
		}
	}
	fault := ""
	switch {
	case !a.outcome.Good():
		fault = string(a.outcome.Kind)
	case e.status != "" && e.status != ledger.StatusOK:
		fault = string(e.status)
	}
	if fault != "" {
		s.SetAttributes(attribute.String("error.type", fault))
		s.SetStatus(codes.Error, fault)
	}
	s.End()
}

// passTrace tells a seller that is one's own which trace the request is of: the attempt's span, else what the client has said.
func (a *attempt) passTrace(header http.Header) {
	seller := a.candidate.Seller
	if !seller.Pinned || !a.rq.gw.settings.Traced[seller.ID] {
		return
	}
	if a.span != nil {
		propagation.TraceContext{}.Inject(trace.ContextWithSpan(context.Background(), a.span), propagation.HeaderCarrier(header))
		return
	}
	for _, name := range []string{"Traceparent", "Tracestate"} {
		if value := a.rq.r.Header.Get(name); value != "" {
			header.Set(name, value)
		}
	}
}

// tracePurchase tells of the time for which the attempt has waited for a purchase, since begun, if it has.
func (a *attempt) tracePurchase(begun time.Time) {
	if a.span == nil || a.err == nil && !a.lease.BoughtSince(begun) {
		return
	}
	s := beginSpan(a.span, "purchase", trace.SpanKindInternal, begun, attribute.String("tokenbuddy.seller", a.candidate.Seller.ID))
	if a.err != nil {
		lack, _ := purchase.Lacking(a.err)
		s.SetAttributes(attribute.String("error.type", string(lack)))
		s.SetStatus(codes.Error, string(lack))
	} else {
		s.SetAttributes(attribute.String("tokenbuddy.token_id", a.lease.TokenID()), attribute.Int64("tokenbuddy.balance_micros", int64(a.lease.Balance())))
	}
	s.End()
}

// traceCommit begins the span of a booking that was just queued; nil: the request is not traced.
func (b books) traceCommit(seller string) trace.Span {
	if b.rq.span == nil {
		return nil
	}
	return beginSpan(b.rq.span, "commit", trace.SpanKindInternal, time.Now(), attribute.String("tokenbuddy.seller", seller))
}

// committed ends the span of a booking that is made, or has failed.
func committed(s trace.Span, booked ledger.Booked, err error) {
	switch e := booked.Entry; {
	case s == nil:
		return
	case err != nil:
		s.SetStatus(codes.Error, "the booking has failed")
	case e == nil: // nothing was written
	case e.Served != nil:
		s.SetAttributes(attribute.String("tokenbuddy.entry_id", e.ID), attribute.Int64("tokenbuddy.billed_micros", int64(e.BilledMicros)))
	case e.Attempt != nil:
		s.SetAttributes(attribute.String("tokenbuddy.entry_id", e.ID), attribute.Int64("tokenbuddy.billed_micros", int64(e.Attempt.BilledMicros)))
	}
	s.End()
}
