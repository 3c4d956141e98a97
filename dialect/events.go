package dialect

import (
	"bytes"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// Events reads the events of one answer stream, in order. It is for one goroutine.
type Events struct {
	endpoint *Endpoint

	content bool
	ended   bool
	failure *Failure
	usage   usage

	answers   uint64 // chat and completions: a bit for each choice that has been seen,
	finished  uint64 // and for each that has said why it ended
	stated    bool   // chat: usage stood at its own place, not only at Groq's
	sequence  int64  // responses: the last sequence number; -1 before the first
	oversized *oversized

	responseID string // responses
}

// oversized is an event that is too long to be held, while it comes.
type oversized struct {
	seeker  seeker
	kind    string   // what the event says it is
	failure *Failure // the error that it names
}

// Events begins to read an answer stream.
func (e *Endpoint) Events() *Events {
	return &Events{endpoint: e, usage: noUsage, sequence: -1}
}

// Event takes the next event: the value of its event field (empty without one) and its data, neither of which is kept. An
// event that is not whole is only the head of one that is too long to be held: Tail brings the rest.
//
// A settlement is no event of these APIs and must not be shown here.
func (v *Events) Event(name, data []byte, whole bool) {
	v.oversized = nil
	if v.ended {
		return
	}
	if whole {
		if data = bytes.TrimSpace(data); len(data) > 0 { // clients drop an event without data
			v.endpoint.api.event(v, name, data)
		}
		return
	}
	// Whatever it is, it can't be held back.
	v.setContent()
	o := &oversized{kind: string(name)}
	o.seeker.marks = v.endpoint.api.marks
	o.seeker.found = func(path string, raw []byte) {
		switch path {
		case "type":
			o.kind = string(eventKind([]byte(o.kind), raw))
		case "error", "response.error":
			if !empty(raw) {
				o.failure = new(Failure)
				o.failure.read(raw, 0)
			}
		default:
			v.endpoint.api.mark(v, path, raw)
		}
	}
	v.oversized = o
	v.Tail(data)
}

// Tail takes more of the data of an event that was not whole.
func (v *Events) Tail(b []byte) {
	o := v.oversized
	if o == nil {
		return
	}
	o.seeker.feed(b)
	if o.seeker.ended {
		v.oversized = nil
		v.endpoint.api.close(v, o)
	}
}

// Content tells whether the stream has come to where it is to be committed: content, reasoning, a tool call, a refusal or
// the API's last event. An error that the stream says is none of them.
//
// An event that is not known counts as content when it carries anything. The other way round a new kind of content would be
// held back from the client, and an answer that is being paid for might be thrown away.
func (v *Events) Content() bool { return v.content || v.ended && v.failure == nil }

// Ended tells whether the API's last event has come. What follows it is not looked at.
func (v *Events) Ended() bool { return v.ended }

// Whole tells whether the stream may end here: its last event has come, or, in chat and completions, each choice has said
// why it ended and no error has been said (several sellers send no [DONE]).
func (v *Events) Whole() bool {
	return v.ended || v.failure == nil && v.finished != 0 && v.answers&^v.finished == 0
}

// Failure gives the error that the stream said of itself; nil when it said none.
func (v *Events) Failure() *Failure { return v.failure }

// Failed tells whether the stream said an error of its own.
func (v *Events) Failed() bool { return v.failure != nil }

// Usage gives what the stream has said so far that it used.
func (v *Events) Usage() (money.Tokens, bool) { return v.usage.tokens(v.endpoint) }

// breakMessage is what a client is told when its stream broke.
const breakMessage = "The answer broke off before its end: the upstream seller stopped sending. Ask again."

// Break gives the error event, its blank line included, that tells the client in the API's own shape that the stream broke.
func (v *Events) Break() []byte { return v.endpoint.api.broken(v) }

func (v *Events) setContent() {
	if v.failure == nil {
		v.content = true
	}
}

// fail takes an event that says an error. The first one counts.
func (v *Events) fail(data []byte) {
	if v.failure == nil {
		v.failure = new(Failure)
		v.failure.read(data, 2)
	}
}

// failAs is fail for an event that was not held; nil when it named no error.
func (v *Events) failAs(f *Failure) {
	if v.failure == nil {
		if v.failure = f; f == nil {
			v.failure = new(Failure)
		}
	}
}

// eventKind tells what an event is, where its data has a type: that is what most clients go by. Only an event that is
// named error is one, whatever its data.
func eventKind(name, value []byte) []byte {
	if string(name) == "error" || len(value) < 2 || value[0] != '"' {
		return name
	}
	return value[1 : len(value)-1]
}

// empty tells whether a value carries nothing.
func empty(raw []byte) bool {
	switch string(raw) {
	case "", "null", `""`, "[]", "{}", "false":
		return true
	}
	return len(raw) > 1 && (raw[0] == '{' || raw[0] == '[') && space(raw, 1) == len(raw)-1
}

// says tells whether data has a member of a name, given with its quotes, whose value does not begin with a byte. It looks
// at bytes alone, so what it finds may stand anywhere; what it does not find is not there. In the text of an answer quotes
// are escaped, so it finds nothing there.
func says(data []byte, quoted string, but byte) bool {
	for {
		i := bytes.Index(data, []byte(quoted))
		if i < 0 {
			return false
		}
		data = data[i+len(quoted):]
		if i = space(data, 0); i < len(data) && data[i] == ':' {
			if i = space(data, i+1); i < len(data) && data[i] != but {
				return true
			}
		}
	}
}
