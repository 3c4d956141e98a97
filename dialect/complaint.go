package dialect

import "bytes"

// complains tells whether an event, of which the kind is known as far as it says one, is an error as programs say it that have no word for one
// in the API: inference servers, the frameworks that they are made with, and clouds in their own APIs' shapes. An answer has none of this.
func complains(kind, data []byte) bool {
	if string(kind) == "exception" || bytes.HasSuffix(kind, []byte("Exception")) {
		return true
	}
	var object, code, words, failed, alone, more bool
	walk(data, func(key, value []byte) {
		switch string(key) {
		case "object":
			object = object || string(value) == `"error"` // vLLM, SGLang
		case "errors":
			alone = alone || !empty(value)
		case "base_resp": // MiniMax
			alone = alone || !succeeds(member(value, "status_code"))
		case "code", "error_code", "errorCode":
			code = code || !succeeds(value)
		case "message", "msg", "error_msg", "error_message", "errorMessage":
			words = words || value[0] == '"' && !empty(value)
		case "status":
			failed = failed || string(value) == `"error"` || string(value) == `"failed"`
		case "success":
			failed = failed || string(value) == "false"
		case "detail": // FastAPI
			alone = alone || !empty(value)
		case "choices", "content", "delta", "output", "text":
			more = more || !empty(value)
		}
	})
	switch {
	case object:
		return true
	case more, len(kind) > 0 && !bytes.HasSuffix(bytes.ToLower(kind), []byte("error")):
		return false
	}
	return alone || words && (code || failed)
}

// succeeds tells whether a code says that all is well, or says nothing.
func succeeds(code []byte) bool {
	switch string(bytes.ToLower(bytes.Trim(code, `"`))) {
	case "", "null", "0", "200", "ok", "success":
		return true
	}
	return false
}
