package dialect

import (
	"bytes"
	"strconv"
)

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
	event:  (*Events).response,
	marks:  map[string]bool{"type": true, "sequence_number": true, "response.id": true, "response.usage": true, "response.error": true, "error": true},
	mark:   (*Events).responseMark,
	close:  (*Events).responseClose,
	broken: (*Events).responseBreak,
}

// response looks at an event of the responses API.
func (v *Events) response(name, data []byte) {
	if bytes.HasPrefix(data, []byte("[DONE]")) {
		return // some sellers send it after the last event, where it means nothing
	}
	if v.content && isDelta(data) {
		v.sequenceIn(data)
		return // one of many: nothing but more content
	}
	kind := name
	var payload bool
	var response, item, part []byte
	ok := walk(data, func(key, value []byte) {
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
	if response != nil && v.responseID == "" {
		v.responseID = objectID(response)
	}
	if response != nil && bytes.Contains(response, []byte(`"usage"`)) {
		v.usage.replace(member(response, "usage"))
	}
	switch string(kind) {
	case "response.completed", "response.incomplete":
		v.ended = true
	case "response.failed":
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
		if payload || !ok || !empty(item) || !empty(part) || !empty(response) {
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
func isDelta(data []byte) bool {
	rest, ok := bytes.CutPrefix(data, []byte(`{"type":"response.`))
	if !ok {
		return false
	}
	i := bytes.IndexByte(rest, '"')
	return i >= 0 && bytes.HasSuffix(rest[:i], []byte(".delta"))
}

// sequenceIn finds the sequence number of an event that is not looked at otherwise.
func (v *Events) sequenceIn(data []byte) {
	const key = `"sequence_number":`
	if i := bytes.Index(data, []byte(key)); i >= 0 {
		i = space(data, i+len(key))
		v.sequence = max(v.sequence, digits(data[i:skipDigits(data, i)]))
	}
}

func (v *Events) responseMark(path string, raw []byte) {
	switch path {
	case "sequence_number":
		v.sequence = max(v.sequence, digits(raw))
	case "response.id":
		if v.responseID == "" {
			v.responseID = identifier(raw)
		}
	case "response.usage":
		v.usage.replace(raw)
	}
}

func (v *Events) responseClose(o *oversized) {
	switch o.kind {
	case "response.completed", "response.incomplete":
		v.ended = true
	case "response.failed":
		v.failAs(o.failure)
		v.ended = true
	case "error":
		v.failAs(o.failure)
	}
}

// responseBreak gives the API's error event. Its members stand at its top level, as the API describes it, and once more
// under error, as the API really sends it: the SDKs raise an error for that alone.
func (v *Events) responseBreak() []byte {
	message := strconv.Quote(breakMessage)
	return []byte("event: error\n" +
		`data: {"type":"error","code":"upstream_error","message":` + message + `,"param":null,"sequence_number":` +
		strconv.FormatInt(v.sequence+1, 10) +
		`,"error":{"type":"upstream_error","code":"upstream_error","message":` + message + `,"param":null}}` + "\n\n")
}
