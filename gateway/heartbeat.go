package gateway

import (
	"net/http"

	"github.com/tokenbuddy/caddy-tokenbuddy/relay"
)

// beat gives the client of a stream signs of life, where the config wants it, until stop is called. The first of them gives the
// status and the headers away, without seller and attempts: nobody knows them yet. begun tells whether there was one. stop may be
// called again.
func (p *reply) beat() (begun func() bool, stop func()) {
	every := p.rq.gw.settings.Heartbeat
	if every <= 0 || !p.rq.ask.Stream || p.rq.endpoint.NoCompletion() { // of what has none no seller has a stream
		return func() bool { return false }, func() {}
	}
	heart := relay.NewHeart(p.w, every, func() {
		h := p.w.Header()
		h.Set("Content-Type", "text/event-stream")
		h.Set("Cache-Control", "no-cache, no-transform")
		h.Set("X-Accel-Buffering", "no")
		h.Set("X-Content-Type-Options", "nosniff")
		p.identify()
		p.w.WriteHeader(http.StatusOK)
	})
	return heart.Begun, func() {
		if p.begun = heart.Stop(); p.begun {
			p.status = http.StatusOK
		}
	}
}
