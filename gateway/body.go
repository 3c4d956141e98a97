package gateway

import (
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/dialect"
)

// body is a request's body, decoded, and what it holds of the memory.
type body struct {
	bytes []byte
	share *share
	taken int64
}

// release gives the memory back. It may be called again.
func (b *body) release() {
	b.share.give(b.taken)
	b.bytes, b.taken = nil, 0
}

// readBody reads a request's body to its end, so that HTTP/1 notices a client that leaves, and undoes its coding. The limit
// is on the decoded size: it bounds what a small compressed body can unfold to. What it holds counts as the member's.
func readBody(r *http.Request, limit int64, s *share) (*body, *dialect.Refusal) {
	coding := contentCoding(r.Header)
	if r.ContentLength > limit && coding == "" {
		return nil, dialect.TooLarge(limit)
	}
	b := &body{share: s}
	decoded, err := newDecoder(coding, r.Body, s)
	if err == nil {
		err = b.fill(decoded, limit)
	}
	if decoded != nil {
		decoded.Close()
	}
	if err != nil {
		b.release()
		return nil, bodyRefusal(err)
	}
	return b, nil
}

// errTooLarge says that a body is larger than it may be.
type errTooLarge struct{ limit int64 }

func (e errTooLarge) Error() string { return "the body is larger than it may be" }

// bodyRefusal says to the client why its body was not taken.
func bodyRefusal(err error) *dialect.Refusal {
	var ours errTooLarge
	var theirs *http.MaxBytesError // of a handler before this one
	var unreadable errUnreadable
	switch {
	case errors.As(err, &ours):
		return dialect.TooLarge(ours.limit)
	case errors.As(err, &theirs):
		return dialect.TooLarge(theirs.Limit)
	case errors.Is(err, errNoMemory):
		return dialect.Unavailable(time.Second, "Too many large requests are under way. Ask again in a moment.")
	case errors.Is(err, errMemberMemory):
		return dialect.Unavailable(time.Second, "Too many large requests of yours are under way. Ask again in a moment.")
	case errors.Is(err, errCoding):
		return dialect.UnknownEncoding()
	case errors.As(err, &unreadable):
		return dialect.InvalidRequest("", unreadable.Error())
	default:
		return dialect.InvalidRequest("", "The request's body could not be read to its end.")
	}
}

// firstRead is how much room a body has at first, in bytes.
const firstRead = 8 << 10

// fill reads up to one byte past the limit. Room is made as the bytes come: what a client announces it may never send, and
// then nobody else should want for the memory.
func (b *body) fill(r io.Reader, limit int64) error {
	for {
		if len(b.bytes) == cap(b.bytes) {
			if err := b.grow(limit); err != nil {
				return err
			}
		}
		n, err := r.Read(b.bytes[len(b.bytes):cap(b.bytes)])
		b.bytes = b.bytes[:len(b.bytes)+n]
		if int64(len(b.bytes)) > limit {
			return errTooLarge{limit}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// grow doubles the room.
func (b *body) grow(limit int64) error {
	size := min(max(2*int64(cap(b.bytes)), firstRead), limit+1)
	if err := b.share.take(size); err != nil {
		return err
	}
	grown := make([]byte, len(b.bytes), size)
	copy(grown, b.bytes)
	b.share.give(b.taken)
	b.bytes, b.taken = grown, size
	return nil
}

// maxDiscarded bounds what is read of a request that is refused, in bytes.
const maxDiscarded = 64 << 20

// discardTime bounds how long it is read, so that nobody holds a config that is gone by sending a byte now and then.
const discardTime = 10 * time.Second

// answerBeforeBody answers a request whose body has not been read, and then reads what comes of it, for a while. Many HTTP/1 clients send
// a body to its end before they look for the answer; those would find the connection reset instead, and take a refusal for a
// failure that another try may better. HTTP/2 tells them, and a client that waits for leave to send (Expect: 100-continue)
// has nothing under way.
func answerBeforeBody(w http.ResponseWriter, r *http.Request, answer func()) {
	rc := http.NewResponseController(w)
	if r.ProtoMajor != 1 || r.ContentLength == 0 || r.Header.Get("Expect") != "" || rc.EnableFullDuplex() != nil {
		answer()
		return
	}
	answer()
	if rc.Flush() == nil && rc.SetReadDeadline(time.Now().Add(discardTime)) == nil {
		_, _ = io.CopyN(io.Discard, r.Body, maxDiscarded)
		_ = rc.SetReadDeadline(time.Time{}) // errs on a connection that is gone
	}
}
