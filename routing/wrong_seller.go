package routing

import (
	"net/http"
	"strings"

	"github.com/tidwall/gjson"
)

// longestComplaint is how much of a message is looked at: some repeat what they complain about.
const longestComplaint = 4 << 10

// SaysWrongSeller tells whether an error says that encrypted reasoning, a thinking signature, or the id of a response or of
// an item of one, is not this seller's. Only the error's own code and message are looked at, and a message has to say both
// what it is about and what is wrong with it: others mention a signature or a response too.
func SaysWrongSeller(status int, body []byte) bool {
	switch status {
	case http.StatusBadRequest, http.StatusNotFound, http.StatusUnprocessableEntity:
	default:
		return false
	}
	if len(body) > 64<<10 {
		return false
	}
	text := string(body)
	for _, at := range []string{"error", "response.error", "detail", "@this"} {
		fault := gjson.Get(text, at)
		if complains(fault.Get("code").Str, fault.Get("message").Str) {
			return true
		}
	}
	return false
}

func complains(code, message string) bool {
	switch code {
	case "invalid_encrypted_content", "previous_response_not_found", "invalid_thinking_signature":
		return true
	}
	m := strings.ToLower(message[:min(len(message), longestComplaint)])
	has := func(words ...string) bool {
		for _, w := range words {
			if strings.Contains(m, w) {
				return true
			}
		}
		return false
	}
	wrong := has("invalid", "not valid", "could not be", "cannot be", "can't be", "failed to", "corrupted", "not match")
	gone := has("not found", "does not exist", "doesn't exist", "no such")
	switch {
	case has("encrypted content", "encrypted_content", "encrypted reasoning"):
		return wrong
	case has("signature"):
		return wrong && has("thinking", "thought", "reasoning")
	case has("previous response", "previous_response_id", "response with id"), strings.HasPrefix(m, "item with id"):
		return gone
	}
	return false
}
