package relay

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync/atomic"
	"syscall"

	"github.com/tokenbuddy/caddy-tokenbuddy/netfault"
	"github.com/tokenbuddy/caddy-tokenbuddy/relay/internal/http1"
)

// Call is one request to a seller.
type Call struct {
	Method    string // empty: POST
	URL       string
	Header    http.Header
	Body      *Body // nil: none
	Transport http.RoundTripper
}

// Stage is how far a call came.
type Stage uint8

const (
	// StageDial: there was no connection (no address, refused, TLS). The seller has seen nothing of the request.
	StageDial Stage = iota
	// StageSent: there was one, and the seller may have seen the request.
	StageSent
)

// CallError is a call without an answer. Its text has nothing in it that the seller sent.
type CallError struct {
	Stage   Stage
	Timeout bool   // a time-out or a deadline ended it
	Host    string // host and port of the URL
	Err     error  // the cause; its text may be the seller's

	cancelled error // why ctx was, in the words of whoever did it
}

func (e *CallError) Error() string {
	if e.Stage == StageDial {
		return fmt.Sprintf("no connection to seller at %s: %s", e.Host, e.cause())
	}
	return fmt.Sprintf("no answer from seller at %s: %s", e.Host, e.cause())
}

func (e *CallError) Unwrap() error { return e.Err }

// Send makes the call and gives the answer once its headers are there, whatever its status. The error is a *CallError. ctx must
// live as long as the answer's body is read.
//
// The request carries an Idempotency-Key and can be read again, so that net/http sends it once more where a connection that
// lay idle turns out to be closed: nobody has seen it then, and to take that for the seller's failure would be wrong. Where
// the seller did see it, the key makes it one charge; but a request that ends a seller's process must not be sent over one
// connection after the other until none is left.
func Send(ctx context.Context, c Call) (*http.Response, error) {
	if c.Body == nil {
		c.Body = Splice(nil)
	}
	target, err := url.Parse(sendable(c.URL))
	if err != nil {
		return nil, &CallError{Host: "an address that can't be read", Err: err}
	}
	c.Body.resent = 0
	req := blank.WithContext(ctx)
	req.Method, req.URL, req.Host, req.Header = cmp.Or(c.Method, http.MethodPost), target, target.Host, c.Header
	req.GetBody, req.Body, req.ContentLength = c.Body.again, http.NoBody, c.Body.Len() // a length of 0 with a body would mean that it is unknown
	if req.ContentLength > 0 {
		req.Body = c.Body.Reader()
	}
	resp, reached, err := reach(c.Transport, req)
	for try := 1; try < maxStale && err != nil && ctx.Err() == nil && reached.Connected && reached.Reused && writeFailed(err); try++ {
		again := *req
		if req.ContentLength > 0 {
			again.Body = c.Body.Reader()
		}
		resp, reached, err = reach(c.Transport, &again)
	}
	if err == nil {
		resp.Request = nil // a stream may last for an hour, and nobody asks for it
		return resp, nil
	}
	e := &CallError{Host: req.URL.Host, Err: err}
	if errors.Is(ctx.Err(), context.Canceled) {
		e.cancelled = context.Cause(ctx)
	}
	if reached.Connected {
		e.Stage = StageSent
	}
	var timeout interface{ Timeout() bool }
	e.Timeout = errors.Is(ctx.Err(), context.DeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout()
	return nil, e
}

// sendable escapes what no query may have in it: a client's has it all the same, and what came of it would be taken for the seller's fault.
func sendable(address string) string {
	base, query, _ := strings.Cut(address, "?")
	if !strings.ContainsFunc(query, unfit) {
		return address
	}
	fit := append([]byte(base), '?')
	for i := range len(query) {
		if c := query[i]; unfit(rune(c)) {
			fit = fmt.Appendf(fit, "%%%02X", c)
		} else {
			fit = append(fit, c)
		}
	}
	return string(fit)
}

func unfit(c rune) bool { return c <= ' ' || c >= 0x7f || c == '#' }

// blank is what requests are made of: WithContext makes a request with one object, http.NewRequestWithContext with two.
var blank = &http.Request{Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1}

// again is the body for a transport that sends its request once more.
func (b *Body) again() (io.ReadCloser, error) {
	if b.resent++; b.resent >= maxStale {
		return nil, errUnanswered
	}
	return b.Reader(), nil
}

// reach makes a request, and tells how far it came.
func reach(t http.RoundTripper, r *http.Request) (*http.Response, http1.Reached, error) {
	if s, ok := t.(*schemes); ok && s.plain.Serves(r) {
		return s.plain.Send(r)
	}
	var connected, reused atomic.Bool // a connection may be made beside the request
	resp, err := t.RoundTrip(r.WithContext(httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{
		GetConn: func(string) { connected.Store(false) }, // again for each time it is sent
		GotConn: func(conn httptrace.GotConnInfo) { connected.Store(true); reused.Store(conn.Reused) },
	})))
	return resp, http1.Reached{Connected: connected.Load(), Reused: reused.Load()}, err
}

// maxStale is how many connections are tried that may have been closed while they lay idle.
const maxStale = 3

// errUnanswered is when all of them were.
var errUnanswered = fmt.Errorf("closed without an answer: %w", io.ErrUnexpectedEOF)

// writeFailed tells whether a request could not be written whole. So it shows that the seller has just closed a connection
// that lay idle, when the headers go out before that is known. net/http sends a request again when it finds out by reading,
// but not then.
func writeFailed(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	return errors.Is(err, io.ErrClosedPipe) || ok && (op.Op == "write" || op.Op == "readfrom") && !op.Timeout()
}

// cause says why in words of our own: the text of a protocol error or of a bad certificate is what the seller sent.
func (e *CallError) cause() string {
	var errno syscall.Errno
	rule, forbidden := netfault.Rule(e.Err)
	why := netfault.Why(e.Err)
	switch err := e.Err; {
	case forbidden:
		return rule.Error()
	case e.Timeout:
		return "it took too long"
	case e.cancelled != nil:
		return e.cancelled.Error()
	case why != "":
		return why
	case errors.As(err, &errno):
		return errno.Error()
	case errors.As(err, new(*url.Error)):
		return "the URL is malformed"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed):
		return "the connection was closed"
	case e.Stage == StageDial:
		return "the connection failed"
	}
	return "what came is not good HTTP, or the connection failed"
}
