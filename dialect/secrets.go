package dialect

import (
	"bytes"
	"net/http"
	"slices"
	"strings"
)

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

// holdsText is Holds for a header, which seldom has an escape in it.
func holdsText(text string, secrets []string) bool {
	if strings.IndexByte(text, '\\') >= 0 {
		return Holds([]byte(text), secrets...)
	}
	return slices.ContainsFunc(secrets, func(secret string) bool { return len(secret) >= shortestSecret && strings.Contains(text, secret) })
}

// TakeOut takes those headers out of an answer that have one of some secrets in them, but for those that stay.
func TakeOut(h http.Header, secrets []string, stays func(name, text string) bool) {
	for name, values := range h {
		if text := strings.Join(values, ","); holdsText(text, secrets) && !stays(name, text) {
			delete(h, name)
		}
	}
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
