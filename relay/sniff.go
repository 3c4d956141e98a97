package relay

import (
	"bytes"
	"errors"
	"io"
	"time"
)

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
	head = room[:0]
	for {
		n, err := body.Read(head[len(head):cap(head)])
		head = head[:len(head)+n]
		events, enough := isEvents(head)
		if enough || err != nil || len(head) == cap(head) {
			return head, events, unlessEOF(err)
		}
	}
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
	head := r.b
	if len(s.head) > 0 {
		s.head = append(s.head, r.b...)
		head = s.head
	}
	begin := bytes.TrimLeft(bytes.TrimPrefix(head, []byte(byteOrderMark)), " \t\r\n")
	switch {
	case len(begin) == 0:
		s.head = append([]byte(nil), head...)
		return true // the filter may have it: nothing is sent before there is content
	case begin[0] != '{' && begin[0] != '[' && begin[0] != '<':
		s.events, s.head = true, nil
		return true
	}
	s.head = append([]byte(nil), head...)
	s.received += int64(len(r.b))
	s.end = r.err
	r.letGo()
	return false
}

// Rest reads the whole answer after Begin gave NotEvents. To close it is to close the stream.
func (s *Stream) Rest() io.ReadCloser { return &rest{stream: s, head: s.head} }

type rest struct {
	stream *Stream
	head   []byte
}

// errSilent is a body that is read to no end: it was silent for too long, its client has left, or the process goes.
var errSilent = errors.New("the answer did not come to its end")

func (b *rest) Read(p []byte) (int, error) {
	s := b.stream
	for len(b.head) == 0 {
		if s.end != nil {
			return 0, s.end
		}
		r, sig := s.wait(s.o.Idle, time.Time{}, s.o.Client)
		if sig != came {
			return 0, errSilent
		}
		b.head = append(b.head[:0], r.b...)
		s.received += int64(len(r.b))
		s.end = r.err
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
