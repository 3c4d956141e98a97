//go:build unix

package http1

import (
	"io"
	"os"
	"sync"
	"syscall"
)

const polls = true

// poll reads from a socket without having a buffer while there is nothing to read.
type poll struct {
	buffers *sync.Pool
	most    int
	buf     *Buffer
	n       int
	err     error

	tryRead, tryProbe func(fd uintptr) bool
	probe             [1]byte
}

// bind makes the functions that are called for each read, once.
func (p *poll) bind() { p.tryRead, p.tryProbe = p.reading, p.probing }

func (p *poll) read(raw syscall.RawConn, buffers *sync.Pool, most int) (*Buffer, int, error) {
	p.buffers, p.most, p.buf, p.n, p.err = buffers, most, nil, 0, nil
	err := raw.Read(p.tryRead)
	buf := p.buf
	p.buf, p.buffers = nil, nil
	if err == nil {
		err = p.err
	}
	return buf, p.n, err
}

// reading is asked once before there is anything to read, and whenever there may be. It is false where there is nothing.
func (p *poll) reading(fd uintptr) bool {
	buf := p.buffers.Get().(*Buffer)
	n, err := readFD(fd, buf.Filled(p.most))
	if err == syscall.EAGAIN {
		p.buffers.Put(buf)
		return false
	}
	p.buf = buf
	switch {
	case err != nil:
		p.err = os.NewSyscallError("read", err)
	case n == 0:
		p.err = io.EOF
	default:
		p.n = n
	}
	return true
}

// silent tells whether the socket is open and has nothing to read.
func (p *poll) silent(raw syscall.RawConn) bool {
	return raw.Read(p.tryProbe) == nil && p.err == syscall.EAGAIN
}

func (p *poll) probing(fd uintptr) bool {
	_, p.err = readFD(fd, p.probe[:])
	return true
}

func readFD(fd uintptr, b []byte) (n int, err error) {
	for {
		if n, err = syscall.Read(int(fd), b); err != syscall.EINTR {
			return n, err
		}
	}
}
