package gateway

import (
	"bufio"
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"
)

// decoder undoes the content coding of a body. What it holds for itself is counted: a few bytes can announce a window of many
// megabytes.
type decoder struct {
	io.Reader
	close func()
	share *share
	holds int64 // bytes of its window and buffers
}

// errCoding refuses a content coding that is not known here.
var errCoding = errors.New("this Content-Encoding is not known here: send gzip, zstd, br or none")

const (
	// maxWindow is the largest window of zstd that is taken on: what the format wants each decoder to have.
	maxWindow = 8 << 20
	// What decoders hold beside their window, about.
	gzipHolds, zstdHolds, brotliHolds = 64 << 10, 512 << 10, 256 << 10
)

// newDecoder begins to undo a coding; "" is none. Its close has to be called.
func newDecoder(coding string, r io.Reader, s *share) (*decoder, error) {
	d := &decoder{Reader: r, close: func() {}, share: s}
	switch coding {
	case "":
		return d, nil
	case "gzip", "x-gzip":
		return d, d.gzip(r)
	case "zstd":
		return d, d.zstd(bufio.NewReaderSize(r, 4<<10))
	case "br":
		return d, d.brotli(bufio.NewReaderSize(r, 4<<10))
	}
	return nil, errCoding
}

// hold counts what the decoder is about to hold.
func (d *decoder) hold(n int64) error {
	if err := d.share.take(n); err != nil {
		return err
	}
	d.holds = n
	return nil
}

// Close lets go of all that the decoder holds.
func (d *decoder) Close() {
	d.close()
	d.share.give(d.holds)
	d.holds = 0
}

func (d *decoder) gzip(r io.Reader) error {
	if err := d.hold(gzipHolds); err != nil {
		return err
	}
	z, err := gzip.NewReader(r)
	if err != nil {
		return unreadable(err, "The request's body is not gzip, though Content-Encoding says so.")
	}
	d.Reader, d.close = z, func() { _ = z.Close() }
	return nil
}

func (d *decoder) zstd(r *bufio.Reader) error {
	window := uint64(maxWindow)
	head, err := r.Peek(zstd.HeaderMaxSize)
	if err != nil && err != io.EOF {
		return err
	}
	var header zstd.Header
	if header.Decode(head) == nil && !header.Skippable {
		window = header.WindowSize
		if header.SingleSegment { // the window is as large as all that is in the frame
			window = header.FrameContentSize
		}
		window = min(max(window, zstd.MinWindowSize), maxWindow)
	}
	if err := d.hold(int64(window) + zstdHolds); err != nil {
		return err
	}
	// The frames that follow the first one may announce no more than was counted.
	z, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(window), zstd.WithDecoderLowmem(true))
	if err != nil {
		return unreadable(err, "The request's body is not zstd, though Content-Encoding says so.")
	}
	d.Reader, d.close = z, z.Close
	return nil
}

func (d *decoder) brotli(r *bufio.Reader) error {
	head, err := r.Peek(1)
	if err != nil && err != io.EOF {
		return err
	}
	if err := d.hold(brotliWindow(head) + brotliHolds); err != nil {
		return err
	}
	d.Reader = brotli.NewReader(r)
	return nil
}

// brotliWindow reads the size of the window from the first byte of a stream (RFC 7932, 9.1).
func brotliWindow(head []byte) int64 {
	if len(head) == 0 {
		return 0
	}
	bits := 16
	switch b := head[0]; {
	case b&1 == 0:
	case b>>1&7 != 0:
		bits = 17 + int(b>>1&7)
	case b>>4&7 == 0:
		bits = 17
	default:
		bits = 8 + int(b>>4&7)
	}
	return 1 << bits
}

// unreadable keeps the error of a client that sends too much, or has gone; any other is about the coding.
func unreadable(err error, coding string) error {
	if errors.As(err, new(*http.MaxBytesError)) {
		return err
	}
	return errUnreadable(coding)
}

// errUnreadable says to the client what is wrong with its body.
type errUnreadable string

func (e errUnreadable) Error() string { return string(e) }

func contentCoding(h http.Header) string {
	coding := strings.ToLower(strings.TrimSpace(strings.Join(h.Values("Content-Encoding"), ",")))
	if coding == "identity" {
		return ""
	}
	return coding
}
