package dialect

import "bytes"

// recognise finds out which API a stream speaks: some sellers answer in another one than they were asked in, and the client may
// know what to do with it. It is settled by the first event that only one of them has; but where another one has begun and given nothing, and the
// endpoint's own comes after all, it is that: what the client has asked for is what it reads.
func (v *Events) recognise(name, data []byte) {
	spoken := v.spoken(name, data)
	switch {
	case spoken == nil:
		return
	case spoken == v.endpoint.api:
		v.own = true
	case v.foreign:
		return
	default:
		v.foreign = true
	}
	if spoken != v.api {
		v.answers, v.finished, v.reasoned = 0, 0, false // those were another one's
		v.speak(spoken)
	}
}

// spoken is the API that has such an event alone; nil: there is none.
func (v *Events) spoken(name, data []byte) *api {
	kind := name
	chunks := false
	walk(data, func(key, value []byte) {
		switch string(key) {
		case "type":
			kind = eventKind(name, value)
		case "choices":
			chunks = true
		case "object":
			chunks = chunks || string(value) == `"chat.completion.chunk"` || string(value) == `"text_completion"`
		}
	})
	switch {
	case ofResponses(kind):
		return responses
	case ofMessages(kind):
		return messages
	case chunks && v.endpoint.api.isChunks():
		return v.endpoint.api
	case chunks:
		return chat
	}
	return nil
}

func ofResponses(kind []byte) bool { return bytes.HasPrefix(kind, []byte("response.")) }

func ofMessages(kind []byte) bool {
	return bytes.HasPrefix(kind, []byte("message_")) || bytes.HasPrefix(kind, []byte("content_block_"))
}

// stray tells whether an event of a kind that the messages or the responses API does not know is none of it at all: it says no kind, or is of the
// other one.
func (v *Events) stray(kind []byte) bool {
	return len(kind) == 0 || (ofMessages(kind) || ofResponses(kind)) && !v.api.kinds(kind)
}

// isChunks tells whether the stream is one of chunks, as chat's.
func (v *Events) isChunks() bool { return v.api.isChunks() }

func (a *api) isChunks() bool { return a == chat || a == completions || a == embeddings }
