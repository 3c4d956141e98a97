package dialect

import (
	"bytes"
	"net/http"
)

// WrongSeller tells whether a seller refuses a request because of what only its maker can read or knows: encrypted reasoning, the
// signature of thinking, the id of a response or an item.
func WrongSeller(status int, body []byte) bool {
	switch status {
	case http.StatusBadRequest, http.StatusNotFound, http.StatusUnprocessableEntity:
	default:
		return false
	}
	var f Failure
	f.read(body, 2)
	return f.foreign
}

// WrongSeller is the same for an error that a stream has said.
func (f *Failure) WrongSeller() bool {
	return f.foreign && (f.Status == 0 || f.ClientFault() || f.Status == http.StatusNotFound)
}

// foreignCodes are the codes by which APIs say so.
var foreignCodes = map[string]bool{
	`"invalid_encrypted_content"`: true, `"previous_response_not_found"`: true, `"response_not_found"`: true,
	`"thinking_signature_invalid"`: true, `"invalid_thinking_signature"`: true,
}

// foreignWords are how messages say so: each of the words of one of them occurs.
var foreignWords = [...][]string{
	{"encrypted", "could not be verified"},
	{"encrypted", "decrypt"},
	{"encrypted", "was not issued"},
	{"encrypted", "invalid"},
	{"invalid", "signature", "thinking"},
	{"invalid", "signature", "thought"},
	{"thought signature", "not valid"},
	{"corrupted thought signature"},
	{"invalid", "data", "redacted_thinking"},
	{"previous response", "not found"},
	{"previous_response_id", "not found"},
	{"previous_response_id", "does not exist"},
	{"previous_response_id", "invalid"},
	{"item with id", "not found"},
	{"response with id", "not found"},
}

// saysForeign tells whether a message, as it stands, says so.
func saysForeign(raw []byte) bool {
	text := bytes.ToLower(raw[:min(len(raw), 4<<10)])
	for _, words := range foreignWords {
		all := true
		for _, word := range words {
			all = all && bytes.Contains(text, []byte(word))
		}
		if all {
			return true
		}
	}
	return false
}

// NamesStreamOptions tells whether a seller refuses a request because of its stream_options: it may be asked again without.
func NamesStreamOptions(status int, body []byte) bool {
	if status != http.StatusBadRequest && status != http.StatusUnprocessableEntity {
		return false
	}
	return namesStreamOptions(body)
}

// NamesStreamOptions is that of the error that a stream said of itself, or an answer whose status said nothing of one.
func (f *Failure) NamesStreamOptions() bool {
	switch f.Status {
	case 0, http.StatusBadRequest, http.StatusUnprocessableEntity:
		return f.options
	}
	return false
}

// SaysNoStreamOptions is Failure.NamesStreamOptions for a body that is no answer, though its status is 2xx.
func SaysNoStreamOptions(body []byte) bool {
	var f Failure
	f.read(bytes.TrimPrefix(body, []byte(byteOrderMark)), 1)
	return f.NamesStreamOptions()
}

func namesStreamOptions(words []byte) bool {
	return bytes.Contains(words, []byte("stream_options")) || bytes.Contains(words, []byte("include_usage")) ||
		bytes.Contains(words, []byte("streamOptions"))
}

// shortestSecret is how long what Holds looks for must be: shorter words occur by chance.
const shortestSecret = 8

// Holds tells whether a body has one of some secrets in it (a key, a token), plainly or with escapes. Such a body is not handed on.
func Holds(body []byte, secrets ...string) bool {
	var plain []byte
	for _, secret := range secrets {
		if len(secret) < shortestSecret {
			continue
		}
		if bytes.Contains(body, []byte(secret)) {
			return true
		}
		if plain == nil {
			plain = withoutEscapes(body)
		}
		if bytes.Contains(plain, []byte(secret)) {
			return true
		}
	}
	return false
}

// withoutEscapes decodes the escapes of JSON wherever they stand.
func withoutEscapes(body []byte) []byte {
	out := make([]byte, 0, len(body))
	for len(body) > 0 {
		i := bytes.IndexByte(body, '\\')
		if i < 0 {
			return append(out, body...)
		}
		out = append(out, body[:i]...)
		char, n := unescape(body[i:])
		out = append(out, string(char)...)
		body = body[i+n:]
	}
	return out
}
