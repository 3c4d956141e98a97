package gateway

import (
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/dialect"
	"github.com/tokenbuddy/caddy-tokenbuddy/relay"
)

// body is a request's body, decoded, and what it holds of the memory.
type body struct {
	bytes []byte
	room  *room // that they are in; nil: in one of their own, which is not used again
	share *share
	taken int64
	lent  []*relay.Body // made of the bytes, for sellers
	one   [1]*relay.Body
}

// lend notes that the bytes are part of what a seller is sent.
func (b *body) lend(to *relay.Body) {
	if b.lent == nil {
		b.lent = b.one[:0] // mostly there is no more
	}
	b.lent = append(b.lent, to)
}

// release gives the memory back. It may be called again.
func (b *body) release() {
	b.share.give(b.taken)
	if b.idle() {
		b.room.leave()
		b.lent, b.one[0] = nil, nil
	}
	b.bytes, b.room, b.taken = nil, nil, 0
}

// idle tells whether nobody reads the bytes any more. A transport may do so when its call has ended; then their room is left to
// the collector.
func (b *body) idle() bool {
	for _, lent := range b.lent {
		if !lent.Release() || !lent.Idle() {
			return false
		}
	}
	return true
}

// readBody reads a request's body to its end, so that HTTP/1 notices a client that leaves, and undoes its coding. The limit
// is on the decoded size: it bounds what a small compressed body can unfold to. What it holds counts as the member's, and one that can't
// have its place even when nobody else is at work is too large as well: asking again would not help.
func readBody(r *http.Request, limit int64, s *share) (*body, *dialect.Refusal) {
	coding := contentCoding(r.Header)
	limit = min(limit, s.pool.alone()-1) // and one byte, to see the end
	if r.ContentLength > limit && coding == "" {
		return nil, dialect.TooLarge(limit)
	}
	b := &body{share: s}
	err := b.decode(r, coding, limit)
	if err != nil {
		b.release()
		return nil, bodyRefusal(err)
	}
	return b, nil
}

func (b *body) decode(r *http.Request, coding string, limit int64) error {
	if coding == "" {
		return b.fill(r.Body, r.ContentLength, limit)
	}
	decoded, err := newDecoder(coding, r.Body, b.share)
	if err == nil {
		beside := (decoded.holds + largeRoom - 1) / largeRoom * largeRoom // a long body comes in large rooms, and half of one is none
		err = b.fill(decoded, -1, min(limit, b.share.pool.alone()-beside-1))
	}
	if decoded != nil {
		decoded.Close()
	}
	return err
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

// believed is how many times as much as has come is made room for, where a client has said how long its body is.
const believed = 16

// fill reads up to one byte past the limit. Room is made as the bytes come, some of it ahead: what a client announces it may never
// send, and then nobody else should want for the memory. announced is negative where it has said nothing.
func (b *body) fill(r io.Reader, announced, limit int64) error {
	for {
		if len(b.bytes) == cap(b.bytes) {
			size := max(2*cap(b.bytes), smallestRoom)
			switch ahead := int64(believed * cap(b.bytes)); {
			case int64(len(b.bytes)) <= announced: // and one byte, to see the end
				size = max(int(min(announced+1, ahead)), smallestRoom)
			case size > largeRoom:
				return b.fillPieces(r, limit)
			}
			if err := b.move(size); err != nil {
				return err
			}
		}
		n, err := r.Read(b.bytes[len(b.bytes):min(int64(cap(b.bytes)), limit+1)])
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

// move takes what has come to a larger place, which is as large as asked for or somewhat larger. What was taken for the old one goes over to it: a body
// needs no more of the memory than its own size.
func (b *body) move(size int) error {
	size = roomSize(size)
	if err := b.share.take(int64(size) - b.taken); err != nil {
		return err
	}
	next := newRoom(size)
	moved := append(next.bytes(size), b.bytes...)
	b.room.leave()
	b.bytes, b.room, b.taken = moved, next, int64(size)
	return nil
}

// fillPieces reads the rest of a large body, and puts it together when all of it is there.
func (b *body) fillPieces(r io.Reader, limit int64) error {
	var rest []*room
	defer func() {
		for _, piece := range rest {
			piece.leave()
		}
		b.share.give(int64(len(rest)) * largeRoom)
	}()
	r = io.LimitReader(r, limit+1-int64(len(b.bytes)))
	size := 0
	for {
		if err := b.share.take(largeRoom); err != nil {
			return err
		}
		piece := newRoom(largeRoom)
		rest = append(rest, piece)
		n, err := io.ReadFull(r, piece.all)
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
	b.gather(rest, size)
	rest = nil
	return nil
}

// gather puts a body together of what came first and of the pieces of the rest, which are so many bytes. What was taken for a piece goes
// over to the place where its bytes are then: whoever comes in pieces needs no more of the memory than the body.
func (b *body) gather(rest []*room, size int) {
	capacity := roomSize(len(b.bytes) + size)
	next := newRoom(capacity)
	whole := append(next.bytes(capacity), b.bytes...)
	b.room.leave()
	for _, piece := range rest {
		n := min(size, largeRoom)
		whole = append(whole, piece.all[:n]...)
		size -= n
		piece.leave()
	}
	b.share.give(b.taken + int64(len(rest))*largeRoom - int64(capacity))
	b.bytes, b.room, b.taken = whole, next, int64(capacity)
}
