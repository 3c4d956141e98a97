package gateway

import (
	"errors"
	"io"
	"net/http"
	"sync"
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

const (
	// firstRead is how much room a body has at first, in bytes. It doubles up to pieceSize.
	firstRead = 8 << 10
	// pieceSize is how much room comes at once for what is larger. Pieces are used again, so that bodies which are given up leave
	// nothing to be collected.
	pieceSize = 1 << 20
)

var pieces = sync.Pool{New: func() any { return new([pieceSize]byte) }}

// fill reads up to one byte past the limit. Room is made as the bytes come: what a client announces it may never send, and
// then nobody else should want for the memory.
func (b *body) fill(r io.Reader, limit int64) error {
	r = io.LimitReader(r, limit+1)
	for {
		if len(b.bytes) == cap(b.bytes) {
			if cap(b.bytes) >= pieceSize {
				return b.fillPieces(r, limit)
			}
			if err := b.grow(); err != nil {
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
func (b *body) grow() error {
	return b.move(max(2*cap(b.bytes), firstRead))
}

// move takes what has come to a place of another size.
func (b *body) move(size int) error {
	if err := b.share.take(int64(size)); err != nil {
		return err
	}
	moved := make([]byte, len(b.bytes), size)
	copy(moved, b.bytes)
	b.share.give(b.taken)
	b.bytes, b.taken = moved, int64(size)
	return nil
}

// fillPieces reads the rest of a large body, and puts it together when all of it is there.
func (b *body) fillPieces(r io.Reader, limit int64) error {
	var rest []*[pieceSize]byte
	defer func() {
		for _, piece := range rest {
			pieces.Put(piece)
		}
		b.share.give(int64(len(rest)) * pieceSize)
	}()
	size := 0
	for {
		if err := b.share.take(pieceSize); err != nil {
			return err
		}
		piece := pieces.Get().(*[pieceSize]byte)
		rest = append(rest, piece)
		n, err := io.ReadFull(r, piece[:])
		size += n
		switch {
		case int64(len(b.bytes)+size) > limit:
			return errTooLarge{limit}
		case err == io.EOF, err == io.ErrUnexpectedEOF:
		case err != nil:
			return err
		default:
			continue
		}
		break
	}
	if err := b.move(len(b.bytes) + size); err != nil {
		return err
	}
	for _, piece := range rest {
		n := min(size, pieceSize)
		b.bytes = append(b.bytes, piece[:n]...)
		size -= n
	}
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
