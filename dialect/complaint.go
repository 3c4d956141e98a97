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
	case more, len(kind) > 0 && !endsInError(kind):
		return false
	}
	return alone || words && (code || failed)
}

// endsInError tells whether a kind is that of an error, in letters of any size.
func endsInError(kind []byte) bool {
	return len(kind) >= len("error") && bytes.EqualFold(kind[len(kind)-len("error"):], []byte("error"))
}

// succeeds tells whether a code says that all is well, be it only that something is accepted (202), or says nothing.
func succeeds(code []byte) bool {
	code = bytes.Trim(code, `"`)
	if len(code) > 0 && code[0] >= '0' && code[0] <= '9' {
		n := digits(code)
		return n == 0 || n >= 200 && n < 300
	}
	return len(code) == 0 || string(code) == "null" || bytes.EqualFold(code, []byte("ok")) || bytes.EqualFold(code, []byte("success"))
}
