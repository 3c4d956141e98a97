package relay

import (
	"cmp"
	"errors"
	"io"
	"net"
	"slices"
	"sync"
)

// Edit puts Text in the place of the bytes from Start to End.
type Edit struct {
	Start, End int
	Text       []byte
}

// Body is a request's body as it goes to a seller. It holds the bytes it was made of, which must not change as long as
// anything may read it: a transport may still do so when it has answered.
type Body struct {
	size   int64
	resent int // how often a transport has asked for it again, of the call that is made

	mu       sync.Mutex
	parts    [][]byte
	room     [7][]byte  // for parts: mostly they are no more
	first    bodyReader // the reader that mostly is the only one
	lent     bool       // it is somebody's
	released bool
	read     bool // some reader has read it to its end
	reading  int  // readers that are at the bytes just now
}

// Release lets go of the bytes, for which a stream's transport would else keep the memory as long as the stream lasts. It
// does so only when the body has been sent whole, and says whether it did.
func (b *Body) Release() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.read {
		return false
	}
	b.parts, b.room, b.released = nil, [len(b.room)][]byte{}, true
	return true
}

// Idle tells whether nobody reads the bytes any more, nor ever will: they may be overwritten. A body that was released can have
// a reader still, where its call was made twice.
func (b *Body) Idle() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.released && b.reading == 0
}

// enter gives a reader the parts, until it leaves; false: they are gone.
func (b *Body) enter() (parts [][]byte, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.released {
		return nil, false
	}
	b.reading++
	return b.parts, true
}

// leave is the end of what a reader does with the parts; whole: it has read all of them.
func (b *Body) leave(whole bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.reading--
	b.read = b.read || whole
}

// errReleased is what a reader gets that comes after Release.
var errReleased = errors.New("the request's body is gone: it was sent whole before")

// Splice makes a body of body with the edits done, without copying it. Edits that overlap or lie outside of body are a
// mistake of the caller's and panic.
func Splice(body []byte, edits ...Edit) *Body {
	byStart := func(a, b Edit) int { return cmp.Compare(a.Start, b.Start) }
	if !slices.IsSortedFunc(edits, byStart) {
		edits = slices.Clone(edits)
		slices.SortStableFunc(edits, byStart)
	}
	b := new(Body)
	b.parts = b.room[:0]
	add := func(part []byte) {
		if len(part) > 0 {
			b.parts = append(b.parts, part)
			b.size += int64(len(part))
		}
	}
	at := 0
	for _, e := range edits {
		add(body[at:e.Start])
		add(e.Text)
		at = max(e.Start, e.End)
	}
	add(body[at:])
	return b
}

// Len is the length in bytes.
func (b *Body) Len() int64 { return b.size }

// Reader reads the body from its beginning. Each reader stands for itself, so that an attempt can be made again.
func (b *Body) Reader() io.ReadCloser {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.lent {
		return &bodyReader{body: b}
	}
	b.lent, b.first.body = true, b
	return &b.first
}

type bodyReader struct {
	body *Body
	part int
	at   int // in the part
	done bool
}

func (r *bodyReader) Read(p []byte) (n int, err error) {
	if r.done {
		return 0, io.EOF // also when the body was released since
	}
	parts, ok := r.body.enter()
	if !ok {
		return 0, errReleased
	}
	for n < len(p) && r.part < len(parts) {
		c := copy(p[n:], parts[r.part][r.at:])
		n += c
		if r.at += c; r.at == len(parts[r.part]) {
			r.part, r.at = r.part+1, 0
		}
	}
	r.done = r.part == len(parts)
	r.body.leave(r.done)
	if n == 0 && len(p) > 0 {
		return 0, io.EOF
	}
	return n, nil
}

// WriteTo writes what was not read yet, without a copy of it.
func (r *bodyReader) WriteTo(w io.Writer) (int64, error) {
	if r.done {
		return 0, nil
	}
	parts, ok := r.body.enter()
	if !ok {
		return 0, errReleased
	}
	rest := slices.Clone(parts[r.part:])
	if len(rest) > 0 {
		rest[0] = rest[0][r.at:]
	}
	buffers := net.Buffers(rest)
	n, err := buffers.WriteTo(w)
	r.done = err == nil
	r.body.leave(r.done)
	return n, err
}

func (r *bodyReader) Close() error { return nil }

// ReadWhole reads an answer that is not a stream, up to limit bytes: behind what of it head has already, or to another place where that
// has no room. When more is true it goes on in r, and b is its beginning. A cut answer is an error, with what came of it.
func ReadWhole(r io.Reader, limit int64, head []byte) (b []byte, more bool, err error) {
	b = head
	for int64(len(b)) <= limit { // the byte past the limit tells whether there is more; it is in b
		if len(b) == cap(b) {
			b = slices.Grow(b, max(len(b), 512))
		}
		n, err := r.Read(b[len(b):min(int64(cap(b)), limit+1)])
		b = b[:len(b)+n]
		if err == io.EOF {
			return b, int64(len(b)) > limit, nil
		}
		if err != nil {
			return b, false, err
		}
	}
	return b, true, nil
}
