package gateway

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/tokenbuddy/caddy-tokenbuddy/dialect"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/relay"
	"github.com/tokenbuddy/caddy-tokenbuddy/routing"
	"github.com/tokenbuddy/caddy-tokenbuddy/wire"
)

// answer is what a seller has answered, as far as it was read before its outcome was known.
type answer struct {
	response *http.Response
	settled  *wire.Settlement // from the headers
	unread   bool             // there are headers of a settlement, and they can't be read
	stream   *relay.Stream    // nil: it is no stream
	events   *dialect.Events  // of the stream
	room     *room            // that bytes are in; nil: in none, or no answer came
	bytes    []byte           // of an answer that is no stream: its body, or the first of it
	more     bool             // there is more of it to come
	none     bool             // it is at 2xx, but answers nothing
	ended    bool             // all of it has come
	words    *dialect.Answer  // of a good answer that is no stream: what it says of itself, read as it passes
	taken    int64            // of the memory
	meter    metered          // of what is read
}

// shortError is how much of an error is read where there is no memory for it, in bytes: what is to be done goes by what it says.
const shortError = 64 << 10

// maxWholeAnswer is how much of an answer is read before any of it is sent, so that a cut one can fail over.
const maxWholeAnswer = 8 << 20

// read takes in as much of the answer as is needed to know its outcome: an error and a plain answer whole, a stream up to
// its first content. What a good answer is, its first bytes say too.
func (a *attempt) read() routing.Outcome {
	n := a.answer
	status := n.response.StatusCode
	switch {
	case relay.Compressed(n.response.Header):
		a.call.end()
		return routing.Outcome{Kind: routing.Deadline, Status: status} // a settlement could hide in it
	case status < 200: // it switches protocols, which nobody has asked for: what follows has no end
		a.call.end()
		return routing.Judge(status, nil)
	case status > 299:
		a.hasten()
		return a.readWhole()
	case isEventStream(n.response.Header):
		return a.begin()
	}
	a.awaitWhole()
	n.makeRoom()
	head, events, err := relay.Peek(n.response.Body, n.room.all[:smallestRoom:smallestRoom])
	if a.rq.memory.take(int64(len(head))) == nil { // else there is none for the rest either, and readWhole finds out
		n.taken += int64(len(head))
	}
	if err != nil {
		return a.broken(err)
	}
	if events {
		n.response.Body = relay.Unread(head, n.response.Body)
		return a.begin()
	}
	n.bytes = head
	return a.readWhole()
}

// awaitWhole gives an answer that is no stream its time where one was asked for: its headers have come in time for that. The deadline
// of any other goes on.
func (a *attempt) awaitWhole() {
	if a.rq.ask.Stream {
		a.call.deadline.Reset(a.deadlines().Unstreamed)
	}
}

// hasten gives the body of an error little time: nobody pays for it, and the next seller may do. Of a stream that was asked for the headers
// have come in time, and how late they came takes nothing off.
func (a *attempt) hasten() {
	d := a.deadlines().Stream
	if !a.rq.ask.Stream {
		d = min(d, time.Until(a.call.until))
	}
	a.call.deadline.Reset(d)
}

// makeRoom makes room for an answer that is no stream, with one byte for the end.
func (n *answer) makeRoom() {
	if n.room == nil {
		n.room = newRoom(roomSize(int(min(max(n.response.ContentLength, 0), largeRoom-1)) + 1))
	}
}

// readWhole reads an answer that is no stream.
func (a *attempt) readWhole() routing.Outcome {
	n := a.answer
	n.makeRoom()
	n.meter = metered{r: n.response.Body, share: a.rq.memory, taken: &n.taken}
	if n.response.StatusCode > 299 {
		n.meter.spare = shortError
	}
	var err error
	n.bytes, n.more, err = relay.ReadWhole(&n.meter, maxWholeAnswer, append(n.room.all[:0], n.bytes...))
	if errors.Is(err, errNoMemory) || errors.Is(err, errMemberMemory) {
		n.more, err = true, nil // it has been paid for, so it flows on as it comes
	}
	if n.response.StatusCode <= 299 {
		n.words = a.rq.endpoint.Answer()
		_, _ = n.words.Write(n.bytes)
	}
	if err != nil {
		return a.brokenError(err)
	}
	if n.ended = !n.more; n.ended {
		_ = n.response.Body.Close()
	}
	if n.response.StatusCode > 299 && n.ended {
		a.takeSettlements()
	}
	outcome := routing.Judge(n.response.StatusCode, n.bytes)
	if a.asksUsage && outcome.Kind == routing.Hard4xx {
		outcome.RefusesUsage = dialect.NamesStreamOptions(outcome.Status, n.bytes)
	}
	switch {
	case !outcome.Good():
		a.withhold()
		outcome.RetryAfter, _ = routing.ParseRetryAfter(n.response.Header, time.Now())
	case !n.more:
		if what := a.rq.endpoint.Fault(n.bytes); what != "" {
			n.none, a.err = true, errNoAnswer(what)
			if a.asksUsage && dialect.SaysNoStreamOptions(n.bytes) {
				return usageRefused
			}
			return routing.NoAnswer(n.response.StatusCode)
		}
	}
	return outcome
}

// brokenError is broken for an answer that did not come to its end: where it is an error that asks for a rest, its headers have said so.
func (a *attempt) brokenError(err error) routing.Outcome {
	outcome, n := a.broken(err), a.answer
	said := routing.Judge(n.response.StatusCode, nil)
	said.RetryAfter, _ = routing.ParseRetryAfter(n.response.Header, time.Now())
	if outcome.Kind != routing.Deadline || said.Kind != routing.Soft5xx || said.RetryAfter == 0 {
		return outcome
	}
	a.timedOut = false
	return said
}

// usageRefused is a seller that has nothing against the request but the stream_options that this side has added.
var usageRefused = routing.Outcome{Kind: routing.Hard4xx, Status: http.StatusBadRequest, RefusesUsage: true}

// withhold puts our own words in the place of an error's that has our token or key in it, or that was not read to its end, so that nobody
// knows: they are not for clients.
func (a *attempt) withhold() {
	if n := a.answer; n.more || dialect.Holds(n.bytes, a.secrets()...) {
		a.replace()
	}
}

// replace puts our own words in the place of an error's.
func (a *attempt) replace() {
	n := a.answer
	own := dialect.InvalidRequest("", "")
	switch status := n.response.StatusCode; {
	case status == http.StatusTooManyRequests:
		own = dialect.RateLimited(0)
	case status >= 500:
		own = dialect.Upstream(retryLater)
	}
	own = own.Because("The seller's own words are not handed on: a key or a token of the gateway's is in them, or may be, as they are too long to be read.")
	n.bytes, n.more = own.JSON(a.rq.shape, a.rq.id), false
	n.response.Header.Set("Content-Type", "application/json")
	n.response.Header.Set("Content-Length", strconv.Itoa(len(n.bytes))) // the seller's is of what it said
}

// withholdEvent is withhold for an error that a stream has said before anything was sent: what the client gets is no stream then.
func (a *attempt) withholdEvent() {
	n := a.answer
	if !dialect.Holds(n.stream.Held(), a.secrets()...) {
		return
	}
	n.settled = n.settlement()
	n.stream.Discard()
	n.stream, n.ended, n.response.StatusCode = nil, true, http.StatusBadRequest
	a.replace()
}

// takeSettlements takes the settlements out of an error that is an event stream, and takes in what they say as that of any stream.
func (a *attempt) takeSettlements() {
	n := a.answer
	left, last, unread := relay.TakeSettlements(n.bytes, isEventStream(n.response.Header))
	if len(left) == len(n.bytes) {
		return
	}
	n.bytes = left
	n.response.Header.Set("Content-Length", strconv.Itoa(len(left)))
	if a.candidate.Seller.Account {
		return
	}
	n.unread = n.unread || unread
	if n.settled == nil {
		n.settled = last
	}
}

// errNoAnswer is a 2xx that answers nothing, and says why it does not.
type errNoAnswer string

func (e errNoAnswer) Error() string { return "it answered 2xx, but that is no answer: " + string(e) }

// begin reads a stream until there is content to show.
func (a *attempt) begin() routing.Outcome {
	n, status := a.answer, a.answer.response.StatusCode
	if a.rq.ask.Stream {
		a.call.deadline.Stop()
	}
	n.events = a.rq.endpoint.Events()
	if a.asksUsage {
		n.events.TakeOutUsage()
	}
	n.stream = relay.NewStream(n.response.Body, a.call.end, relay.StreamOptions{
		Watcher: n.events, Idle: a.rq.gw.settings.Failover.Idle, Shutdown: a.rq.gw.shutdown, Client: a.rq.r.Context(), Woken: a.call.wake,
		Heartbeat: a.rq.gw.settings.Heartbeat, BreakPause: relay.BreakPause,
		Unasked: !a.rq.ask.Stream, Memory: a.rq.memory,
	})
	begun := n.stream.Begin()
	if begun != relay.NotEvents { // what was asked for whole had to begin in the request's time: it may be no stream
		a.call.deadline.Stop()
	}
	switch begun {
	case relay.Committed:
		return routing.Outcome{Status: status}
	case relay.ClientGone:
		return routing.Outcome{Kind: routing.ClientGone}
	case relay.NotEvents:
		a.awaitWhole()
		n.response.Body, n.stream = n.stream.Rest(), nil
		return a.readWhole()
	case relay.SaidError:
		if a.asksUsage && n.events.Failure().NamesStreamOptions() {
			n.none = true
			return usageRefused
		}
		refused := routing.Hard4xx
		switch f := n.events.Failure(); {
		case f.WrongSeller():
			refused = routing.WrongSeller
		case !f.ClientFault():
			return routing.Outcome{Kind: routing.Deadline, Status: status}
		}
		n.none = true // as with the status 400
		a.withholdEvent()
		return routing.Outcome{Kind: refused, Status: http.StatusBadRequest}
	case relay.Broken:
		var why error
		if n.stream.Silent() {
			why = relay.ErrSilent
		}
		outcome := a.broken(why) // the call may have been ended before the stream looked
		outcome.Status = status
		return outcome
	case relay.Shutdown:
		a.ours = true
	}
	return routing.Outcome{Kind: routing.Deadline, Status: status}
}

func (n *answer) close() {
	if n.stream != nil {
		n.stream.Discard() // other sellers may be asked yet
	} else {
		_ = n.response.Body.Close()
	}
}

// good tells whether it is one that the seller may charge for.
func (n *answer) good() bool {
	return n.response.StatusCode >= 200 && n.response.StatusCode <= 299 && !n.none && !relay.Compressed(n.response.Header)
}

// presentable tells whether the answer of an attempt that failed may be shown to the client: one that tells it about the
// model, the rate or the seller. What a seller says of our account (401, 402, 403) the client would take for its own. Of the
// 5xx only JSON is shown, as APIs say it: what else there is comes from the machines before them.
func (a *attempt) presentable() bool {
	if a.answer == nil || a.answer.stream != nil || !a.answer.ended || a.outcome.Kind == routing.InsufficientFunds ||
		a.outcome.Kind == routing.WrongSeller {
		return false
	}
	status := a.outcome.Status
	switch status {
	case http.StatusNotFound, http.StatusConflict, http.StatusRequestEntityTooLarge, http.StatusTooManyRequests:
		return true
	}
	return status >= 500 && status <= 599 && json.Valid(wire.TrimMark(a.answer.bytes))
}

// said gives the id of a response, and what it says that it used, as far as they have come.
func (n *answer) said() (id string, u dialect.Usage) {
	switch {
	case n.stream != nil:
		return n.events.ResponseID(), n.events.Usage()
	case n.words != nil:
		return n.words.ResponseID(), n.words.Usage()
	}
	return "", u
}

// secrets are ours, which the seller was sent.
func (a *attempt) secrets() []string {
	if own, ok := a.rq.gw.account(a.candidate.Seller); ok {
		return append(own.Secrets(), strings.TrimPrefix(a.lease.Bearer(), "Bearer "))
	}
	return []string{a.lease.Bearer()}
}

// output is what of the answer's own words and media has come.
func (n *answer) output() (o dialect.Output) {
	switch {
	case n.stream != nil:
		return n.events.Output()
	case n.words != nil:
		return n.words.Output()
	}
	return o
}

// readSettlement takes in a settlement that came with the headers of an answer.
func (a *attempt) readSettlement() {
	if a.candidate.Seller.Account {
		return // it is a stranger to the protocol, and not believed
	}
	s, ok, err := wire.SettlementFromHeader(a.answer.response.Header)
	if err != nil {
		a.rq.log.Warn("settlement.refused", zap.String("requestId", a.rq.id), zap.String("seller", a.candidate.Seller.ID), zap.Error(err))
		a.answer.unread = true
	}
	if ok {
		a.answer.settled = &s
	}
}

// settlement is what the seller says the request cost, nil when it has not said so. Headers win over the event.
func (n *answer) settlement() *wire.Settlement {
	if n.settled == nil && n.stream != nil {
		return n.stream.Settlement()
	}
	return n.settled
}

// otherSettlements are what else the seller has said that the request cost, in the order in which they count where that is
// no settlement after all.
func (n *answer) otherSettlements() []*wire.Settlement {
	if n.stream == nil {
		return nil
	}
	if last := n.stream.Settlement(); n.settled != nil && last != nil {
		return append([]*wire.Settlement{last}, n.stream.Earlier()...)
	}
	return n.stream.Earlier()
}

// balance is what the seller says is left on the token, nil when it says nothing.
func (n *answer) balance() *money.Micros {
	if s := n.settlement(); s != nil {
		return s.BalanceMicros
	}
	return wire.BalanceFromHeader(n.response.Header)
}

func isEventStream(h http.Header) bool {
	kind, _, _ := strings.Cut(h.Get("Content-Type"), ";")
	return strings.EqualFold(strings.TrimSpace(kind), "text/event-stream")
}
