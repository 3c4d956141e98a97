package seller

import (
	"context"
	"iter"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/wire"
)

// endpoint is a path of a model API.
type endpoint struct {
	form   form
	silent bool                                   // the model says nothing: only the prompt is billed
	free   bool                                   // nothing is billed
	writes bool                                   // has a word for tokens written to the cache
	read   func(body []byte) (*request, *refusal) // checks a request
	whole  func(*answer) any                      // the answer in one piece
	events func(*answer) iter.Seq[event]          // the answer as a stream; nil: this path has none
}

var endpoints = map[string]*endpoint{
	"/v1/chat/completions":      {read: readChat, whole: chatWhole, events: chatEvents},
	"/v1/completions":           {read: readCompletion, whole: completionWhole, events: completionEvents},
	"/v1/responses":             {read: readResponse, whole: responseWhole, events: responseEvents},
	"/v1/responses/compact":     {read: readResponse, whole: compactWhole, silent: true},
	"/v1/messages":              {form: formAnthropic, writes: true, read: readMessage, whole: messageWhole, events: messageEvents},
	"/v1/messages/count_tokens": {form: formAnthropic, silent: true, free: true, read: readCount, whole: countWhole},
	"/v1/embeddings":            {silent: true, read: readEmbeddings, whole: embeddingsWhole},
}

// infer serves one inference request: who pays, what is asked, can it be paid, the answer, and what it cost.
func (s *Seller) infer(w http.ResponseWriter, r *http.Request, e *endpoint) *refusal {
	b, release, refused := s.hold()
	if refused != nil {
		return refused
	}
	defer release()
	t := b.bearer(r.Header)
	if t == nil {
		return unauthorized()
	}
	key := r.Header.Get(wire.HeaderIdempotencyKey)
	if len(key) > maxKey {
		return invalid("", "the Idempotency-Key header must be at most 256 bytes")
	}
	body, refused := readBody(w, r, maxBody)
	if refused != nil {
		return refused
	}
	req, refused := e.read(body)
	if refused != nil {
		return refused
	}
	m := s.models[req.Model]
	if m == nil {
		return modelNotFound()
	}
	requestID, same := requestIDs(r, body)
	if key != "" {
		same = hash("charge", string(t.Hash[:]), key, string(same[:]))
	} else {
		same = digest{}
	}
	c := b.openCharge(t, same, r.URL.Path, m.ID, requestID)
	defer b.closeCharge(c)

	bill := &bill{books: b, charge: c, price: m.price(0), requestID: requestID} // a model without a price costs nothing
	if e.free {
		bill.price = money.Price{}
	}
	a, least := e.answer(req, m, bill)
	cost, _ := bill.price.Cost(least)
	if balance, ok := b.affords(c, cost); !ok {
		return insufficientFunds(balance)
	}
	ctx, cancel, ok := deadline(r, req.Stream && e.events != nil)
	defer cancel()
	if !ok {
		return pastDeadline()
	}
	if req.Stream && e.events != nil {
		s.stream(ctx, w, a, e, bill)
		return nil
	}
	return s.answerWhole(ctx, w, a, e, bill)
}

// answer makes the answer to a request, with what it uses, and gives the least that it can use.
func (e *endpoint) answer(req *request, m *Model, bill *bill) (a *answer, least money.Tokens) {
	c := bill.charge
	a = &answer{request: req, model: m.ID, id: strings.TrimPrefix(c.SettlementID, "s_"), created: c.Time.Unix()}
	a.usage.Prompt = promptTokens(req.prompt)
	if m.CacheReadPrice != nil && !e.silent {
		a.usage.CacheRead = bill.books.cached(c, req.prompt)
	}
	if m.CacheWritePrice != nil && e.writes {
		a.usage.CacheWrite = a.usage.Prompt - a.usage.CacheRead
	}
	req.prompt = nil
	least = a.usage
	if !e.silent {
		least.Completion = 1
		a.speak()
	}
	return a, least
}

// bill is whom an answer is billed to, and at which price.
type bill struct {
	books     *Books
	charge    *charge
	price     money.Price
	requestID string
}

// settle bills what was used. It gives nil where that could not be written down: then it is not told.
func (l *bill) settle(used money.Tokens) *wire.Settlement {
	cost, _ := l.price.Cost(used) // every class of a seller's own model has a price
	s, err := l.books.settle(l.charge, used, cost, l.requestID)
	if err != nil {
		l.books.warn(err)
		return nil
	}
	return &s
}

// answerWhole sends an answer in one piece, after the time its pieces take. One that can't be sent any more is not billed.
func (s *Seller) answerWhole(ctx context.Context, w http.ResponseWriter, a *answer, e *endpoint, bill *bill) *refusal {
	if gaps := len(a.pieces) - 1; gaps > 0 && !sleep(ctx, time.Duration(gaps)*time.Duration(*s.Pace)) {
		return pastDeadline() // or the client has gone, and sees nothing
	}
	body, err := wire.Encode(e.whole(a))
	if err != nil {
		return &refusal{status: http.StatusInternalServerError, code: "server_error", message: "the answer could not be written"}
	}
	if settlement := bill.settle(a.usage); settlement != nil && s.Settlement != settleByNone {
		settlement.SetHeader(w.Header())
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = w.Write(body)
	return nil
}

// deadline bounds a request by the time that its header says is left. For a stream that is the time to the headers, which
// go out at once. It is not ok when no time is left.
func deadline(r *http.Request, stream bool) (context.Context, context.CancelFunc, bool) {
	ms, said := timeLeft(r)
	if !said || ms > 24*60*60*1000 {
		return r.Context(), func() {}, true
	}
	if ms <= 0 {
		return r.Context(), func() {}, false
	}
	if stream {
		return r.Context(), func() {}, true
	}
	ctx, cancel := context.WithTimeout(r.Context(), time.Duration(ms)*time.Millisecond)
	return ctx, cancel, true
}

// sleep waits, and tells whether ctx is still alive.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
