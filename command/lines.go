package command

import (
	"bufio"
	"errors"
	"io"
)

// lineReader reads lines of any length. io.EOF is the end after a whole one.
type lineReader struct {
	in   *bufio.Reader
	long []byte
}

// next gives a line without its line feed. It is good until the next call.
func (r *lineReader) next() ([]byte, error) {
	r.long = r.long[:0]
	for {
		part, err := r.in.ReadSlice('\n')
		switch {
		case err == nil && len(r.long) == 0:
			return part[:len(part)-1], nil
		case err == nil:
			r.long = append(r.long, part[:len(part)-1]...)
			return r.long, nil
		case errors.Is(err, bufio.ErrBufferFull):
			r.long = append(r.long, part...)
		case errors.Is(err, io.EOF) && len(part)+len(r.long) > 0:
			return nil, io.ErrUnexpectedEOF
		default:
			return nil, err
		}
	}
}
