package dialect

import "bytes"

// ResponsesPath is the one on which clients also try a WebSocket.
const ResponsesPath = "/v1/responses"

var responsesEndpoints = []*Endpoint{
	{Path: ResponsesPath, Protocol: Responses, api: responses},
	{Path: "/v1/responses/compact", Protocol: Responses, api: responses},
}

var responses = &api{
	asks:   everyRequest | 1<<memberMaxOutputTokens | 1<<memberBackground | 1<<memberPromptCacheKey | 1<<memberPreviousResponseID,
	system: "instructions",
	turns:  "input",
	stream: stream{
		event: (*Events).response,
		kinds: ofResponses,
		marks: map[string]bool{
			"type": true, "sequence_number": true, "response.id": true, "response.usage": true, "response.service_tier": true, "response.model": true, "response.error": true, "error": true,
			"item.container_id": true, "item.environment.container_id": true, "response.output.container_id": true, "response.output.environment.container_id": true,
		},
		tells:  responseTellings,
		mark:   (*Events).responseMark,
		close:  (*Events).responseClose,
		broken: (*Events).responseBreak,
	},
}

// response looks at an event of the responses API.
func (v *Events) response(name, data []byte) {
	if bytes.HasPrefix(data, []byte("[DONE]")) {
		return // some sellers send it after the last event, where it means nothing
	}
	if v.content && isDelta(data) {
		sequence := sequenceOf(data)
		v.sequence = max(v.sequence, sequence)
		v.hear(name, data)
		v.learn(name, data, sequence, saysAudio(name, data))
		return // one of many: nothing but more content
	}
	kind := name
	var payload bool
	var response, item, part []byte
	walk(data, func(key, value []byte) {
		switch string(key) {
		case "type":
			kind = eventKind(name, value)
		case "sequence_number":
			v.sequence = max(v.sequence, digits(value))
		case "response":
			response = value
		case "item":
			item = value
		case "part":
			part = value
		case "item_id", "output_index", "content_index", "summary_index", "annotation_index", "response_id", "event_id",
			"obfuscation", "logprobs":
			// These say where a payload belongs and are none.
		default:
			payload = payload || !empty(value)
		}
	})
	v.named(response)
	v.containedIn(item)
	v.hear(kind, data)
	switch string(kind) {
	case "response.completed", "response.incomplete", "response.done":
		if v.container != nil {
			each(member(response, "output"), v.containedIn)
		}
		v.usage.replace(member(response, "usage"))
		v.usage.served.take("service_tier", member(response, "service_tier"))
		v.usage.served.model(member(response, "model"))
		v.ended, v.reasoned = true, !empty(response)
		if status := member(response, "status"); string(status) == `"failed"` || string(status) == `"cancelled"` {
			v.fail(data)
		}
	case "response.failed", "response.cancelled":
		v.usage.replace(member(response, "usage"))
		v.fail(data)
		v.ended = true
	case "error":
		v.fail(data)
	case "response.created", "response.queued", "response.in_progress", "keepalive", "ping":
	case "response.output_item.added":
		// A message opens before its first word. A tool call or a piece of reasoning that opens has begun.
		if payload || !opening(item) {
			v.setContent()
		}
	case "response.content_part.added":
		if payload || !opening(part) {
			v.setContent()
		}
	default:
		if v.failBare(kind, data) || v.stray(kind) {
			return
		}
		if payload || !empty(item) || !empty(part) || !empty(response) {
			v.setContent()
		}
	}
}

// opening tells whether an item or a part is a message, or text, with nothing in it yet.
func opening(b []byte) bool {
	message, bare := false, true
	walk(b, func(key, value []byte) {
		switch string(key) {
		case "type":
			switch string(value) {
			case `"message"`, `"output_text"`, `"refusal"`:
				message = true
			}
		case "content", "text", "refusal", "annotations":
			bare = bare && empty(value)
		}
	})
	return message && bare
}

// isDelta tells at a glance whether data is that of a delta event, as they are mostly written.
func isDelta(data []byte) bool { return bytes.HasSuffix(kindAtFirst(data), []byte(".delta")) }

// kindAtFirst is what an event is where its data begins with that, as it mostly does; nil where it does not.
func kindAtFirst(data []byte) []byte {
	rest, ok := bytes.CutPrefix(data, []byte(`{"type":"response.`))
	if !ok {
		return nil
	}
	return rest[:max(0, bytes.IndexByte(rest, '"'))]
}

// saysAudio tells whether a delta is a piece of audio.
func saysAudio(kind, data []byte) bool {
	audio := []byte("audio.delta")
	return bytes.HasSuffix(kindAtFirst(data), audio) || bytes.HasSuffix(kind, audio)
}

// sequenceOf finds the sequence number of an event that is not looked at otherwise; -1: it has none that can be read.
func sequenceOf(data []byte) int64 {
	const key = `"sequence_number":`
	i := bytes.Index(data, []byte(key))
	if i < 0 {
		return -1
	}
	i = space(data, i+len(key))
	return digits(data[i:skipDigits(data, i)])
}

func (v *Events) responseMark(path string, raw []byte) {
	switch path {
	case "sequence_number":
		v.sequence = max(v.sequence, digits(raw))
	case "response.service_tier":
		if isTerminal([]byte(v.oversized.kind)) { // those before it say what was asked for
			v.usage.served.take("service_tier", raw)
		}
	case "response.model":
		v.usage.served.model(raw)
	case "item.container_id", "item.environment.container_id", "response.output.container_id", "response.output.environment.container_id":
		v.contained(raw)
	case "response.id":
		if v.responseID == "" {
			v.responseID = identifier(raw)
		}
	}
}

func (v *Events) responseClose(o *oversized) {
	switch o.kind {
	case "response.completed", "response.incomplete", "response.done":
		v.usage.replace(o.used)
		v.ended, v.reasoned = true, true
		if o.failure != nil {
			v.failAs(o.failure)
		}
	case "response.failed", "response.cancelled":
		v.usage.replace(o.used)
		v.failAs(o.failure)
		v.ended = true
	case "error":
		v.failAs(o.failure)
	}
}

// hear counts what an event says, where it is one that says anything: a delta, an item that is done, the whole answer.
func (v *Events) hear(kind, data []byte) {
	switch {
	case bytes.HasSuffix(kind, []byte(".delta")), isDelta(data):
		v.listener.reset()
		v.listener.feed(data)
		if s := &v.listener.heard[inPieces]; saysAudio(kind, data) {
			s.audio, s.text = s.text, 0
		}
		v.heard.take(&v.listener.heard)
		return
	case string(kind) == "response.web_search_call.completed":
		v.searches++
	}
	if hears(kind) {
		v.listen(data)
	}
}

// hears tells whether an event of this kind says anything of the answer. One that opens an item is not counted: what stands in it
// comes again when it is done.
func hears(kind []byte) bool {
	return bytes.HasSuffix(kind, []byte(".delta")) || string(kind) == "response.output_item.done" || isTerminal(kind)
}

// isTerminal tells whether an event of this kind is the API's last one.
func isTerminal(kind []byte) bool {
	switch string(kind) {
	case "response.completed", "response.incomplete", "response.done", "response.failed", "response.cancelled":
		return true
	}
	return false
}
