package gateway

import (
	"errors"
	"io"
	"net/http"
	"time"
)

// maxDiscarded bounds what is read of a request that is refused, in bytes.
const maxDiscarded = 64 << 20

const (
	// discardTime bounds how long it is read, so that nobody holds a config that is gone by sending a byte now and then.
	discardTime = 10 * time.Second
	// lingerTime is what a client that sends more than that gets to read its answer: the end of its connection may take that from it.
	lingerTime = 500 * time.Millisecond
)

// answerBeforeBody answers a request whose body has not been read, and then reads what comes of it, for a while. Many HTTP/1 clients send
// a body to its end before they look for the answer; those would find the connection reset instead, and take a refusal for a
// failure that another try may better. HTTP/2 tells them. A client that waits for leave to send (Expect: 100-continue) gets the answer
// at once: left alone, the server would first wait for the body that the client keeps back. discarding is called before the body is read,
// and what it gives afterwards.
//
// Where not all of the body has come the connection is aborted. The server does not know that it must not go on with it: what came of the
// body later would be taken for the client's next request.
func answerBeforeBody(w http.ResponseWriter, r *http.Request, answer func(), discarding func() (done func())) {
	rc := http.NewResponseController(w)
	if r.ProtoMajor != 1 || r.ContentLength == 0 || rc.EnableFullDuplex() != nil {
		answer()
		return
	}
	waits := r.Header.Get("Expect") != ""
	if waits {
		w.Header().Set("Connection", "close") // nobody knows whether its body comes before its next request
	}
	answer()
	if rc.Flush() != nil || rc.SetReadDeadline(time.Now().Add(discardTime)) != nil {
		return
	}
	done := discarding()
	_, err := io.CopyN(io.Discard, r.Body, maxDiscarded)
	done()
	switch {
	case waits:
	case err == io.EOF:
		_ = rc.SetReadDeadline(time.Time{}) // errs on a connection that is gone
	default:
		if err == nil || errors.As(err, new(*http.MaxBytesError)) {
			select {
			case <-time.After(lingerTime):
			case <-r.Context().Done():
			}
		}
		panic(http.ErrAbortHandler)
	}
}
