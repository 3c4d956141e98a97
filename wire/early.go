package wire

import "net/http"

// headerEarlyData is RFC 8470's: a proxy says "1" in it of a request that came to it in early data. Another value is none that there is,
// and means the same, as more than one does.
const headerEarlyData = "Early-Data"

// Replayable tells whether a request that does something came in TLS's early data, here or at a proxy in front: before the handshake
// is complete anybody who has seen its bytes can send them once more, and have it done, and paid for, twice. HTTP/3 clients send it
// so to save a round trip, and send it again after a 425 (RFC 8470).
func Replayable(r *http.Request) bool {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return false
	}
	return r.TLS != nil && !r.TLS.HandshakeComplete || len(r.Header[headerEarlyData]) > 0
}
