package relay

import (
	"net/http"
	"slices"
	"strings"

	"github.com/tokenbuddy/caddy-tokenbuddy/wire"
)

// clientHeaders are the headers of a client that a seller gets to see. All else stays here: keys, cookies, addresses.
var clientHeaders = []string{"Accept", "Anthropic-Version", "Anthropic-Beta", "Openai-Beta", "User-Agent"}

// sellerHeaders are the headers of a seller that a client gets to see, beside Content-Length and those that begin with one
// of sellerPrefixes.
var (
	sellerHeaders = map[string]bool{
		"Content-Type": true, "Cache-Control": true, "Retry-After": true, "Retry-After-Ms": true, "X-Should-Retry": true,
		"Request-Id": true, "Cf-Ray": true,
	}
	sellerPrefixes = []string{"Openai-", "Anthropic-", "X-Ratelimit-"}
)

// RequestHeader gives the headers of a request to a seller, but for the authorization and the deadline. requestID and
// idempotencyKey are left out where they are empty.
func RequestHeader(client http.Header, requestID, idempotencyKey string) http.Header {
	h := http.Header{
		"Content-Type":    {"application/json"},
		"Accept-Encoding": {"identity"}, // a settlement could hide in a compressed answer
		"User-Agent":      nil,          // where the client has none: keeps net/http from naming itself
	}
	for _, name := range clientHeaders {
		if values := client[name]; len(values) > 0 {
			h[name] = slices.Clone(values)
		}
	}
	if requestID != "" {
		h.Set(wire.HeaderRequestID, requestID)
	}
	if idempotencyKey != "" {
		h.Set(wire.HeaderIdempotencyKey, idempotencyKey)
	}
	return h
}

// AnswerHeader sets in dst what a client may see of a seller's headers. untouched says that the body goes on as it came,
// so that its Content-Length holds.
func AnswerHeader(dst, seller http.Header, untouched bool) {
	for name, values := range seller {
		name = http.CanonicalHeaderKey(name)
		if sellerHeaders[name] || name == "Content-Length" && untouched || hasPrefix(name) {
			dst[name] = slices.Clone(values)
		}
	}
}

func hasPrefix(name string) bool {
	return slices.ContainsFunc(sellerPrefixes, func(p string) bool { return strings.HasPrefix(name, p) })
}

// Compressed tells whether an answer's body is encoded in any way, although identity was asked for.
func Compressed(h http.Header) bool {
	for _, v := range h.Values("Content-Encoding") {
		for coding := range strings.SplitSeq(v, ",") {
			if coding = strings.TrimSpace(coding); coding != "" && !strings.EqualFold(coding, "identity") {
				return true
			}
		}
	}
	return false
}
