package gateway

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/tokenbuddy/caddy-tokenbuddy/dialect"
	"github.com/tokenbuddy/caddy-tokenbuddy/wire"
)

// withhold puts our own words in the place of an error's that has our token or key in it, or that was not read to its end, so that nobody
// knows: they are not for clients.
func (a *attempt) withhold() {
	if n := a.answer; n.more || dialect.Holds(n.bytes, a.secrets()...) {
		a.replace()
	}
}

// withholdHeaders takes out of any answer's headers those that have one of our secrets in them. What is booked by stays: no client gets it.
func withholdHeaders(h http.Header, secrets []string) {
	dialect.TakeOut(h, secrets, func(name, _ string) bool { return strings.HasPrefix(name, wire.HeaderPrefix) })
}

// replace puts our own words in the place of an error's.
func (a *attempt) replace() {
	n := a.answer
	own := dialect.InvalidRequest("", "")
	switch status := n.response.StatusCode; {
	case status == http.StatusTooManyRequests:
		own = dialect.RateLimited(0)
	case status >= 500:
		own = dialect.Upstream(retryLater)
	}
	own = own.Because("The seller's own words are not handed on: a key or a token of the gateway's is in them, or may be, as they are too long to be read.")
	n.bytes, n.more = own.JSON(a.rq.shape, a.rq.id), false
	n.response.Header.Set("Content-Type", "application/json")
	n.response.Header.Set("Content-Length", strconv.Itoa(len(n.bytes))) // the seller's is of what it said
}

// withholdEvent is withhold for an error that a stream has said before anything was sent: what the client gets is no stream then.
func (a *attempt) withholdEvent() {
	n := a.answer
	if !dialect.Holds(n.stream.Held(), a.secrets()...) {
		return
	}
	n.stream.Discard()
	n.stream, n.ended, n.response.StatusCode = nil, true, http.StatusBadRequest
	a.replace()
}

// secrets are ours, which the seller was sent.
func (a *attempt) secrets() []string {
	if own, ok := a.rq.gw.account(a.candidate.Seller); ok {
		return append(own.Secrets(), strings.TrimPrefix(a.lease.Bearer(), "Bearer "))
	}
	return []string{a.lease.Bearer()}
}
