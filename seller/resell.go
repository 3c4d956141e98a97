package seller

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"time"

	"go.uber.org/zap"

	"github.com/tokenbuddy/caddy-tokenbuddy/billing"
	"github.com/tokenbuddy/caddy-tokenbuddy/dialect"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/relay"
	"github.com/tokenbuddy/caddy-tokenbuddy/wire"
)

// maxUpstreamBody is the largest body of a request for an upstream, in bytes: as large as what a gateway sends.
const maxUpstreamBody = 32 << 20

// resale is one request that an upstream answers.
type resale struct {
	s            *Seller
	books        *Books
	r            *http.Request
	endpoint     *dialect.Endpoint
	body         []byte // without requestId
	sent         *relay.Body
	ask          *dialect.Request
	offer        offer
	price        money.Price
	shape        billing.Shape
	room         *room
	charge       *charge
	id           string          // the request's
	key          string          // for the upstream: nothing of the buyer's is in it
	asked        bool            // for usage, which the buyer has not asked for
	withoutUsage bool            // the upstream has just refused the request for what asks for it
	gone         context.Context // done a while after the buyer has left
	over         <-chan struct{} // closed when its charge is given back
	until        time.Time       // when a whole answer has to be there, or a stream's headers
}

// resell serves one inference request from the upstream: who pays, what is asked, can it be paid; then the upstream's answer, and
// what it cost.
func (s *Seller) resell(w http.ResponseWriter, r *http.Request) *refusal {
	b, release, refused := s.hold()
	if refused != nil {
		return refused
	}
	defer release()
	t := b.bearer(r.Header)
	if t == nil {
		return unauthorized()
	}
	q := &resale{s: s, books: b, r: r, endpoint: dialect.Lookup(r.URL.Path), room: &room{store: memory, token: t.Hash}}
	defer q.room.leave()
	if !s.Upstream.protocols[q.endpoint.Protocol] {
		return &refusal{status: http.StatusNotFound, code: "not_found", message: "this seller does not serve this API"}
	}
	// What can not be written down is not sold.
	if b.journal.failing.Load() && b.save() != nil {
		return unavailable("what is sold can't be written down just now; try again later")
	}
	if refused := q.read(w); refused != nil {
		return refused
	}
	if refused := q.find(); refused != nil {
		return refused
	}
	same, refused := q.same(t)
	if refused != nil {
		return refused
	}
	b.relieve(r.Context(), same)
	over := make(chan struct{})
	defer close(over)
	q.charge, q.over = b.openCharge(t, same, r.URL.Path, q.offer.ID, q.id), over
	defer b.closeCharge(q.charge)
	most, beyond := q.most()
	giveBack, refused := b.reserve(q.charge, most)
	switch {
	case refused != nil && refused.balance != nil && beyond != nil && t.Credit < least(most): // nor would the next token like it do, and that would be bought
		return beyond
	case refused != nil:
		return refused
	}
	defer giveBack()
	return q.forward(w)
}

// read takes in the body, and puts what the buyer's gateway has added to it aside.
func (q *resale) read(w http.ResponseWriter) *refusal {
	if refused := uncompressed(q.r); refused != nil {
		return refused
	}
	if q.r.ContentLength > maxUpstreamBody {
		return tooLarge()
	}
	var body []byte
	var more bool
	refused := receive(w, q.r, func() (err error) {
		body, more, err = q.room.fill(http.MaxBytesReader(w, q.r.Body, maxUpstreamBody+1), maxUpstreamBody)
		return err
	})
	switch {
	case more:
		return tooLarge()
	case refused != nil:
		return refused
	}
	ask, wrong := q.endpoint.Scan(body)
	if wrong != nil {
		return &refusal{status: wrong.Status, code: wrong.Code, param: wrong.Param, message: wrong.Message}
	}
	q.id = ask.RequestID
	if q.id == "" {
		q.id = q.r.Header.Get(wire.HeaderRequestID)
	}
	if !wire.FitID(q.id) {
		q.id = ""
	}
	if cut, ok := ask.WithoutRequestID(body); ok {
		body = append(body[:cut.Start], body[cut.End:]...)
		if ask, wrong = q.endpoint.Scan(body); wrong != nil {
			return invalid("", "the body is not one JSON object")
		}
	}
	q.body, q.ask = body, ask
	return nil
}

// find tells what is asked for, and whether it is sold. What the upstream would bill by another price than the model's is not.
func (q *resale) find() *refusal {
	offers := q.s.Upstream.catalog.sold(q.r.Context())
	if offers == nil {
		return unavailable("the models of this seller are not known yet; try again in a moment")
	}
	var ok bool
	if q.offer, ok = offers[q.ask.Model]; !ok {
		return modelNotFound()
	}
	switch {
	case len(q.ask.Models) > 0:
		return invalid("models", "this seller serves the one model that a request names in model")
	case q.ask.HostedTools:
		return invalid("tools", "this seller has no tools that run at the server, such as web search")
	case q.ask.Headers:
		return invalid("extra_headers", "this seller sends no headers on that stand in a request's body: leave them out")
	case len(q.ask.Terms) > 0:
		member := q.ask.Terms[0].Member
		return invalid(member, "this seller serves on the terms that its prices are for: leave "+member+" out")
	}
	q.price = q.offer.price(money.Unknown) // a class without a price falls under the class that contains it
	q.shape = billing.Shape{
		BodyBytes: int64(len(q.body)), PromptTokens: q.ask.PromptTokens, ContinuedTokens: q.books.made(q.ask.PreviousResponseID),
		PromptWhole: q.ask.PromptWhole, MaxOutput: q.ask.MaxOutput, PassedOutput: q.ask.PassedOutput, Answers: q.ask.Answers,
		NoCompletion: q.endpoint.NoCompletion(), Free: q.endpoint.Free(),
	}
	return nil
}

// same is what all tries of this request have in common; zero where it has no idempotency key.
func (q *resale) same(t *token) (digest, *refusal) {
	key := q.r.Header.Get(wire.HeaderIdempotencyKey)
	if len(key) > maxKey {
		return digest{}, invalid("", "the Idempotency-Key header must be at most 256 bytes")
	}
	if key == "" {
		q.key = newID("")
		return digest{}, nil
	}
	sum := sha256.Sum256(q.body)
	same := hash("charge", string(t.Hash[:]), key, q.r.URL.Path, string(sum[:]))
	q.key = hex.EncodeToString(same[:16])
	return same, nil
}

// left is the time that the request has, and whether there is any.
func (q *resale) left() (time.Duration, bool) {
	ms, said := timeLeft(q.r)
	if !said {
		return upstreamDeadline, true
	}
	return min(time.Duration(min(ms, upstreamDeadline.Milliseconds()))*time.Millisecond, upstreamDeadline), ms > 0
}

// settle bills what the answer says that it used, or what came of it. It gives nil where that could not be written down.
func (q *resale) settle(whole bool, used dialect.Usage, output dialect.Output) *wire.Settlement {
	tokens, cost := q.cost(whole, used, output)
	q.noteLength(tokens.Completion, used.Known&dialect.ClassCompletion != 0)
	settlement, err := q.books.settle(q.charge, tokens, cost, q.id)
	if err != nil {
		q.books.warn(err)
		return nil
	}
	return &settlement
}

// cost is what that is.
func (q *resale) cost(whole bool, used dialect.Usage, output dialect.Output) (money.Tokens, money.Micros) {
	charge := billing.Bill(billing.Facts{
		Shape: q.shape, Price: q.price, Own: true, Answered: true, Whole: whole,
		Usage: billing.Usage{
			Tokens: used.Tokens, PromptKnown: used.Known&dialect.ClassPrompt != 0,
			CompletionKnown: used.Known&dialect.ClassCompletion != 0, Partial: used.Partial,
		},
		AnswerText: output.Text, AnswerMedia: output.Media, Credit: money.Max,
	})
	return used.Fill(q.shape.BodyBytes/4, output.Tokens()), charge.Billed
}

// failed is what a buyer is told of an upstream that gave no answer: nothing of the upstream's.
func (q *resale) failed(why string) *refusal {
	q.books.logger.Warn("seller.upstream.failed", zap.String("seller", q.s.ID), zap.String("model", q.offer.ID), zap.String("why", why))
	return &refusal{status: http.StatusBadGateway, code: "upstream_error", message: "this seller could not get an answer for the request; nothing was billed"}
}

// longestUnknown is how long a kept response is taken to be of which nothing is known here, in tokens.
const longestUnknown = 200_000

// most is what the request can cost: who goes on from a long response, made long ago, is not to have it read for what a short request may cost, nor who
// asks a limit that is passed over to be answered for it. beyond is what a buyer is told whose tokens never bear that, as its gateway reckons with
// less; nil: it is as that reckons.
func (q *resale) most() (most money.Micros, beyond *refusal) {
	shape := q.shape
	if q.s.Upstream.overlong(q.offer.ID) && shape.MaxOutput > 0 && shape.MaxOutput < billing.UsualOutput {
		shape.MaxOutput = billing.UsualOutput
		beyond = overlongUnpaid()
	}
	if q.ask.PreviousResponseID != "" && shape.ContinuedTokens == 0 {
		shape.ContinuedTokens = longestUnknown
		beyond = responseUnknown("the length of that response is not known here any more, and may be more than the token bears: send the whole conversation as input")
		if q.ask.Thread {
			beyond = threadUnknown("the length of that thread is not known here any more, and may be more than the token bears: send the whole conversation")
		}
	}
	return billing.Bound(shape, q.price), beyond
}

// overlong tells whether a model was answered lately at more length than was asked.
func (u *Upstream) overlong(model string) bool {
	until, ok := u.overlongUntil.Load(model)
	return ok && time.Now().Before(until.(time.Time))
}

// noteLength notes of a model that the upstream has passed over the limit that was asked: it may know it by another name, or the buyer by one that
// it knows better. For a day from then no limit is taken for a bound there: the last micro of a token would be good for an answer of any length.
func (q *resale) noteLength(written int64, said bool) {
	if !said { // a quarter of its bytes is a guess
		written /= 2
	}
	if limit, answers := q.shape.MaxOutput, max(q.shape.Answers, 1); limit > 0 && written/answers > limit {
		q.s.Upstream.overlongUntil.Store(q.offer.ID, time.Now().Add(24*time.Hour))
	}
}

// made is how long what a kept response is made of is, in tokens, where it was made here lately; 0: that is not known.
func (b *Books) made(response string) int64 {
	if response == "" {
		return 0
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	n, _ := b.responses.get(hash(response))
	return n
}

// keep notes how long a response has become, where a later request may go on from it.
func (q *resale) keep(id string, used dialect.Usage) {
	if q.endpoint.Keeps(q.ask) {
		q.books.keep(id, used)
	}
}

// keep notes how long a response has become. It is on the disk with what is written down next, which is what it has cost.
func (b *Books) keep(id string, used dialect.Usage) {
	if id == "" || used.Prompt+used.Completion <= 0 {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.responses.put(hash(id), used.Prompt+used.Completion)
	b.note(change{Responses: []response{{hash(id), used.Prompt + used.Completion}}})
}

var errGone, errLate = errors.New("the buyer went away"), errors.New("no answer in time")

// began ties a call to the request: until the answer is there, the buyer's leaving and the deadline end it.
func (q *resale) began(left time.Duration) (ctx context.Context, cancel context.CancelCauseFunc, unwatch func()) {
	ctx, cancel = context.WithCancelCause(context.WithoutCancel(q.r.Context()))
	q.until = time.Now().Add(left)
	return ctx, cancel, q.watch(cancel)
}

// watch has the buyer's leaving, a while after it, and the deadline end a call, until unwatch is called.
func (q *resale) watch(cancel context.CancelCauseFunc) (unwatch func()) {
	late := time.AfterFunc(time.Until(q.until), func() { cancel(errLate) })
	gone := context.AfterFunc(q.gone, func() { cancel(errGone) })
	return func() { late.Stop(); gone() }
}
