package relay

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"
)

// SaysEvents tells whether an answer calls itself an event stream.
func SaysEvents(h http.Header) bool {
	kind, _, _ := strings.Cut(h.Get("Content-Type"), ";")
	return strings.EqualFold(strings.TrimSpace(kind), "text/event-stream")
}

// isEvents tells by the first bytes of an answer whether it is an event stream; enough is false where more must come to tell.
// A stream begins with a field that it has or with a comment.
func isEvents(head []byte) (yes, enough bool) {
	if len(head) < len(byteOrderMark) && string(head) == byteOrderMark[:len(head)] {
		return false, false
	}
	head = bytes.TrimPrefix(head, []byte(byteOrderMark))
	head = bytes.TrimLeft(head, "\r\n")
	for _, begin := range [...]string{":", "data:", "event:", "id:", "retry:"} {
		n := min(len(head), len(begin))
		if string(head[:n]) == begin[:n] {
			return n == len(begin), n == len(begin)
		}
	}
	return false, true
}

// Peek reads the beginning of an answer that does not call itself an event stream into room, and tells whether it is one all the same.
// The error is that of the body, where it ended before that could be told; the body gives it again when it is read on.
func Peek(body io.Reader, room []byte) (head []byte, events bool, err error) {
	return peek(body, room, isEvents)
}

// PeekEvents is Peek for an answer that calls itself an event stream: it is taken at its word unless it begins as what is none.
func PeekEvents(body io.Reader, room []byte) (head []byte, events bool, err error) {
	head, document, err := peek(body, room, isDocument)
	return head, !document, err
}

func peek(body io.Reader, room []byte, is func(head []byte) (yes, enough bool)) (head []byte, yes bool, err error) {
	head = room[:0]
	for {
		n, err := body.Read(head[len(head):cap(head)])
		head = head[:len(head)+n]
		yes, enough := is(head)
		if enough || err != nil || len(head) == cap(head) {
			return head, yes, unlessEOF(err)
		}
	}
}

// isDocument tells by the first bytes of an answer whether it is JSON or a web page; enough is false where more must come to tell.
func isDocument(head []byte) (yes, enough bool) {
	begin := bytes.TrimLeft(bytes.TrimPrefix(head, []byte(byteOrderMark)), " \t\r\n")
	if len(begin) < len(byteOrderMark) && string(begin) == byteOrderMark[:len(begin)] {
		return false, false
	}
	return begin[0] == '{' || begin[0] == '[' || begin[0] == '<', true
}

func unlessEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// Unread is a body of which head has been read, as if it had not. To close it is to close the body.
func Unread(head []byte, body io.ReadCloser) io.ReadCloser {
	return &peeked{head: bytes.Clone(head), body: body}
}

type peeked struct {
	head []byte
	body io.ReadCloser
}

func (p *peeked) Read(b []byte) (int, error) {
	if len(p.head) > 0 {
		n := copy(b, p.head)
		p.head = p.head[n:]
		return n, nil
	}
	return p.body.Read(b)
}

func (p *peeked) Close() error { return p.body.Close() }

// sniff looks at the first bytes of a stream: what begins as JSON or as a web page does is none. It is false when that is so. What
// was kept until that was known is put before what has just been read.
func (s *Stream) sniff(r *read) bool {
	if s.events {
		return true
	}
	head, first := r.b, len(s.head) == 0
	if !first {
		s.head = append(s.head, r.b...)
		head = s.head
	}
	document, enough := isDocument(head)
	waits := !enough && len(head) < freeHold // past that it is taken at its word
	if !waits && !document {
		s.events, s.head = true, nil
		return true
	}
	if first {
		s.head = bytes.Clone(head)
	}
	if waits {
		return true // the filter may have it: nothing is sent before there is content
	}
	s.back = nil // which the head has, too
	s.filter.forget()
	r.letGo()
	return false
}

// What Rest ends with where it is not the body that ends.
var (
	// ErrSilent: nothing has come for too long.
	ErrSilent = errors.New("nothing more of the answer came in time")
	// ErrClientGone: the client has left.
	ErrClientGone = errors.New("the client left before the answer's end")
	// ErrShutdown: the process is going.
	ErrShutdown = errors.New("the process ended before the answer did")
)

// Rest reads the whole answer after Begin gave NotEvents. To close it is to close the stream.
func (s *Stream) Rest() io.ReadCloser { return &rest{stream: s, head: s.head} }

type rest struct {
	stream *Stream
	head   []byte
}

func (b *rest) Read(p []byte) (int, error) {
	s := b.stream
	for len(b.head) == 0 {
		if s.end != nil {
			return 0, s.end
		}
		r, sig := s.wait(s.o.Idle, time.Time{}, s.o.Client)
		switch sig {
		case left:
			return 0, ErrClientGone
		case going:
			return 0, ErrShutdown
		case silent, due:
			return 0, ErrSilent
		}
		b.head = append(b.head[:0], r.b...)
		r.letGo()
	}
	n := copy(p, b.head)
	b.head = b.head[n:]
	return n, nil
}

func (b *rest) Close() error {
	b.stream.Close()
	return nil
}
