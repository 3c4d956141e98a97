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
	return f.wrongSeller
}

// WrongSeller is the same for an error that a stream has said.
func (f *Failure) WrongSeller() bool {
	return f.wrongSeller && (f.Status == 0 || f.ClientFault() || f.Status == http.StatusNotFound)
}

// wrongSellerCodes are the codes by which APIs say so.
var wrongSellerCodes = map[string]bool{
	`"invalid_encrypted_content"`: true, `"previous_response_not_found"`: true, `"response_not_found"`: true,
	`"thinking_signature_invalid"`: true, `"invalid_thinking_signature"`: true,
}

// wrongSellerWords are how messages say so: each of the words of one of them occurs.
var wrongSellerWords = [...][]string{
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

// saysWrongSeller tells whether a message, as it stands, says so.
func saysWrongSeller(raw []byte) bool {
	text := bytes.ToLower(raw[:min(len(raw), 4<<10)])
	for _, words := range wrongSellerWords {
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
