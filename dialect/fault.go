package dialect

import "bytes"

// byteOrderMark is what some put before JSON, though it is not of it.
const byteOrderMark = "\xef\xbb\xbf"

// Why a whole answer at 2xx is none, in words for logs. They have nothing in them of what the seller sent.
const (
	faultEmpty    = "it is empty"
	faultPage     = "it is a web page"
	faultNoObject = "it is not one whole JSON object"
	faultError    = "it says an error"
	faultFailed   = "it says that it failed"
	faultNothing  = "it has nothing in it that this API answers with"
)

// Fault tells why the body of an answer at 2xx, that is not a stream, is no answer of this API; it is empty where it is one. What
// has the shape of an answer is one whatever its length: it may be empty because of its limit, a filter, a refusal or a plain
// stop. One in the shape of another API passes.
func (e *Endpoint) Fault(body []byte) string {
	trimmed := bytes.TrimSpace(bytes.TrimPrefix(body, []byte(byteOrderMark)))
	if len(trimmed) == 0 {
		return faultEmpty
	}
	if trimmed[0] == '<' {
		return faultPage
	}
	var a answered
	switch whole := walk(trimmed, a.member); {
	case !whole:
		return faultNoObject
	case a.failed:
		return faultFailed
	case a.errors:
		return faultError
	case e.free && a.counted, a.usable(e):
		return ""
	}
	return faultNothing
}

// answered is what an answer has of what answers are made of.
type answered struct {
	errors, failed  bool
	choices         bool // chat, completions
	output          bool // responses
	content, filled bool // messages, and whether there is anything in it
	stopped         bool
	data            bool // embeddings
	counted         bool // count_tokens
}

func (a *answered) member(key, value []byte) {
	switch string(key) {
	case "error":
		a.errors = a.errors || !empty(value)
	case "type":
		a.errors = a.errors || string(value) == `"error"`
	case "object":
		a.errors = a.errors || string(value) == `"error"` // as vLLM has said it
	case "status":
		a.failed = a.failed || string(value) == `"failed"` || string(value) == `"cancelled"`
	case "choices":
		each(value, func(choice []byte) { a.choices = a.choices || usableChoice(choice) })
	case "output":
		a.output = value[0] == '['
	case "content":
		a.content = value[0] == '[' || value[0] == '"'
		a.filled = !empty(value)
	case "stop_reason":
		a.stopped = !empty(value)
	case "data", "embeddings":
		a.data = a.data || hasElement(value)
	case "input_tokens":
		a.counted = digits(value) >= 0
	}
}

func (a *answered) usable(e *Endpoint) bool {
	return a.choices || a.output || a.content && (a.filled || a.stopped) || a.data && e.Protocol == Embeddings
}

// usableChoice tells whether a choice has something, or has said why it has nothing.
func usableChoice(b []byte) bool {
	var said, finished, failed bool
	walk(b, func(key, value []byte) {
		switch string(key) {
		case "message", "delta":
			var c chunk
			c.delta(value)
			said = said || c.content
		case "text":
			said = said || !empty(value)
		case "finish_reason":
			finished = !empty(value)
			failed = failed || string(value) == `"error"`
		case "error":
			failed = failed || !empty(value)
		}
	})
	return said || finished && !failed
}

// hasElement tells whether b is a list with something in its first element.
func hasElement(b []byte) (some bool) {
	elements(b, func(i int) int {
		end := skip(b, i, nil)
		some = end >= 0 && !empty(b[i:end])
		return -1
	})
	return some
}
