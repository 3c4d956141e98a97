package gateway

import (
	"context"

	"go.uber.org/zap"

	"github.com/tokenbuddy/caddy-tokenbuddy/dialect"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/routing"
)

// route finds the sellers to try, in order.
func (rq *request) route() *dialect.Refusal {
	index := rq.gw.indexFor(rq.r.Context(), rq.ask.Model)
	served, ok := index.Resolve(rq.ask.Model)
	if !ok {
		return rq.gw.unknown(rq.ask.Model)
	}
	rq.served = served
	if refusal := rq.mayUse(index); refusal != nil {
		return refusal
	}
	rq.gw.touch(served, rq.endpoint.Protocol)
	rq.conversation = rq.identifyConversation()
	likely := rq.expected()
	q := routing.Query{
		Served: served, Protocol: rq.endpoint.Protocol, Path: rq.endpoint.Path,
		Ceiling: money.Tokens{Prompt: likely.Prompt, Completion: rq.ask.MaxOutput}, Likely: likely, Now: rq.begun,
		Member: rq.member.Name, Group: rq.group(), Streamed: rq.ask.Stream, Tools: rq.ask.Tools,
	}
	rq.prefer(&q)
	offers := index.Candidates(served, rq.endpoint.Protocol)
	rq.candidates = rq.gw.table.Order(&q, offers, make([]*routing.Candidate, 0, routing.MaxReady))
	if len(rq.candidates) == 0 {
		return rq.absent(rq.gw.table.Absence(&q, offers))
	}
	if refusal := rq.weigh(); refusal != nil {
		return refusal
	}
	for _, c := range rq.candidates {
		if until := rq.begun.Add(rq.gw.settings.DeadlinesAt(c.Seller.ID).Unstreamed); until.After(rq.until) {
			rq.until = until
		}
	}
	if event := rq.log.Check(zap.DebugLevel, "route.selected"); event != nil {
		event.Write(zap.String("requestId", rq.id), zap.String("model", served),
			zap.String("seller", rq.candidates[0].Seller.ID), zap.Int("candidates", len(rq.candidates)))
	}
	return nil
}

// index is the model index of now. It waits only on a first start that has never had a registry document, and not at the end of the
// process.
func (gw *Gateway) index(ctx context.Context) *routing.Index {
	if gw.registry != nil && !gw.informed.Load() {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		defer context.AfterFunc(gw.shutdown, cancel)()
		_ = gw.registry.Ready(ctx) // whatever became of it, the index says what there is
		gw.catchUp()
	}
	return gw.table.Index()
}
