package dialect

import "bytes"

// Events reads the events of one answer stream, in order. It is for one goroutine.
type Events struct {
	endpoint *Endpoint
	api      *api // that the stream speaks: nearly always the endpoint's
	own      bool // it has spoken the endpoint's
	foreign  bool // it has spoken another one

	content  bool
	ended    bool
	reasoned bool // it has said why it ended, or that it is done
	failure  *Failure
	usage    usage
	searches int64 // web searches that were seen

	answers  uint64 // chat and completions: a bit for each choice that has been seen,
	finished uint64 // and for each that has said why it ended
	stated   bool   // chat: usage stood at its own place, not only at Groq's,
	final    bool   // and in a chunk that has nothing else
	takes    bool   // such a chunk is to be taken out
	drop     bool   // and the last event was one

	sequence  int64 // responses: the last sequence number; -1 before the first
	oversized *oversized
	listener  seeker
	heard     heard
	pattern   pattern

	responseID string          // responses, messages
	container  func(id string) // messages, responses; may be nil
	containers containers      // that it was called with
}

// Events begins to read an answer stream.
func (e *Endpoint) Events() *Events {
	v := &Events{endpoint: e, sequence: -1}
	v.speak(e.api)
	return v
}

func (v *Events) speak(a *api) {
	v.api = a
	v.listener.tells, v.listener.notes = a.tells, true
}

// likeLast takes an event that is as the last one was that was nothing but more content; false: it is not.
func (v *Events) likeLast(name, data []byte) bool {
	var said said
	sequence, ok := v.pattern.match(name, data, &said)
	if !ok {
		return false
	}
	v.pattern.unused = 0
	v.sequence = max(v.sequence, sequence)
	v.heard[inPieces].add(said)
	return true
}

// TakeOutUsage has the chunks taken out that say nothing but what a stream of chat or completions used: the gateway has asked
// for them, and the client had not.
func (v *Events) TakeOutUsage() { v.takes = true }

// Drop tells whether the last event is to be taken out.
func (v *Events) Drop() bool { return v.drop }

// Event takes the next event: the value of its event field (empty without one) and its data, neither of which is kept. An
// event that is not whole is only the head of one that is too long to be held: Tail brings the rest.
//
// A settlement is no event of these APIs and must not be shown here.
func (v *Events) Event(name, data []byte, whole bool) {
	if v.oversized != nil {
		v.heard.take(&v.oversized.seeker.heard)
	}
	v.oversized, v.drop = nil, false
	if v.ended {
		if whole && v.isChunks() {
			v.lateUsage(data)
		}
		return
	}
	if string(name) == "message" {
		name = nil // what an event without a name is called
	}
	if whole && v.pattern.ready && v.likeLast(name, data) {
		return
	}
	if whole {
		if data = bytes.TrimSpace(data); len(data) > 0 { // clients drop an event without data
			if !v.own && !(v.foreign && v.content) {
				v.recognise(name, data)
			}
			v.api.event(v, name, data)
		}
		return
	}
	v.setContent() // whatever it is, it can't be held back
	v.oversized = v.newOversized(name)
	v.Tail(data)
}

// listen counts what an event says.
func (v *Events) listen(data []byte) {
	v.listener.reset()
	v.listener.feed(data)
	v.heard.take(&v.listener.heard)
}

// Content tells whether the stream has come to where it is to be committed: content, reasoning, a tool call, a refusal or
// the API's last event. An error that the stream says is none of them, and neither is an end before which nothing was said.
//
// An event that is not known counts as content when it carries anything. The other way round a new kind of content would be
// held back from the client, and an answer that is being paid for might be thrown away. What is no event of the API (no JSON object, one that
// says no kind where events have kinds, one of another API beside its own) is none.
func (v *Events) Content() bool {
	return v.content || v.ended && v.reasoned && v.failure == nil
}

// Ended tells whether the API's last event has come. What follows it is not looked at, but for what chat and completions say there that they used.
func (v *Events) Ended() bool { return v.ended }

// Whole tells whether the stream may end here: its last event has come and there was an answer, or it has said without an
// error what says that it is done. In chat and completions each choice has said why it ended (several sellers send no [DONE]),
// in messages it is the reason why it stopped.
func (v *Events) Whole() bool {
	switch {
	case v.ended:
		return v.content || v.reasoned || v.failure != nil
	case v.failure != nil:
		return false
	}
	return v.done()
}

func (v *Events) done() bool {
	if v.finished != 0 {
		return v.answers&^v.finished == 0
	}
	return v.reasoned
}

// EndedWithoutReason tells whether the last event has come although nothing has said why: so end streams that a gateway before
// the model has invented the end of. The client has had what there is, and the seller has failed.
func (v *Events) EndedWithoutReason() bool { return v.ended && v.failure == nil && !v.done() }

// Failure gives the error that the stream said of itself; nil when it said none.
func (v *Events) Failure() *Failure { return v.failure }

// Failed tells whether the stream said an error of its own.
func (v *Events) Failed() bool { return v.failure != nil }

// Usage gives what the stream has said for good that it used. As long as chat and completions go on, what they say of the
// answer is not.
func (v *Events) Usage() Usage {
	u := v.usage
	if (v.stated || v.usage.known != 0) && v.isChunks() && !v.final && !v.Whole() {
		u.forgetOutputs()
	}
	u.search(v.searches)
	return u.counts(v.endpoint.promptOnly, v.Output())
}

// Output gives what has been seen of the answer's own words and media.
func (v *Events) Output() Output {
	h := v.heard
	if v.oversized != nil {
		h.take(&v.oversized.seeker.heard)
	}
	return h.output()
}

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

// failBare is fail for an event that does not say what it is and has an error in it, as chat says errors, or complains. It is false where it is
// none, and after content: a client that does not know it needs one that it does know.
func (v *Events) failBare(kind, data []byte) bool {
	if v.content || !complains(kind, data) && (len(kind) > 0 || empty(member(data, "error"))) {
		return false
	}
	v.fail(data)
	return true
}

// eventKind tells what an event is, where its data has a type: that is what most clients go by. Only an event that is
// named error is one, whatever its data.
func eventKind(name, value []byte) []byte {
	if string(name) == "error" || len(value) < 2 || value[0] != '"' {
		return name
	}
	return value[1 : len(value)-1]
}
