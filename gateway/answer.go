package gateway

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/dialect"
	"github.com/tokenbuddy/caddy-tokenbuddy/relay"
	"github.com/tokenbuddy/caddy-tokenbuddy/routing"
	"github.com/tokenbuddy/caddy-tokenbuddy/wire"
)

// answer is what a seller has answered, as far as it was read before its outcome was known.
type answer struct {
	response *http.Response
	settled  *wire.Settlement   // from the headers
	unread   bool               // there are headers of a settlement, and they can't be read
	told     *relay.Settlements // by its events; nil: it has none
	stream   *relay.Stream      // nil: it is no stream
	events   *dialect.Events    // of the stream
	room     *room              // that bytes are in; nil: in none, or no answer came
	bytes    []byte             // of an answer that is no stream: its body, or the first of it
	more     bool               // there is more of it to come
	none     bool               // it is at 2xx, but answers nothing
	ended    bool               // all of it has come
	words    *dialect.Answer    // of a good answer that is no stream: what it says of itself, read as it passes
	taken    int64              // of the memory
	meter    metered            // of what is read
}

// read takes in as much of the answer as is needed to know its outcome: an error and a plain answer whole, a stream up to
// its first content. What a good answer is, its first bytes say too.
func (a *attempt) read() routing.Outcome {
	n := a.answer
	status := n.response.StatusCode
	withholdHeaders(n.response.Header, a.secrets())
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
	case relay.SaysEvents(n.response.Header):
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
	n, status := a.answer, a.answer.response.StatusCode
	n.makeRoom()
	n.meter = metered{r: n.response.Body, share: a.rq.memory, taken: &n.taken}
	var err error
	n.bytes, n.more, err = n.meter.whole(status, append(n.room.all[:0], n.bytes...))
	if status <= 299 {
		n.words = a.rq.endpoint.Answer()
		_, _ = n.words.Write(n.bytes)
	}
	if err != nil {
		return a.brokenError(err)
	}
	if n.ended = !n.more; n.ended {
		_ = n.response.Body.Close()
	}
	if status > 299 {
		return a.judgeError()
	}
	if n.ended {
		if what := a.rq.endpoint.Fault(n.bytes); what != "" {
			n.none, a.err = true, errNoAnswer(what)
			if a.asksUsage && dialect.SaysNoStreamOptions(n.bytes) {
				return usageRefused
			}
			return routing.NoAnswer(status)
		}
	}
	return routing.Outcome{Status: status}
}

// judgeError gives the outcome of an error that was read, and takes out of it what is not for the client.
func (a *attempt) judgeError() routing.Outcome {
	n := a.answer
	if n.ended {
		a.takeSettlements()
	}
	outcome := routing.Judge(n.response.StatusCode, n.bytes)
	if a.asksUsage && outcome.Kind == routing.Hard4xx {
		outcome.RefusesUsage = dialect.NamesStreamOptions(outcome.Status, n.bytes)
	}
	outcome.RetryAfter, _ = routing.ParseRetryAfter(n.response.Header, time.Now())
	a.withhold()
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
	if a.rq.ask.HostedTools { // else no code runs at the seller
		n.events.OnContainer(a.rememberContainer)
	}
	n.stream = relay.NewStream(n.response.Body, a.call.end, relay.StreamOptions{
		Watcher: n.events, Idle: a.rq.gw.settings.Failover.Idle, Shutdown: a.rq.gw.shutdown, Client: a.rq.r.Context(), Woken: a.call.wake,
		Heartbeat: a.rq.gw.settings.Heartbeat, BreakPause: relay.BreakPause,
		Hold: a.rq.patience() / 2, Unasked: !a.rq.ask.Stream, Memory: a.rq.memory,
	})
	n.told = &n.stream.Settlements
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
		n.response.Body, n.stream, n.told = n.stream.Rest(), nil, nil
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

// done tells whether it has said that it is done, or has come to its end: nothing more is made of it.
func (n *answer) done() bool {
	if n.stream != nil {
		return n.events.Whole() && !n.events.Failed()
	}
	return n.ended
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
