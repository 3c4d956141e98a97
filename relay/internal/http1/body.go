package http1

import (
	"errors"
	"io"
	"net/http"
	"os"
	"sync"
	"time"
)

// Buffer is what Body.Next reads into: behind Ahead bytes that are left free for whoever has something to put right before what came.
type Buffer [Ahead + 32<<10]byte

// Ahead is how many bytes of a Buffer are left free.
const Ahead = 2 << 10

// Filled gives what was read, where that were n bytes.
func (b *Buffer) Filled(n int) []byte { return b[Ahead : Ahead+n] }

var (
	// ErrDeadline is what Next gives when nothing has come in time. The body can be read on.
	ErrDeadline = errors.New("nothing has come in time")
	// ErrWoken is what Next gives after Wake. The body can be read on.
	ErrWoken = errors.New("woken")
)

// Body is an answer's body. Read and Next are for one goroutine at a time, Close and Wake for any.
type Body struct {
	x       *exchange
	framing framing
	left    int64 // of framedLength
	chunks  chunks
	ends    bool // the connection ends with the answer

	mu       sync.Mutex
	done     bool      // the connection is another's, or closed
	woken    bool      // and nobody knows yet
	deadline time.Time // that is set; zero: none

	err error // how it ended, for the reader
}

type framing uint8

const (
	framedClose framing = iota // by the connection's end
	framedLength
	framedChunks
)

// Read reads as any body.
func (b *Body) Read(p []byte) (n int, err error) {
	if b.err != nil || len(p) == 0 {
		return 0, b.err
	}
	b.mu.Lock()
	if !b.deadline.IsZero() && !b.done {
		b.setDeadline(time.Time{})
	}
	b.mu.Unlock()
	for n == 0 && err == nil {
		n, err = b.x.c.read(p[:b.most(len(p))])
		n, err = b.framed(p[:n], err)
	}
	return n, err
}

// Next waits until something comes, but no longer than to until (zero: as long as it takes) and not past Wake, and reads it into a
// buffer of buffers, which have *Buffer. It holds no buffer while it waits, where the system allows that. buf is nil when n is 0.
func (b *Body) Next(buffers *sync.Pool, until time.Time) (buf *Buffer, n int, err error) {
	for b.err == nil {
		if err := b.arm(until); err != nil {
			return nil, 0, err
		}
		buf, n, err = b.x.c.next(buffers, b.most(len(Buffer{})-Ahead))
		if n == 0 && errors.Is(err, os.ErrDeadlineExceeded) {
			if err = b.expired(until); err != nil {
				return nil, 0, err
			}
			continue
		}
		n, err = b.framed(buf.sized(n), err)
		if n > 0 || err != nil {
			if n == 0 && buf != nil {
				buffers.Put(buf)
				buf = nil
			}
			return buf, n, err
		}
		if buf != nil {
			buffers.Put(buf)
		}
	}
	return nil, 0, b.err
}

func (b *Buffer) sized(n int) []byte {
	if b == nil {
		return nil
	}
	return b.Filled(n)
}

// most is how much may be read at once.
func (b *Body) most(room int) int {
	if b.framing == framedLength && b.left < int64(room) {
		return int(b.left)
	}
	return room
}

// framed takes the framing out of what was read, and sees to the end.
func (b *Body) framed(p []byte, err error) (int, error) {
	n := len(p)
	whole := false
	switch b.framing {
	case framedChunks:
		var bad error
		if n, bad = b.chunks.decode(p); bad != nil {
			err = bad
		}
		whole = bad == nil && b.chunks.state == chunkEnd
	case framedLength:
		b.left -= int64(n)
		whole = b.left == 0
	case framedClose:
		whole = err == io.EOF
	}
	switch {
	case whole:
		err = io.EOF
	case err == io.EOF:
		err = io.ErrUnexpectedEOF
	case err == nil:
		return n, nil
	}
	b.err = b.finish(whole)
	if b.err == nil {
		b.err = causeOr(b.x.ctx, err)
	}
	if whole {
		b.err = io.EOF
	}
	return n, b.err
}

// arm sets the deadline, where the one that is set would come too late. One that comes too early is cheaper to find out then.
func (b *Body) arm(until time.Time) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.done:
		return http.ErrBodyReadAfterClose
	case b.woken:
		b.woken = false
		b.setDeadline(time.Time{})
		return ErrWoken
	case !until.IsZero() && (b.deadline.IsZero() || until.Before(b.deadline)):
		b.setDeadline(until)
	}
	return nil
}

// expired is after the deadline that was set: nil where another is to be set.
func (b *Body) expired(until time.Time) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.done {
		return http.ErrBodyReadAfterClose
	}
	woken := b.woken
	b.woken = false
	b.setDeadline(time.Time{})
	switch {
	case woken:
		return ErrWoken
	case !until.IsZero() && !time.Now().Before(until):
		return ErrDeadline
	}
	return nil
}

func (b *Body) setDeadline(t time.Time) {
	b.deadline = t
	_ = b.x.c.SetReadDeadline(t) // the read finds out
}

// Wake ends the wait of a Next that is under way, or else of the one that comes next.
func (b *Body) Wake() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.done {
		b.woken = true
		b.setDeadline(time.Unix(1, 0))
	}
}

// Close ends the answer. Where it has not been read to its end, the connection is closed.
func (b *Body) Close() error {
	_ = b.finish(false)
	return nil
}

// finish lets go of the connection. It is kept for another request where the answer came whole and nothing else did, the request was
// sent whole, and nobody has ended the call. The error says that it was closed before.
func (b *Body) finish(whole bool) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.done {
		return http.ErrBodyReadAfterClose
	}
	b.done = true
	c, u := b.x.c, &b.x.upload
	keep := whole && !b.ends && !b.chunks.spoilt && u.finished() && b.x.stop()
	if whole {
		c.release() // here it is the reader who calls
		keep = keep && c.br == nil
	}
	if !keep {
		b.x.stop()
		_ = c.Close()
		u.end()
		return nil
	}
	if !b.deadline.IsZero() {
		b.setDeadline(time.Time{})
	}
	c.pool.put(c)
	return nil
}
