package http1

import (
	"bufio"
	"bytes"
	"errors"
	"net/textproto"
)

// chunks takes the framing out of a chunked body. It can stop and go on at any byte, unlike net/http's reader, for which a read that
// runs into a deadline is the end; what it takes and what it refuses is the same.
type chunks struct {
	state  chunkState
	left   uint64 // of the chunk
	begun  []byte // of a line, or of the trailer
	excess int64  // how much more framing than data there was, as net/http counts it
	spoilt bool   // something has come after the body, or a trailer: no other request is to follow
}

type chunkState uint8

const (
	chunkSize chunkState = iota
	chunkData
	chunkCR
	chunkLF
	chunkTrailer
	chunkEnd
)

const (
	maxLine   = 4096
	maxExcess = 16 << 10
)

var (
	errMalformed = errors.New("malformed chunked encoding")
	errLongLine  = errors.New("a line of the chunked encoding is too long")
	errExcess    = errors.New("chunked encoding contains too much non-data")
	errTrailer   = errors.New("the trailer is too long")
)

// decode moves the data of what came to its front, and says how much it is. After the end nothing may come.
func (c *chunks) decode(p []byte) (n int, err error) {
	for at, took := 0, 0; at < len(p); at += took {
		switch c.state {
		case chunkSize:
			took, err = c.size(p[at:])
		case chunkData:
			took = int(min(uint64(len(p)-at), c.left))
			n += copy(p[n:], p[at:at+took])
			if c.left -= uint64(took); c.left == 0 {
				c.state = chunkCR
			}
		case chunkCR, chunkLF:
			if p[at] != "\r\n"[c.state-chunkCR] {
				return n, errMalformed
			}
			took = 1
			if c.state++; c.state > chunkLF {
				c.state = chunkSize
			}
		case chunkTrailer:
			took, err = c.trailer(p[at:])
		case chunkEnd:
			c.spoilt = true
			return n, nil
		}
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// size takes in the line before a chunk, as far as it has come, and says how much that was.
func (c *chunks) size(p []byte) (took int, err error) {
	i := bytes.IndexByte(p, '\n')
	if i < 0 {
		if len(c.begun)+len(p) >= maxLine {
			return 0, errLongLine
		}
		c.begun = append(c.begun, p...)
		return len(p), nil
	}
	line := p[:i+1]
	if len(c.begun) > 0 {
		line = append(c.begun, line...)
		c.begun = c.begun[:0]
	}
	return i + 1, c.begin(line)
}

// begin reads the line before a chunk.
func (c *chunks) begin(line []byte) error {
	switch i := bytes.IndexByte(line, '\r'); {
	case len(line) > maxLine:
		return errLongLine
	case i < 0, i != len(line)-2:
		return errMalformed
	}
	line = line[:len(line)-2]
	c.excess += int64(len(line)) + 2
	size, ok := parseSize(line)
	if !ok {
		return errMalformed
	}
	if size == 0 {
		c.state = chunkTrailer
		return nil
	}
	if c.excess = max(0, c.excess-16-2*int64(size)); c.excess > maxExcess {
		return errExcess
	}
	c.left, c.state = size, chunkData
	return nil
}

// parseSize reads a chunk's size. Extensions have no meaning here.
func parseSize(line []byte) (size uint64, ok bool) {
	line = bytes.TrimRight(line, " \t")
	line, _, _ = bytes.Cut(line, []byte(";"))
	if len(line) == 0 || len(line) > 16 {
		return 0, false
	}
	for _, b := range line {
		switch {
		case '0' <= b && b <= '9':
			b -= '0'
		case 'a' <= b && b <= 'f':
			b -= 'a' - 10
		case 'A' <= b && b <= 'F':
			b -= 'A' - 10
		default:
			return 0, false
		}
		size = size<<4 | uint64(b)
	}
	return size, true
}

// trailer takes in what follows the last chunk, to the blank line, and says how much that was.
func (c *chunks) trailer(p []byte) (took int, err error) {
	for i, b := range p {
		c.begun = append(c.begun, b)
		switch {
		case len(c.begun) > maxLine:
			return i + 1, errTrailer
		case b == '\n' && (string(c.begun) == "\r\n" || bytes.HasSuffix(c.begun, []byte("\r\n\r\n"))):
			c.state = chunkEnd
			return i + 1, c.checkTrailer()
		}
	}
	return len(p), nil
}

// checkTrailer refuses what is no header. Nothing in it is of use here.
func (c *chunks) checkTrailer() error {
	if string(c.begun) == "\r\n" {
		return nil
	}
	c.spoilt = true
	_, err := textproto.NewReader(bufio.NewReader(bytes.NewReader(c.begun))).ReadMIMEHeader()
	return err
}
