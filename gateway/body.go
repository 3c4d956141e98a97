package gateway

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"

	"github.com/tokenbuddy/caddy-tokenbuddy/dialect"
)

// body is a request's body, decoded, and its share of the memory.
type body struct {
	bytes []byte
	share int64
}

// release gives the memory back. It may be called again.
func (b *body) release() {
	memory.give(b.share)
	b.bytes, b.share = nil, 0
}

// readBody reads a request's body to its end, so that HTTP/1 notices a client that leaves, and undoes its coding. The limit
// is on the decoded size: it bounds what a small compressed body can unfold to.
func readBody(r *http.Request, limit int64) (*body, *dialect.Refusal) {
	if r.ContentLength > limit && contentCoding(r.Header) == "" {
		return nil, dialect.TooLarge(limit)
	}
	decoded, closeDecoder, err := decoder(contentCoding(r.Header), r.Body)
	if err != nil {
		return nil, dialect.InvalidRequest("", err.Error())
	}
	defer closeDecoder()
	b := new(body)
	buf, err := b.fill(decoded, r.ContentLength, limit)
	var tooLarge *http.MaxBytesError
	switch {
	case err == nil && int64(len(buf)) <= limit:
		b.bytes = buf
		return b, nil
	case err == nil, errors.As(err, &tooLarge):
		b.release()
		return nil, dialect.TooLarge(limit)
	case errors.Is(err, errNoMemory):
		b.release()
		return nil, dialect.Unavailable(time.Second, "Too many large requests are under way. Ask again in a moment.")
	default:
		b.release()
		return nil, dialect.InvalidRequest("", "the request's body could not be read to its end")
	}
}

// fill reads up to one byte past the limit, taking from the memory budget as it goes.
func (b *body) fill(r io.Reader, hint, limit int64) ([]byte, error) {
	// A body of known length is read without growing: bytes.Buffer wants MinRead to spare to see the end.
	size := min(max(hint, 4<<10), limit) + bytes.MinRead
	var buf bytes.Buffer
	for {
		if !memory.take(size) {
			return nil, errNoMemory
		}
		b.share += size
		buf.Grow(int(size))
		n, err := io.CopyN(&buf, r, min(size, limit+1-int64(buf.Len())))
		if errors.Is(err, io.EOF) || int64(buf.Len()) > limit {
			return buf.Bytes(), nil
		}
		if err != nil {
			return nil, err
		}
		size = min(2*max(n, 4<<10), limit+1-int64(buf.Len()))
	}
}

// maxDiscarded bounds what is read of a request that is refused, in bytes.
const maxDiscarded = 64 << 20

// discardTime bounds how long it is read, so that nobody holds a config that is gone by sending a byte now and then.
const discardTime = 10 * time.Second

// answerBeforeBody answers a request whose body has not been read, and then reads what comes of it, for a while. Many HTTP/1 clients send
// a body to its end before they look for the answer; those would find the connection reset instead, and take a refusal for a
// failure that another try may better. HTTP/2 tells them, and a client that waits for leave to send (Expect: 100-continue)
// has nothing under way.
func answerBeforeBody(w http.ResponseWriter, r *http.Request, answer func()) {
	rc := http.NewResponseController(w)
	if r.ProtoMajor != 1 || r.ContentLength == 0 || r.Header.Get("Expect") != "" || rc.EnableFullDuplex() != nil {
		answer()
		return
	}
	answer()
	if rc.Flush() == nil && rc.SetReadDeadline(time.Now().Add(discardTime)) == nil {
		_, _ = io.CopyN(io.Discard, r.Body, maxDiscarded)
		_ = rc.SetReadDeadline(time.Time{}) // errs on a connection that is gone
	}
}

func contentCoding(h http.Header) string {
	coding := strings.ToLower(strings.TrimSpace(strings.Join(h.Values("Content-Encoding"), ",")))
	if coding == "identity" {
		return ""
	}
	return coding
}

// decoder undoes a content coding. The window of zstd is bounded, since the sender chooses it.
func decoder(coding string, r io.Reader) (io.Reader, func(), error) {
	nothing := func() {}
	switch coding {
	case "":
		return r, nothing, nil
	case "gzip", "x-gzip":
		z, err := gzip.NewReader(r)
		if err != nil {
			return nil, nothing, errors.New("the body is not gzip, though Content-Encoding says so")
		}
		return z, func() { _ = z.Close() }, nil
	case "zstd":
		z, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(8<<20), zstd.WithDecoderLowmem(true))
		if err != nil {
			return nil, nothing, errors.New("the body is not zstd, though Content-Encoding says so")
		}
		return z, z.Close, nil
	case "br":
		return brotli.NewReader(r), nothing, nil
	}
	return nil, nothing, fmt.Errorf("this Content-Encoding is not known here: send gzip, zstd, br or none")
}
