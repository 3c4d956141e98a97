package http1

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// maxInline is up to which size a request is written before its answer is waited for, in bytes. The other end's kernel takes as much
// whatever its program does. What is larger is written beside the reading: an answer may come before all of it was sent, and the
// other end may want it read first.
const maxInline = 32 << 10

// writeGrace is how long an answer is waited for after the writing has failed: who refuses a request may well close the connection
// before it has read it.
const writeGrace = 50 * time.Millisecond

var heads = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// written here and not with the other headers, as net/http does.
var notSubset = map[string]bool{"Host": true, "User-Agent": true, "Content-Length": true, "Transfer-Encoding": true, "Trailer": true}

// defaultAgent is what net/http calls itself where a header says nothing of it.
const defaultAgent = "Go-http-client/1.1"

// writeHead writes the request line and the headers.
func writeHead(b *bytes.Buffer, r *http.Request) {
	b.WriteString(cmp.Or(r.Method, http.MethodGet))
	b.WriteByte(' ')
	b.WriteString(r.URL.RequestURI())
	b.WriteString(" HTTP/1.1\r\nHost: ")
	b.WriteString(cmp.Or(r.Host, r.URL.Host))
	b.WriteString("\r\n")
	agent := defaultAgent
	if values, ok := r.Header["User-Agent"]; ok {
		agent = ""
		if len(values) > 0 {
			agent = values[0]
		}
	}
	if agent != "" {
		b.WriteString("User-Agent: ")
		b.WriteString(agent)
		b.WriteString("\r\n")
	}
	if length := bodyLength(r); length > 0 || r.Method == http.MethodPost || r.Method == http.MethodPut || r.Method == http.MethodPatch {
		b.WriteString("Content-Length: ")
		b.Write(strconv.AppendInt(b.AvailableBuffer(), length, 10))
		b.WriteString("\r\n")
	}
	_ = r.Header.WriteSubset(b, notSubset) // a buffer takes everything
	b.WriteString("\r\n")
}

func bodyLength(r *http.Request) int64 {
	if r.Body == nil || r.Body == http.NoBody {
		return 0
	}
	return r.ContentLength
}

// upload is the writing of a request.
type upload struct {
	done  chan struct{} // nil: it was done at once
	wrote int64         // once it is done, as err
	err   error

	mu       sync.Mutex
	answered bool // the answer's head is there
	hurried  bool // the connection has a deadline for it
}

// start writes the request, or begins to. It closes the request's body.
func (u *upload) start(c net.Conn, r *http.Request) {
	head := heads.Get().(*bytes.Buffer)
	head.Reset()
	writeHead(head, r)
	length := bodyLength(r)
	if length > maxInline {
		u.done = make(chan struct{})
		go u.run(c, r, head)
		return
	}
	if length > 0 {
		if u.err = readBody(head, r.Body, length); u.err != nil {
			_ = c.Close() // nobody waits for an answer to what was not sent
		}
	}
	closeBody(r)
	if u.err == nil {
		n, err := c.Write(head.Bytes())
		if u.wrote, u.err = int64(n), err; err != nil {
			u.hurry(c)
		}
	}
	if head.Cap() <= 2*maxInline {
		heads.Put(head)
	}
}

// readBody puts a body behind its head.
func readBody(head *bytes.Buffer, body io.Reader, length int64) error {
	head.Grow(int(length))
	b := head.AvailableBuffer()[:length]
	if n, err := io.ReadFull(body, b); err != nil {
		return shortBody(length, int64(n), err)
	}
	_, _ = head.Write(b)
	return nil
}

func shortBody(length, n int64, err error) error {
	return fmt.Errorf("the request's body ends after %d of %d bytes: %w", n, length, err)
}

// run writes a large request.
func (u *upload) run(c net.Conn, r *http.Request, head *bytes.Buffer) {
	defer close(u.done)
	defer closeBody(r)
	n, err := c.Write(head.Bytes())
	u.wrote = int64(n)
	heads.Put(head)
	if err == nil {
		var m int64
		if body, ok := r.Body.(io.WriterTo); ok {
			m, err = body.WriteTo(c)
		} else {
			m, err = io.Copy(struct{ io.Writer }{c}, io.LimitReader(r.Body, r.ContentLength))
		}
		u.wrote += m
		if err == nil && m != r.ContentLength {
			err = shortBody(r.ContentLength, m, io.ErrUnexpectedEOF)
			_ = c.Close()
		}
	}
	if u.err = err; err != nil {
		u.hurry(c)
	}
}

// hurry waits for the answer's head no longer than the grace.
func (u *upload) hurry(c net.Conn) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if !u.answered {
		u.hurried = true
		_ = c.SetReadDeadline(time.Now().Add(writeGrace))
	}
}

// answer says that the answer's head is there.
func (u *upload) answer(c net.Conn) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.answered = true; u.hurried {
		_ = c.SetReadDeadline(time.Time{})
	}
}

// failed tells why a request could not be written, as far as that is known.
func (u *upload) failed() error {
	if u.done != nil {
		select {
		case <-u.done:
		default:
			return nil
		}
	}
	return u.err
}

// finished waits for the end of the writing for a moment, and tells whether all was well.
func (u *upload) finished() bool {
	if u.done != nil {
		select {
		case <-u.done:
		default:
			late := time.NewTimer(writeGrace)
			defer late.Stop()
			select {
			case <-u.done:
			case <-late.C:
				return false
			}
		}
	}
	return u.err == nil
}

// end waits for the end of the writing, after the connection was closed: nobody reads the request's body any more.
func (u *upload) end() {
	if u.done != nil {
		<-u.done
	}
}
