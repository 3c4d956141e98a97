package http1

import (
	"bufio"
	"errors"
	"math"
	"net"
	"sync"
	"syscall"
	"time"
)

// conn is one connection. All but Close is for whoever has it to himself.
type conn struct {
	net.Conn
	pool      *pool
	address   string
	used      bool // before the request at hand
	idleSince time.Time

	br   *bufio.Reader // nil: nothing is buffered
	left int64         // what may still be read
	got  bool          // something has been read since the request was begun

	raw  syscall.RawConn // nil: there is no reading without a buffer
	poll poll
}

var readers = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, readerSize) }}

// readerSize is the room for an answer's head, and what is read at once for readers with little room of their own, in bytes.
const readerSize = 4 << 10

func newConn(nc net.Conn, p *pool, address string) *conn {
	c := &conn{Conn: nc, pool: p, address: address, left: math.MaxInt64}
	if s, ok := nc.(syscall.Conn); ok && polls {
		if raw, err := s.SyscallConn(); err == nil {
			c.raw = raw
			c.poll.bind()
		}
	}
	return c
}

var errLongHead = errors.New("the answer's headers are too long")

// Read reads from the connection itself. It is for br.
func (c *conn) Read(p []byte) (int, error) {
	if c.left <= 0 {
		return 0, errLongHead
	}
	if int64(len(p)) > c.left {
		p = p[:c.left]
	}
	n, err := c.Conn.Read(p)
	c.left -= int64(n)
	c.got = c.got || n > 0
	return n, err
}

// buffered gives the buffer for small reads.
func (c *conn) buffered() *bufio.Reader {
	if c.br == nil {
		c.br = readers.Get().(*bufio.Reader)
		c.br.Reset(c)
	}
	return c.br
}

// release gives the buffer back when there is nothing in it.
func (c *conn) release() {
	if c.br != nil && c.br.Buffered() == 0 {
		c.br.Reset(nil)
		readers.Put(c.br)
		c.br = nil
	}
}

// read reads past the head: what is buffered first, and small reads through the buffer.
func (c *conn) read(p []byte) (n int, err error) {
	if c.br == nil && len(p) >= readerSize {
		return c.Read(p)
	}
	n, err = c.buffered().Read(p)
	c.release()
	return n, err
}

// alive tells whether an idle connection is open and silent, as far as can be seen without waiting.
func (c *conn) alive() bool { return c.raw == nil || c.poll.silent(c.raw) }

// next reads into a buffer that it takes once there is something to read.
func (c *conn) next(buffers *sync.Pool, most int) (buf *Buffer, n int, err error) {
	if c.br != nil || c.raw == nil {
		buf = buffers.Get().(*Buffer)
		p := buf.Filled(most)
		if c.br != nil && c.br.Buffered() > 0 {
			p = p[:min(most, c.br.Buffered())]
		}
		n, err = c.read(p)
	} else {
		buf, n, err = c.poll.read(c.raw, buffers, most)
	}
	if n == 0 && buf != nil {
		buffers.Put(buf)
		buf = nil
	}
	return buf, n, err
}
