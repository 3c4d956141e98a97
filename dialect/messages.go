package dialect

import "bytes"

var messagesEndpoints = []*Endpoint{
	{Path: "/v1/messages", Protocol: Messages, Shape: Anthropic, api: messages},
	{Path: "/v1/messages/count_tokens", Protocol: Messages, Shape: Anthropic, api: messages, promptOnly: true, free: true},
}

var messages = &api{
	asks:   everyRequest | 1<<memberMaxTokens,
	system: "system",
	turns:  "messages",
	stream: stream{
		event:  (*Events).message,
		kinds:  ofMessages,
		marks:  map[string]bool{"type": true, "usage": true, "message.id": true, "message.usage": true, "message.model": true, "message.container.id": true, "delta.container.id": true, "delta.stop_reason": true, "error": true},
		tells:  messageTellings,
		mark:   (*Events).messageMark,
		close:  (*Events).messageClose,
		broken: (*Events).messageBreak,
	},
}

// message looks at an event of the messages API.
func (v *Events) message(name, data []byte) {
	if v.content && string(name) == "content_block_delta" {
		v.listen(data)
		v.learn(name, data, -1, false)
		return // one of many: nothing but more content
	}
	if bytes.HasPrefix(data, []byte("[DONE]")) {
		return // it is of another API, and means nothing here
	}
	kind := name
	var payload bool
	var message, block, delta, used []byte
	walk(data, func(key, value []byte) {
		switch string(key) {
		case "type":
			kind = eventKind(name, value)
		case "message":
			message = value
		case "content_block":
			block = value
		case "delta":
			delta = value
		case "usage":
			used = value
		case "index":
		default:
			payload = payload || !empty(value)
		}
	})
	switch string(kind) {
	case "message_start":
		v.named(message)
		v.usage.start(member(message, "usage"))
		v.usage.served.model(member(message, "model"))
		v.contained(member(member(message, "container"), "id"))
	case "message_delta":
		v.usage.merge(used)
		v.contained(member(member(delta, "container"), "id")) // it is known here where it was made on the way
		reason := member(delta, "stop_reason")
		v.reasoned = v.reasoned || !empty(reason)
		if string(reason) == `"refusal"` {
			v.setContent()
		}
	case "message_stop":
		v.ended = true
	case "error":
		v.fail(data)
	case "ping", "content_block_stop":
	case "content_block_start":
		v.listen(data)
		if filled(block, true) {
			v.setContent()
		}
	case "content_block_delta":
		v.listen(data)
		if filled(delta, false) {
			v.setContent()
		}
	default:
		if v.failBare(kind, data) || v.stray(kind) {
			return
		}
		if payload || !empty(message) || !empty(block) || !empty(delta) {
			v.setContent()
		}
	}
}

// filled tells whether a block, or a delta of one, has anything in it. Text and thinking open empty; a block of another
// kind, such as a tool's, has begun when it opens.
func filled(b []byte, opens bool) (yes bool) {
	opened := false // by its kind alone
	walk(b, func(key, value []byte) {
		if string(key) == "type" {
			opened = opens && string(value) != `"text"` && string(value) != `"thinking"`
			return
		}
		yes = yes || !empty(value)
	})
	return yes || opened
}

func (v *Events) messageMark(path string, raw []byte) {
	switch path {
	case "message.id":
		if v.responseID == "" {
			v.responseID = identifier(raw)
		}
	case "message.model":
		v.usage.served.model(raw)
	case "message.usage":
		v.usage.start(raw)
	case "message.container.id", "delta.container.id":
		v.contained(raw)
	case "usage":
		v.usage.merge(raw)
	case "delta.stop_reason":
		v.reasoned = v.reasoned || !empty(raw)
	}
}

func (v *Events) messageClose(o *oversized) {
	switch o.kind {
	case "message_stop":
		v.ended = true
	case "error":
		v.failAs(o.failure)
	}
}
