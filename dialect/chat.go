package dialect

import "bytes"

var chatEndpoints = []*Endpoint{
	{Path: "/v1/chat/completions", Protocol: ChatCompletions, api: chat},
}

// everyRequest are the members that all APIs have.
const everyRequest = 1<<memberModel | 1<<memberStream | 1<<memberRequestID | 1<<memberModels | 1<<memberFallbacks

var chat = &api{
	asks:   everyRequest | 1<<memberMaxTokens | 1<<memberMaxCompletionTokens | 1<<memberN | 1<<memberBestOf | 1<<memberStreamOptions | 1<<memberPromptCacheKey,
	turns:  "messages",
	stream: chunks,
}

// chunks are what chat streams, and so do completions, with text where chat has a delta. Embeddings know no streams: what a seller streams of them
// all the same is read as in chat.
var chunks = stream{
	event:  (*Events).chunk,
	marks:  chunkMarks,
	tells:  chunkTellings,
	mark:   (*Events).chunkMark,
	close:  (*Events).chunkClose,
	broken: (*Events).chunkBreak,
}

// chunk looks at an event of the chat and completions APIs. There all that a client can read of an answer stands in choices, but there are sellers whose
// streams have none (Palmyra's say a value), and clients of theirs.
func (v *Events) chunk(name, data []byte) {
	switch {
	case bytes.HasPrefix(data, []byte("[DONE]")):
		v.ended = true
		return
	case string(name) == "error":
		v.fail(data)
		return
	case v.content && !says(data, `"finish_reason"`, 'n') && !says(data, `"usage"`, 'n') && !says(data, `"error"`, 'n') &&
		!says(data, `"index"`, '0'):
		v.listen(data)
		v.learn(name, data, -1, false)
		return // one of many: nothing but more content
	}
	var c chunk
	var groq []byte
	kind := name
	ok := walk(data, func(key, value []byte) {
		switch string(key) {
		case "choices":
			c.known = true
			each(value, func(value []byte) { c.some = true; c.choice(v, value) })
		case "usage":
			if !empty(value) {
				v.usage.replace(value)
				v.stated, c.used = true, value[0] == '{'
			}
		case "x_groq":
			groq = value
		case "error":
			c.failed = c.failed || !empty(value)
		case "type":
			kind = eventKind(name, value)
			c.other = c.other || string(value) != `"ping"`
		case "service_tier":
			v.usage.served.take("service_tier", value)
		case "model":
			v.usage.served.model(value)
		case "id", "object", "created", "provider", "system_fingerprint", "obfuscation", "prompt_filter_results":
			// These say something about the answer and are none.
		default:
			c.other = c.other || !empty(value)
		}
	})
	switch {
	case v.stated:
	case groq != nil:
		v.usage.replace(member(groq, "usage"))
	case c.usage != nil:
		v.usage.replace(c.usage)
	}
	v.final = v.final || c.used && !c.some || groq != nil && !c.some
	switch {
	case c.failed:
		v.fail(data)
	case !c.some && !v.content && complains(kind, data):
		v.fail(data)
	case c.content, ok && !c.known && c.other && !ofMessages(kind) && !ofResponses(kind):
		v.setContent()
	}
	if c.some && !c.failed {
		v.listen(data)
	}
	v.reasoned = v.reasoned || v.finished != 0
	v.drop = v.takes && ok && c.known && !c.some && c.used && !c.failed
}

// lateUsage takes the chunk that says nothing but what was used from behind the last event, where some sellers have it: it is what the answer
// cost, and no less one that the client had not asked for.
func (v *Events) lateUsage(data []byte) {
	var used []byte
	known, some := false, false
	ok := walk(data, func(key, value []byte) {
		switch string(key) {
		case "choices":
			known, some = true, !empty(value)
		case "usage":
			used = value
		}
	})
	if !ok || !known || some || empty(used) || used[0] != '{' {
		return
	}
	v.usage.replace(used)
	v.stated, v.final, v.drop = true, true, v.takes
}

// chunk is what has been seen of one event.
type chunk struct {
	known   bool // it has choices, be there none in them: then only they can be content
	some    bool // there are some
	used    bool // it has a usage object
	content bool
	other   bool // it has other members than those that say something about an answer
	failed  bool
	usage   []byte // Moonshot's stands in the last choice
}

func (c *chunk) choice(v *Events, b []byte) {
	var index int64
	var finished bool
	walk(b, func(key, value []byte) {
		switch string(key) {
		case "index":
			index = min(max(digits(value), 0), 63)
		case "finish_reason":
			finished = !empty(value)
			c.failed = c.failed || string(value) == `"error"`
		case "error":
			c.failed = c.failed || !empty(value)
		case "usage":
			c.usage = value
		case "text":
			c.content = c.content || !empty(value)
		case "delta", "message":
			c.delta(value)
		}
	})
	v.answers |= 1 << index
	if finished {
		v.finished |= 1 << index
	}
}

// delta takes whatever a delta has for content, but for what only says who speaks: text, refusals, reasoning under its
// several names, tool calls, audio.
func (c *chunk) delta(b []byte) {
	walk(b, func(key, value []byte) {
		switch string(key) {
		case "role", "name", "channel":
		default:
			c.content = c.content || !empty(value)
		}
	})
}

var chunkMarks = map[string]bool{
	"usage": true, "x_groq.usage": true, "choices.usage": true, "error": true, "choices.index": true, "choices.finish_reason": true,
	"service_tier": true, "model": true,
}

func (v *Events) chunkMark(path string, raw []byte) {
	switch {
	case empty(raw):
	case path == "service_tier":
		v.usage.served.take(path, raw)
	case path == "model":
		v.usage.served.model(raw)
	case path == "usage":
		v.usage.replace(raw)
		v.stated = true
		v.oversized.used = raw
	case (path == "x_groq.usage" || path == "choices.usage") && !v.stated:
		v.usage.replace(raw)
	case path == "choices.index":
		v.oversized.chose = true
		v.answers |= 1 << min(max(digits(raw), 0), 63)
	case path == "choices.finish_reason":
		v.finished |= v.answers | 1 // in so long an event, all that it speaks of
		v.reasoned = true
	}
}

func (v *Events) chunkClose(o *oversized) {
	v.final = v.final || o.used != nil && !o.chose && o.seeker.heard == heard{}
	if o.failure != nil || o.kind == "error" {
		v.failAs(o.failure)
	}
}
