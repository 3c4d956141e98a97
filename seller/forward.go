package seller

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/dialect"
	"github.com/tokenbuddy/caddy-tokenbuddy/relay"
	"github.com/tokenbuddy/caddy-tokenbuddy/wire"
)

const (
	maxHeldAnswer   = 32 << 20 // of an answer that is no stream, before it flows on as it comes
	maxUpstreamFail = 1 << 20  // of an upstream's error
)

// forward asks the upstream and brings its answer to the buyer. Where it refuses to say its usage, it is asked again without.
func (q *resale) forward(w http.ResponseWriter) *refusal {
	left, ok := q.left()
	if !ok {
		return pastDeadline()
	}
	b, done := watchBuyer(w, q.r, q.over)
	defer done()
	q.books.writesTo(q.charge, b)
	w, q.gone = b, b.gone
	ctx, cancel, unwatch := q.began(left)
	defer cancel(nil)
	defer unwatch()
	for {
		res, refused := q.send(ctx)
		if refused != nil {
			return refused
		}
		switch {
		case relay.Compressed(res.Header):
			_ = res.Body.Close()
			return q.failed("it answers compressed, though it was not asked to")
		case res.StatusCode > 299:
			again, refused := q.refuse(ctx, w, res)
			if again {
				continue
			}
			return refused
		}
		if q.withoutUsage { // what it has refused was in what was added to the request, and not in what the buyer has sent
			q.s.Upstream.withoutAsk.Store(time.Now().Add(24 * time.Hour).Unix())
		}
		return q.answer(ctx, w, res, cancel, unwatch)
	}
}

// send sends the upstream the request: the client's bytes, but for the model's name and what asks for usage.
func (q *resale) send(ctx context.Context) (*http.Response, *refusal) {
	u := q.s.Upstream
	var edits []relay.Edit
	q.asked = false
	if !q.withoutUsage && time.Now().Unix() >= u.withoutAsk.Load() {
		var edit dialect.Edit
		if edit, q.asked = q.endpoint.AskUsage(q.ask, q.body); q.asked {
			edits = append(edits, relay.Edit(edit))
		}
	}
	if q.offer.theirs != q.ask.Model {
		name, _ := wire.Encode(q.offer.theirs) // texts always encode
		edits = append(edits, relay.Edit{Start: q.ask.ModelStart, End: q.ask.ModelEnd, Text: name})
	}
	q.sent = relay.Splice(q.body, edits...)
	res, err := relay.Send(ctx, relay.Call{
		URL: u.address(q.endpoint.Path, q.r.URL.RawQuery), Header: u.dress(asPriced(relay.RequestHeader(q.r.Header, "", q.key))),
		Body: q.sent, Transport: u.carrier.Operator(),
	})
	if err == nil {
		return res, nil
	}
	nothingDone := false
	if call, ok := errors.AsType[*relay.CallError](err); ok {
		nothingDone = call.Stage == relay.StageDial
	}
	switch cause := context.Cause(ctx); {
	case errors.Is(cause, errGone) && nothingDone:
		return nil, wentAway()
	case errors.Is(cause, errLate) && nothingDone:
		return nil, pastDeadline()
	case cause != nil:
		return nil, q.cut(ctx, err, dialect.Usage{}, dialect.Output{})
	}
	return nil, q.failed(called(err))
}

// refuse hands on an upstream's error with its status. What it says of the seller's account is not the buyer's: a buyer would take
// it for its own token's, and buy another one.
func (q *resale) refuse(ctx context.Context, w http.ResponseWriter, res *http.Response) (again bool, refused *refusal) {
	defer res.Body.Close()
	body, more, err := q.room.fill(res.Body, maxUpstreamFail)
	status := res.StatusCode
	switch {
	case err != nil && ctx.Err() != nil:
		return false, q.failed("its error was cut off")
	case q.asked && !more && dialect.NamesStreamOptions(status, body):
		q.withoutUsage = true
		return true, nil
	case status < 400:
		return false, q.failed(fmt.Sprintf("it answers %d, and redirects are not followed", status))
	case status == http.StatusUnauthorized, status == http.StatusPaymentRequired, status == http.StatusForbidden:
		return false, q.failed(fmt.Sprintf("it answers %d: see its key, and the account there", status))
	case wire.InsufficientFunds(status, body):
		return false, q.failed(fmt.Sprintf("it answers %d: the account there has no credit", status))
	case err != nil, more, q.gives(body):
		return false, q.failed(fmt.Sprintf("it answers %d, in words that can't be handed on", status))
	}
	q.head(w, res, true)
	q.write(w, status, body)
	return false, nil
}

// gives tells whether something from the upstream gives a secret away. What the buyer has said itself is none to it, and a model that repeats it
// has worked for it.
func (q *resale) gives(body []byte) bool {
	secrets := q.s.Upstream.secrets
	return dialect.Holds(body, secrets...) && slices.ContainsFunc(secrets, func(secret string) bool {
		return dialect.Holds(body, secret) && !dialect.Holds(q.body, secret)
	})
}

// head writes what a buyer may see of the upstream's headers: nothing that says whose account it is, or gives a secret away.
func (q *resale) head(w http.ResponseWriter, res *http.Response, untouched bool) {
	for _, name := range []string{"Openai-Organization", "Openai-Project", "Anthropic-Organization-Id"} {
		res.Header.Del(name)
	}
	dialect.TakeOut(res.Header, q.s.Upstream.secrets, func(_, text string) bool { return !q.gives([]byte(text)) })
	relay.AnswerHeader(w.Header(), res.Header, untouched)
}

// answer hands on a good answer. What it is, it says itself, whatever was asked for.
func (q *resale) answer(ctx context.Context, w http.ResponseWriter, res *http.Response, cancel context.CancelCauseFunc, unwatch func()) *refusal {
	if !relay.SaysEvents(res.Header) {
		head, events, err := relay.Peek(res.Body, make([]byte, 512))
		if err != nil {
			_ = res.Body.Close()
			return q.cut(ctx, err, dialect.Usage{}, dialect.Output{})
		}
		if res.Body = relay.Unread(head, res.Body); !events {
			return q.whole(ctx, w, res)
		}
	}
	return q.stream(ctx, w, res, cancel, unwatch)
}

// cut is an answer that ended too early, err being what its reading ended with, used and output what it has said by then.
func (q *resale) cut(ctx context.Context, err error, used dialect.Usage, output dialect.Output) *refusal {
	switch cause := context.Cause(ctx); {
	case errors.Is(cause, errLate):
		return q.late(used, output)
	case errors.Is(cause, errGone), errors.Is(err, relay.ErrClientGone):
		return q.deserted(used, output)
	}
	return q.failed("its answer was cut off")
}

// deserted bills a buyer that has left, and an upstream that has not come to its end by then: the upstream is paid for what it has read and
// written.
func (q *resale) deserted(used dialect.Usage, output dialect.Output) *refusal {
	q.settle(false, used, output)
	return wentAway()
}

// late is an answer that the deadline of the request has ended. Some of what the upstream has done by then is the seller's loss, as it was slow.
// But it is the buyer who says the deadline: one that gives each request a moment would have the upstream work for nothing, as often as it likes.
func (q *resale) late(used dialect.Usage, output dialect.Output) *refusal {
	refused := pastDeadline()
	if _, cost := q.cost(false, used, output); !q.books.bearsLate(q.charge, cost) {
		refused.settlement = q.settle(false, used, output)
		refused.message = "the answer was not done in the time that the request has; what had been done for it by then was billed"
	}
	return refused
}

func wentAway() *refusal { return unavailable("the buyer went away") } // nobody sees it

// whole hands on an answer that is no stream: all of it is there before it is billed, and what it cost stands before it.
func (q *resale) whole(ctx context.Context, w http.ResponseWriter, res *http.Response) *refusal {
	defer res.Body.Close()
	body, more, err := q.room.fill(res.Body, maxHeldAnswer)
	if errors.Is(err, errNoMemory) {
		more, err = true, nil // the upstream has worked: it flows on as it comes
	}
	words := q.endpoint.Answer()
	_, _ = words.Write(body)
	if err != nil {
		return q.cut(ctx, err, words.Usage(), words.Output())
	}
	if q.gives(body) {
		return q.failed("a secret is in its answer")
	}
	if more {
		return q.flow(w, res, body, words)
	}
	if what := q.endpoint.Fault(body); what != "" {
		return q.failed("it answers 2xx, but that is no answer: " + what)
	}
	q.keep(words.ResponseID(), words.Usage())
	settlement := q.settle(true, words.Usage(), words.Output())
	q.head(w, res, true)
	if settlement != nil {
		settlement.SetHeader(w.Header())
	}
	q.write(w, res.StatusCode, body)
	return nil
}

// write sends what is there whole.
func (q *resale) write(w http.ResponseWriter, status int, body []byte) {
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

// flow hands on an answer that is too long to be held. It is billed at its end, when no header can say so any more: the buyer reads
// the same usage, and finds it in the next balance.
func (q *resale) flow(w http.ResponseWriter, res *http.Response, begun []byte, words *dialect.Answer) *refusal {
	q.head(w, res, true)
	w.WriteHeader(res.StatusCode)
	_, err := w.Write(begun) // words has seen it
	if q.sent.Release() {    // the rest is not held
		q.body = nil
		q.room.leave()
	}
	if err == nil {
		_, err = io.Copy(io.MultiWriter(w, words), res.Body)
	}
	q.keep(words.ResponseID(), words.Usage())
	q.settle(err == nil, words.Usage(), words.Output())
	if err != nil {
		relay.Abort(w, q.r) // a clean end would pass for a whole answer
	}
	return nil
}

// watcher is a stream's events. What breaks off is not explained: the settlement and the cut say it.
type watcher struct{ *dialect.Events }

func (watcher) Break(bool) []byte { return nil }

// stream hands on a stream as it comes, and says at its end what it cost. Where none was asked for, its beginning has the time of a whole
// answer: until something is in it, it may be one.
func (q *resale) stream(ctx context.Context, w http.ResponseWriter, res *http.Response, cancel context.CancelCauseFunc, unwatch func()) *refusal {
	if q.ask.Stream {
		unwatch()
	}
	events := q.endpoint.Events()
	if q.asked {
		events.TakeOutUsage()
	}
	st := relay.NewStream(res.Body, func() { cancel(nil) }, relay.StreamOptions{
		Watcher: watcher{events}, Idle: upstreamIdle, Client: q.gone, Unasked: !q.ask.Stream,
		Memory: &room{store: q.room.store, token: q.room.token},
	})
	defer st.Close()
	begun := st.Begin()
	unwatch()
	switch cause := context.Cause(ctx); {
	case errors.Is(cause, errLate), errors.Is(cause, errGone):
		return q.cut(ctx, cause, events.Usage(), events.Output())
	case begun == relay.ClientGone:
		return q.deserted(events.Usage(), events.Output())
	}
	switch begun {
	case relay.NotEvents:
		res.Body = st.Rest()
		defer q.watch(cancel)()
		return q.whole(ctx, w, res)
	case relay.SaidError:
		if refused := q.blamed(events.Failure(), st.Held()); refused != nil {
			return refused
		}
	case relay.Committed:
	default:
		return q.failed("its stream broke before there was anything in it")
	}
	q.head(w, res, false)
	w.WriteHeader(res.StatusCode)
	q.relay(w, st, events, begun == relay.SaidError)
	return nil
}

// blamed tells whether the error that a stream begins with is not for the buyer: one that blames nothing in the request, or gives a secret away.
func (q *resale) blamed(f *dialect.Failure, said []byte) *refusal {
	switch {
	case !f.ClientFault():
		return q.failed(fmt.Sprintf("its stream begins with an error of status %d", f.Status))
	case q.gives(said):
		return q.failed(fmt.Sprintf("its stream begins with an error of status %d, in words that can't be handed on", f.Status))
	}
	return nil
}

// relay hands on a stream that has begun, and bills it. An error that the request is at fault for has cost nothing.
func (q *resale) relay(w http.ResponseWriter, st *relay.Stream, events *dialect.Events, atFault bool) {
	if q.sent.Release() { // a stream may last for long, and needs it no more
		q.body = nil
		q.room.leave()
	}
	end := st.Relay(w)
	used, output := events.Usage(), events.Output()
	if atFault {
		used, output = dialect.Usage{Known: dialect.ClassWholes}, dialect.Output{}
	}
	q.keep(events.ResponseID(), used)
	settlement := q.settle(end == relay.Whole, used, output)
	if settlement != nil && end != relay.ClientGone {
		_, _ = w.Write(settlement.Event())
		_ = http.NewResponseController(w).Flush()
	}
	if end == relay.Broken || end == relay.Shutdown {
		relay.Abort(w, q.r) // a clean end would pass for a whole answer
	}
}
