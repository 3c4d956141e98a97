package gateway

import (
	"bufio"
	"net"
	"net/http"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// answers has another handler answer what may be its own, and tells whether it has.
func answers(next caddyhttp.Handler, w http.ResponseWriter, r *http.Request) (answered bool, err error) {
	taken := &hijackable{ResponseWriterWrapper: &caddyhttp.ResponseWriterWrapper{ResponseWriter: w}}
	said := caddyhttp.NewResponseRecorder(taken, nil, nil) // it keeps nothing but the status
	err = next.ServeHTTP(said, r)
	if status := said.Status(); err != nil || taken.over || status > 199 || status == http.StatusSwitchingProtocols { // hints are no answer
		return true, err
	}
	caddyhttp.SetVar(r.Context(), "unhandled", false) // Caddy's access log would say so of what is refused here
	return false, nil
}

// hijackable knows whether the connection was taken over: then whoever has it answers, and the status is nobody's.
type hijackable struct {
	*caddyhttp.ResponseWriterWrapper
	over bool
}

func (h *hijackable) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(h.ResponseWriter).Hijack()
	h.over = h.over || err == nil
	return conn, rw, err
}
