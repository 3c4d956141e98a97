package dialect

import "bytes"

// recognise finds out which API a stream speaks: some sellers answer in another one than they were asked in, and the client may
// know what to do with it. It is settled by the first event that only one of them has.
func (v *Events) recognise(name, data []byte) {
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
	var spoken *api
	switch {
	case bytes.HasPrefix(kind, []byte("response.")):
		spoken = responses
	case bytes.HasPrefix(kind, []byte("message_")), bytes.HasPrefix(kind, []byte("content_block_")):
		spoken = messages
	case chunks && v.isChunks():
		spoken = v.api
	case chunks:
		spoken = chat
	default:
		return
	}
	v.known = true
	if spoken != v.api {
		v.speak(spoken)
	}
}

// isChunks tells whether the stream is one of chunks, as chat's.
func (v *Events) isChunks() bool { return v.api == chat || v.api == completions || v.api == embeddings }
