package relay

import (
	"cmp"
	"io"
	"slices"
)

// Edit puts Text in the place of the bytes from Start to End.
type Edit struct {
	Start, End int
	Text       []byte
}

// Body is a request's body as it goes to a seller. It holds the bytes it was made of, which must not change as long as
// anything may read it: a transport may still do so when it has answered.
type Body struct {
	parts [][]byte
	size  int64
}

// Splice makes a body of body with the edits done, without copying it. Edits that overlap or lie outside of body are a
// mistake of the caller's and panic.
func Splice(body []byte, edits ...Edit) *Body {
	edits = slices.Clone(edits)
	slices.SortStableFunc(edits, func(a, b Edit) int { return cmp.Compare(a.Start, b.Start) })
	b := &Body{}
	at := 0
	for _, e := range edits {
		b.add(body[at:e.Start])
		b.add(e.Text)
		at = max(e.Start, e.End)
	}
	b.add(body[at:])
	return b
}

func (b *Body) add(part []byte) {
	if len(part) > 0 {
		b.parts = append(b.parts, part)
		b.size += int64(len(part))
	}
}

// Len is the length in bytes.
func (b *Body) Len() int64 { return b.size }

// Reader reads the body from its beginning. Each reader stands for itself, so that an attempt can be made again.
func (b *Body) Reader() io.ReadCloser { return &bodyReader{parts: b.parts} }

type bodyReader struct {
	parts [][]byte
	at    int // in the first part
}

func (r *bodyReader) Read(p []byte) (n int, err error) {
	for n < len(p) && len(r.parts) > 0 {
		c := copy(p[n:], r.parts[0][r.at:])
		n += c
		if r.at += c; r.at == len(r.parts[0]) {
			r.parts, r.at = r.parts[1:], 0
		}
	}
	if n == 0 && len(p) > 0 {
		return 0, io.EOF
	}
	return n, nil
}

func (r *bodyReader) Close() error { return nil }

// ReadWhole reads an answer that is not a stream, up to limit bytes. When more is true it goes on in r, and b is its
// beginning. A cut answer is an error, with what came of it.
func ReadWhole(r io.Reader, limit int64) (b []byte, more bool, err error) {
	// The byte past the limit tells whether there is more; it is in b.
	b, err = io.ReadAll(io.LimitReader(r, limit+1))
	return b, err == nil && int64(len(b)) > limit, err
}
