//go:build !unix

package http1

import (
	"errors"
	"sync"
	"syscall"
)

const polls = false

// poll is nothing here: there is no reading without a buffer.
type poll struct{}

func (*poll) bind() {}

func (*poll) read(syscall.RawConn, *sync.Pool, int) (*Buffer, int, error) {
	return nil, 0, errors.ErrUnsupported
}

func (*poll) silent(syscall.RawConn) bool { return true }
