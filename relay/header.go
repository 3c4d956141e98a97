package relay

import (
	"maps"
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
	h := make(http.Header, 8)
	all := make([]string, 0, 8) // of all values: mostly they are no more
	set := func(name string, values ...string) {
		all = append(all, values...)
		h[name] = slices.Clip(all[len(all)-len(values):])
	}
	set("Content-Type", "application/json")
	set("Accept-Encoding", "identity") // a settlement could hide in a compressed answer
	h["User-Agent"] = nil              // where the client has none: keeps net/http from naming itself
	for _, name := range clientHeaders {
		if values := client[name]; len(values) > 0 {
			set(name, values...)
		}
	}
	if requestID != "" {
		set(wire.HeaderRequestID, requestID)
	}
	if idempotencyKey != "" {
		set(wire.HeaderIdempotencyKey, idempotencyKey)
	}
	return h
}

const (
	// maxRateHeaders bounds the headers that are known by their prefixes alone, all together, in bytes.
	maxRateHeaders = 4 << 10
	// maxSellerHeader bounds each of the others.
	maxSellerHeader = 1 << 10
)

// AnswerHeader sets in dst what a client may see of a seller's headers, whose values go over to it. untouched says that the body goes
// on as it came, so that its Content-Length holds; else it is an event stream. Nothing that a seller says makes the gateway's own site
// show a page, keep an answer for others, or carry headers without end.
func AnswerHeader(dst, seller http.Header, untouched bool) {
	rates := 0
	for key, values := range seller {
		name := http.CanonicalHeaderKey(key)
		switch {
		case len(values) == 0:
		case name == "Content-Type":
			values[0] = contentType(values[0])
			dst[name] = values[:1:1]
		case name == "Cache-Control":
			if kept := notPublic(values); len(kept) > 0 {
				dst[name] = kept
			}
		case name == "Content-Length":
			if untouched {
				dst[name] = slices.Clip(values)
			}
		case sellerHeaders[name]:
			if headerSize(name, values) <= maxSellerHeader {
				dst[name] = slices.Clip(values)
			}
		case hasPrefix(name):
			rates += headerSize(name, values)
		}
	}
	if rates > 0 {
		rateHeaders(dst, seller, rates)
	}
	if dst.Get("Content-Type") == "" { // else the server makes one out of the body, which may be a page
		kind := plain
		if !untouched {
			kind = "text/event-stream"
		}
		dst.Set("Content-Type", kind)
	}
	own := []string{"nosniff", "no-transform", "no"}
	dst["X-Content-Type-Options"] = own[:1:1]
	if !untouched {
		if dst.Get("Cache-Control") == "" {
			dst["Cache-Control"] = own[1:2:2]
		}
		dst["X-Accel-Buffering"] = own[2:]
	}
}

// rateHeaders sets in dst the headers that are known by their prefixes alone, which are of that size together. Where that is too much,
// those are taken that fit, by name.
func rateHeaders(dst, seller http.Header, size int) {
	names := maps.Keys(seller)
	if size > maxRateHeaders {
		names = slices.Values(slices.Sorted(names))
	}
	left := maxRateHeaders
	for key := range names {
		name, values := http.CanonicalHeaderKey(key), seller[key]
		if size := headerSize(name, values); len(values) > 0 && !sellerHeaders[name] && hasPrefix(name) && size <= left {
			left -= size
			dst[name] = slices.Clip(values)
		}
	}
}

func headerSize(name string, values []string) (size int) {
	for _, value := range values {
		size += len(name) + len(value)
	}
	return size
}

// plain is the type of what is shown as it is.
const plain = "text/plain; charset=utf-8"

// contentType gives a seller's type of content. What a browser would show as a page, or run, is plain text here.
func contentType(value string) string {
	kind, _, _ := strings.Cut(value, ";")
	kind = strings.ToLower(strings.TrimSpace(kind))
	for _, word := range [...]string{"html", "xml", "svg", "javascript", "ecmascript", "multipart/"} {
		if strings.Contains(kind, word) {
			return plain
		}
	}
	return value
}

// notPublic gives a Cache-Control as it came, but for the directives that let others have the answer too: whoever is behind them
// would be shown what is this client's.
func notPublic(values []string) []string {
	own := slices.ContainsFunc(values, func(v string) bool {
		v = strings.ToLower(v)
		return strings.Contains(v, "private") || strings.Contains(v, "no-store")
	})
	var kept []string
	for _, value := range values {
		var left []string
		for directive := range strings.SplitSeq(value, ",") {
			name, _, _ := strings.Cut(strings.ToLower(strings.TrimSpace(directive)), "=")
			switch name {
			case "public", "s-maxage":
				continue
			case "max-age", "immutable", "stale-while-revalidate", "stale-if-error":
				if !own { // public is the rule
					continue
				}
			}
			left = append(left, directive)
		}
		if value = strings.TrimSpace(strings.Join(left, ",")); value != "" {
			kept = append(kept, value)
		}
	}
	return kept
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
