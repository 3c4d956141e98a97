package relay

import (
	"net"
	"net/http"
	"reflect"
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

// reset closes a connection without an end that its other side could take for a good one, be it TLS's. Over a Unix socket there is no such way.
func reset(conn net.Conn) {
	lowest := conn
	for next := below(conn); next != nil; next = below(next) {
		lowest = next
	}
	if tcp, ok := lowest.(interface{ SetLinger(sec int) error }); ok {
		_ = tcp.SetLinger(0)
	}
	_ = lowest.Close()
	_ = conn.Close() // what is around it may keep count
}

// below is what a connection goes through, be it TLS, Caddy's own around one that is for HTTP/1 alone, or a listener wrapper's; nil: nothing.
func below(conn net.Conn) net.Conn {
	switch outer := conn.(type) {
	case interface{ NetConn() net.Conn }:
		return outer.NetConn()
	case interface{ Raw() net.Conn }: // the PROXY protocol's
		return outer.Raw()
	}
	outer := reflect.Indirect(reflect.ValueOf(conn))
	if outer.Kind() != reflect.Struct {
		return nil
	}
	field := outer.FieldByName("Conn") // as it is called where it is embedded
	if !field.IsValid() || !field.CanInterface() {
		return nil
	}
	inner, _ := reflect.TypeAssert[net.Conn](field)
	return inner
}
