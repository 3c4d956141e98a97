// Package http1 owns the connections to sellers that are reached by plain HTTP/1.1. Whoever makes a request writes it and reads its
// answer: net/http's own transport has two goroutines at each connection, which costs two hand-overs a request and more for each
// read. The head of an answer is read by net/http; what is here is the pool, the writing, and the framing of bodies.
package http1

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"
)

// Options say how sellers are reached.
type Options struct {
	// Dial makes a connection. Required.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// MaxIdle bounds the connections that are kept for later requests, and MaxIdlePerHost those to one host and port.
	MaxIdle, MaxIdlePerHost int
	// IdleTime is how long they are kept.
	IdleTime time.Duration
	// MaxHead bounds what is read before an answer's body, in bytes: informational answers, status and headers.
	MaxHead int64
}

// Transport is an http.RoundTripper for the requests that it Serves. It follows http.Transport: in what it sends, in what it takes
// for an answer, and in which requests it sends again.
type Transport struct {
	o    Options
	pool pool
}

// New makes a Transport. It opens nothing yet.
func New(o Options) *Transport {
	return &Transport{o: o, pool: pool{o: o, idle: map[string][]*conn{}}}
}

// CloseIdleConnections closes the connections that are kept. Requests under way end as they would.
func (t *Transport) CloseIdleConnections() { t.pool.close() }

// Serves tells whether the transport can make a request. What it leaves to http.Transport are other schemes than http, bodies of
// unknown length, upgrades, and hosts that have to be encoded.
func (t *Transport) Serves(r *http.Request) bool {
	return r.URL.Scheme == "http" && r.URL.Opaque == "" && !strings.ContainsFunc(r.URL.RawQuery, unsendable) && plainHost(r.URL.Host) && (r.Host == "" || plainHost(r.Host)) &&
		(r.Method == "" || httpguts.ValidHeaderFieldName(r.Method)) && r.Method != http.MethodConnect &&
		(r.Body == nil || r.Body == http.NoBody || r.ContentLength > 0) &&
		len(r.TransferEncoding) == 0 && len(r.Trailer) == 0 && !r.Close && plainHeader(r.Header)
}

func unsendable(c rune) bool { return c <= ' ' || c >= 0x7f }

func plainHost(host string) bool {
	for i := range len(host) {
		if c := host[i]; c <= ' ' || c >= 0x7f || c == '%' {
			return false
		}
	}
	return host != "" && httpguts.ValidHostHeader(host)
}

// plainHeader tells whether a header can be sent as it is. What can't be sent at all http.Transport explains best.
func plainHeader(h http.Header) bool {
	for name, values := range h {
		switch name {
		case "Connection", "Expect", "Upgrade":
			return false
		}
		if !httpguts.ValidHeaderFieldName(name) {
			return false
		}
		for _, value := range values {
			if !httpguts.ValidHeaderFieldValue(value) {
				return false
			}
		}
	}
	return true
}

// Reached is how far a request came.
type Reached struct {
	Connected bool // there was a connection, the last time that it was sent
	Reused    bool // one that lay idle
}

// RoundTrip makes a request that the transport Serves. A trace in its context is told of each connection, as by net/http.
func (t *Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	trace := httptrace.ContextClientTrace(r.Context())
	if trace != nil && trace.GotConn == nil {
		trace = nil
	}
	resp, _, err := t.send(r, trace)
	return resp, err
}

// Send is RoundTrip for whom it matters how far the request came.
func (t *Transport) Send(r *http.Request) (resp *http.Response, reached Reached, err error) {
	return t.send(r, nil)
}

// send tells a trace of each connection; nil: nobody wants to know.
func (t *Transport) send(r *http.Request, trace *httptrace.ClientTrace) (resp *http.Response, reached Reached, err error) {
	ctx := r.Context()
	address := hostPort(r.URL)
	for {
		c, err := t.connect(ctx, address)
		if err != nil {
			closeBody(r)
			return nil, Reached{}, causeOr(ctx, err)
		}
		reached = Reached{Connected: true, Reused: c.used}
		if trace != nil {
			trace.GotConn(httptrace.GotConnInfo{Conn: c.Conn, Reused: c.used})
		}
		x := &exchange{c: c, ctx: ctx, r: r}
		resp, err := x.do()
		if err == nil {
			return resp, reached, nil
		}
		if ctx.Err() != nil {
			return nil, reached, context.Cause(ctx)
		}
		if !x.resend() {
			return nil, reached, err
		}
		if r, err = rewound(r); err != nil {
			return nil, reached, err
		}
	}
}

// connect takes a connection that lies idle, or makes one.
func (t *Transport) connect(ctx context.Context, address string) (*conn, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if c := t.pool.take(address); c != nil {
		return c, nil
	}
	nc, err := t.o.Dial(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	return newConn(nc, &t.pool, address), nil
}

// causeOr is why ctx has ended where it has: the connection's error is of that then.
func causeOr(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// rewound gives the request for another try.
func rewound(r *http.Request) (*http.Request, error) {
	if r.Body == nil || r.Body == http.NoBody {
		return r, nil
	}
	body, err := r.GetBody()
	if err != nil {
		return nil, err
	}
	again := *r
	again.Body = body
	return &again, nil
}

// replayable tells whether a request may be sent again that a seller may have seen, by the rules of net/http.
func replayable(r *http.Request) bool {
	switch cmp.Or(r.Method, http.MethodGet) {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace:
		return true
	}
	return r.Header["Idempotency-Key"] != nil || r.Header["X-Idempotency-Key"] != nil
}

// rereadable tells whether a request has a body that can be read again, or none.
func rereadable(r *http.Request) bool {
	return r.Body == nil || r.Body == http.NoBody || r.GetBody != nil
}

func closeBody(r *http.Request) {
	if r.Body != nil {
		_ = r.Body.Close()
	}
}

func hostPort(u *url.URL) string {
	if u.Port() != "" {
		return u.Host
	}
	return net.JoinHostPort(u.Hostname(), "80")
}

// errUnanswered is a connection that ended before there was anything of an answer.
type errUnanswered struct{ err error }

func (e errUnanswered) Error() string { return fmt.Sprintf("no answer came: %v", e.err) }
func (e errUnanswered) Unwrap() error { return e.err }
