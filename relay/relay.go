// Package relay owns one attempt at a seller and the bytes back: the dial guard and the transports, the splice into the
// request's body, the header rules in both directions, and the answer's stream with the settlement taken out of it. What
// is to be done after a failure is decided elsewhere.
package relay

// Watcher reads the events of an answer stream for what they mean in the API that is spoken. It is called by one goroutine
// at a time, in the order of the stream, and never sees a settlement.
type Watcher interface {
	// Event is a block that is complete: the value of its last event field and its data lines joined by LF. Both are
	// valid during the call only. When whole is false the block was too long to be held: data is its beginning, Tail
	// brings the rest, and an event field that comes late in it is not seen.
	Event(name, data []byte, whole bool)
	// Tail is the data of the last Event that goes on, as it comes; valid during the call only.
	Tail(data []byte)

	// Content tells whether something has come for which the stream is to be committed.
	Content() bool
	// Ended tells whether the API's last event has come.
	Ended() bool
	// Whole tells whether the stream counts as whole if it ends here.
	Whole() bool
	// Failed tells whether the stream has said an error of its own.
	Failed() bool
	// Drop tells whether the last Event that was whole is to be taken out of the stream: its block, and nothing else.
	Drop() bool
	// Break gives the error event, with its blank line, that tells the client that the stream broke: because the process
	// goes, or at the seller.
	Break(shutdown bool) []byte
}

// Ending is how a step of a Stream ended.
type Ending uint8

const (
	// Committed: the answer is to be sent; Relay is next.
	Committed Ending = iota + 1
	// Whole: all of the answer has been sent.
	Whole
	// Broken: the seller's stream was cut, went silent, or ended too early. From Relay: the error event has been sent
	// (unless the stream had said an error of its own), and the client's connection must be aborted, never ended cleanly.
	Broken
	// SaidError: the stream said its own error; the Watcher knows which. From Begin: nothing has been sent, and the
	// stream is still open for Relay (its answer is to be shown) or Close. From Relay: it passed like any other event, and
	// the client's answer is to be ended cleanly.
	SaidError
	// ClientGone: the client left before the last event; the seller's call has been cancelled.
	ClientGone
	// Shutdown: the process is going. From Relay: as Broken.
	Shutdown
	// NotEvents: what came is no event stream, whatever its headers say. Only from Begin: nothing has been sent, and Rest has
	// all of the answer.
	NotEvents
)

func (e Ending) String() string {
	switch e {
	case Committed:
		return "committed"
	case Whole:
		return "whole"
	case Broken:
		return "broken"
	case SaidError:
		return "said error"
	case ClientGone:
		return "client gone"
	case Shutdown:
		return "shutdown"
	case NotEvents:
		return "not events"
	}
	return "unknown"
}
