package http1

import (
	"context"
	"errors"
	"io"
	"math"
	"net/http"
)

// exchange is one request on one connection.
type exchange struct {
	c   *conn
	ctx context.Context
	r   *http.Request

	upload upload
	stop   func() bool // ends the watch over ctx; false: the connection has been closed by it
	body   Body        // of the answer
}

// do writes the request and reads the answer's head. Where it errs the connection is closed, and the request's body is let go of.
func (x *exchange) do() (*http.Response, error) {
	x.c.left, x.c.got = x.c.pool.o.MaxHead, false
	x.stop = afterFunc(x.ctx, x.cut)
	x.upload.start(x.c.Conn, x.r)
	resp, err := x.head()
	if err != nil {
		x.stop()
		_ = x.c.Close()
		failed := x.upload.failed()
		x.upload.end()
		if failed != nil {
			err = failed
		}
		return nil, err
	}
	x.r = nil // the answer may last
	x.upload.answer(x.c)
	x.c.release()
	x.c.left, x.c.used = math.MaxInt64, true
	b := &x.body
	b.x, b.ends = x, resp.Close || resp.StatusCode == http.StatusSwitchingProtocols // which nobody has asked for
	switch {
	case resp.Body == http.NoBody:
		_ = b.finish(true)
		return resp, nil
	case len(resp.TransferEncoding) > 0:
		b.framing = framedChunks
	case resp.ContentLength >= 0:
		b.framing, b.left = framedLength, resp.ContentLength
	}
	resp.Body = b
	return resp, nil
}

func (x *exchange) cut() { _ = x.c.Close() }

// afterFunc is context.AfterFunc, which asks contexts that have this method too, but takes more for it.
func afterFunc(ctx context.Context, f func()) (stop func() bool) {
	if own, ok := ctx.(interface{ AfterFunc(func()) func() bool }); ok {
		return own.AfterFunc(f)
	}
	return context.AfterFunc(ctx, f)
}

// head reads the answer's head, past informational ones. All of them have one limit.
func (x *exchange) head() (*http.Response, error) {
	br := x.c.buffered()
	if _, err := br.Peek(1); err != nil {
		return nil, errUnanswered{err}
	}
	for {
		resp, err := http.ReadResponse(br, x.r)
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
		if resp.StatusCode >= 200 || resp.StatusCode < 100 || resp.StatusCode == http.StatusSwitchingProtocols {
			return resp, nil
		}
	}
}

// resend tells, after an error, whether the request is to be sent again over another connection: this one lay idle, and its seller
// has closed it before there was anything of an answer.
func (x *exchange) resend() bool {
	return x.c.used && !x.c.got && rereadable(x.r) && (replayable(x.r) || x.upload.wrote == 0)
}
