package gateway

import (
	"io"
	"net/http"
	"time"
)

// maxDiscarded bounds what is read of a request that is refused, in bytes.
const maxDiscarded = 64 << 20

// discardTime bounds how long it is read, so that nobody holds a config that is gone by sending a byte now and then.
const discardTime = 10 * time.Second

// answerBeforeBody answers a request whose body has not been read, and then reads what comes of it, for a while. Many HTTP/1 clients send
// a body to its end before they look for the answer; those would find the connection reset instead, and take a refusal for a
// failure that another try may better. HTTP/2 tells them. A client that waits for leave to send (Expect: 100-continue) gets the answer
// at once: left alone, the server would first wait for the body that the client keeps back.
func answerBeforeBody(w http.ResponseWriter, r *http.Request, answer func()) {
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
	if rc.Flush() == nil && rc.SetReadDeadline(time.Now().Add(discardTime)) == nil {
		_, _ = io.CopyN(io.Discard, r.Body, maxDiscarded)
		if !waits {
			_ = rc.SetReadDeadline(time.Time{}) // errs on a connection that is gone
		}
	}
}
