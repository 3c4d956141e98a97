package relay

import (
	"net"
	"net/http"
)

// Abort ends the connection of a client in the middle of its answer, so that nobody takes what came of it for all. It panics with
// http.ErrAbortHandler, which does so where the framing tells an end from a cut. The answer to a request of HTTP/1.0, which is how some
// proxies ask, ends with its connection alone: there that is reset. It is had from the server itself, as writers around its own hide what it is.
func Abort(w http.ResponseWriter, r *http.Request) {
	if !r.ProtoAtLeast(1, 1) {
		if conn, _, err := http.NewResponseController(innermost(w)).Hijack(); err == nil {
			reset(conn)
		}
	}
	panic(http.ErrAbortHandler)
}

// reset closes a connection without an end that its other side could take for a good one, be it TLS's.
func reset(conn net.Conn) {
	if secured, ok := conn.(interface{ NetConn() net.Conn }); ok {
		conn = secured.NetConn()
	}
	if tcp, ok := conn.(interface{ SetLinger(sec int) error }); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}
