package gateway

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"
)

func bodyRequest(coding string, length int64, r io.Reader) *http.Request {
	req := httptest.NewRequest(http.MethodPost, "/v1/chat/completions", r)
	req.ContentLength = length
	if coding != "" {
		req.Header.Set("Content-Encoding", coding)
	}
	return req
}

func encoded(t *testing.T, coding, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	var w io.WriteCloser
	var err error
	switch coding {
	case "gzip":
		w = gzip.NewWriter(&b)
	case "zstd":
		w, err = zstd.NewWriter(&b)
	case "br":
		w = brotli.NewWriter(&b)
	default:
		return []byte(text)
	}
	if err == nil {
		_, err = io.WriteString(w, text)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// noise is text that no coding makes much smaller.
func noise(n int) string {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{}).Read(b)
	return string(b)
}

// TestReadBody: bodies come whole in every coding, however they are cut, and hold nothing when they are released.
func TestReadBody(t *testing.T) {
	for _, coding := range []string{"", "gzip", "zstd", "br"} {
		for _, size := range []int{0, 1, smallestRoom - 1, smallestRoom, smallestRoom + 1, 100_000, largeRoom, largeRoom + 1, 3*largeRoom - 1, 3 * largeRoom, largestRoom, largestRoom + 1} {
			text := strings.Repeat("x", size)
			raw := encoded(t, coding, text)
			p := newPool(1 << 30)
			s := p.enter("ada")
			for _, length := range []int64{int64(len(raw)), -1} {
				b, refusal := readBody(bodyRequest(coding, length, iotest.HalfReader(bytes.NewReader(raw))), 2*largestRoom, s)
				if refusal != nil {
					t.Fatalf("%q, %d bytes: %s", coding, size, refusal.Message)
				}
				if string(b.bytes) != text {
					t.Errorf("%q, %d bytes: came as %d", coding, size, len(b.bytes))
				}
				if int64(cap(b.bytes)) != s.held.Load() {
					t.Errorf("%q, %d bytes: %d are counted, %d are held", coding, size, s.held.Load(), cap(b.bytes))
				}
				b.release()
				b.release()
				if s.held.Load() != 0 {
					t.Errorf("%q, %d bytes: %d held after release", coding, size, s.held.Load())
				}
			}
		}
	}
}

// TestPieces: a body whose length nobody has said needs no more of the memory than itself, so that one of the usual size has its place in a
// member's share.
func TestPieces(t *testing.T) {
	const most = 20 * largeRoom
	for _, coding := range []string{"", "gzip"} {
		for _, size := range []int{2*largeRoom + 1, 9*largeRoom - 1, most - largeRoom} {
			p := newPool(4 * (most + 2*largeRoom))
			p.enter("bob")
			s := p.enter("ada")
			text := strings.Repeat("x", size-1) + "y"
			b, refusal := readBody(bodyRequest(coding, -1, bytes.NewReader(encoded(t, coding, text))), most, s)
			if refusal != nil {
				t.Fatalf("%q, %d bytes: %s", coding, size, refusal.Message)
			}
			if string(b.bytes) != text {
				t.Errorf("%q, %d bytes: came as %d", coding, size, len(b.bytes))
			}
			b.release()
			if s.held.Load() != 0 || p.held.Load() != 0 {
				t.Errorf("%q, %d bytes: %d held after release", coding, size, p.held.Load())
			}
		}
	}
}

func TestReadBodyRefused(t *testing.T) {
	limited := func(r *http.Request) *http.Request {
		r.Body = http.MaxBytesReader(nil, r.Body, 77)
		return r
	}
	long := strings.Repeat("x", 2000)
	for name, test := range map[string]struct {
		request *http.Request
		status  int
		says    string
	}{
		"too long":                       {bodyRequest("", 2000, strings.NewReader(long)), 413, "1000 bytes"},
		"too long, of unknown length":    {bodyRequest("", -1, strings.NewReader(long)), 413, "1000 bytes"},
		"too long when it is decoded":    {bodyRequest("gzip", -1, bytes.NewReader(encoded(t, "gzip", long))), 413, "1000 bytes"},
		"another handler's limit":        {limited(bodyRequest("", -1, strings.NewReader(long))), 413, "77 bytes"},
		"another handler's limit, coded": {limited(bodyRequest("zstd", -1, bytes.NewReader(encoded(t, "zstd", noise(900))))), 413, "77 bytes"},
		"not gzip":                       {bodyRequest("gzip", -1, strings.NewReader(long)), 400, "not gzip"},
		"an unknown coding":              {bodyRequest("deflate", -1, strings.NewReader(long)), 415, "gzip, zstd, br or none"},
		"cut off":                        {bodyRequest("", -1, iotest.ErrReader(io.ErrUnexpectedEOF)), 400, "to its end"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newPool(1 << 30).enter("ada")
			b, refusal := readBody(test.request, 1000, s)
			if b != nil || refusal == nil || refusal.Status != test.status || !strings.Contains(refusal.Message, test.says) {
				t.Errorf("got %+v", refusal)
			}
			if s.held.Load() != 0 {
				t.Errorf("%d bytes are held", s.held.Load())
			}
		})
	}
}

// stalled gives a few bytes, and then tells that it is asked for more, of which none come before it is released.
type stalled struct {
	head    io.Reader
	asked   chan struct{}
	release chan struct{}
}

func (s *stalled) Read(p []byte) (int, error) {
	if n, err := s.head.Read(p); err == nil {
		return n, nil
	}
	close(s.asked)
	<-s.release
	return 0, io.ErrUnexpectedEOF
}

// TestAnnounced: what is announced and does not come costs next to nothing, but for windows: they are there at once.
func TestAnnounced(t *testing.T) {
	zstdHead := encoded(t, "zstd", noise(1<<20))[:64]
	brotliHead := func(bits int) []byte {
		var b bytes.Buffer
		w := brotli.NewWriterOptions(&b, brotli.WriterOptions{LGWin: bits})
		_, _ = io.WriteString(w, strings.Repeat("abc", 10))
		_ = w.Flush()
		return b.Bytes()
	}
	for name, test := range map[string]struct {
		coding      string
		head        []byte
		least, most int64
	}{
		"a long body":        {"", []byte("{"), 1, smallestRoom},
		"gzip":               {"gzip", encoded(t, "gzip", "{}")[:11], gzipHolds, gzipHolds + smallestRoom},
		"a window of zstd":   {"zstd", zstdHead, 1 << 20, 10 << 20},
		"a window of 256 kB": {"br", brotliHead(18), 1 << 18, 1<<18 + brotliHolds + smallestRoom},
		"a window of 16 MB":  {"br", brotliHead(24), 1 << 24, 1<<24 + brotliHolds + smallestRoom},
	} {
		t.Run(name, func(t *testing.T) {
			s := newPool(1 << 30).enter("ada")
			r := &stalled{bytes.NewReader(test.head), make(chan struct{}), make(chan struct{})}
			done := make(chan struct{})
			go func() {
				defer close(done)
				_, _ = readBody(bodyRequest(test.coding, 10<<20, r), 32<<20, s)
			}()
			<-r.asked
			if held := s.held.Load(); held < test.least || held > test.most {
				t.Errorf("%d bytes are held, want %d to %d", held, test.least, test.most)
			}
			close(r.release)
			<-done
			if s.held.Load() != 0 {
				t.Errorf("%d bytes are held in the end", s.held.Load())
			}
		})
	}
}

// TestWindowsShared: those who announce windows get no more than their share.
func TestWindowsShared(t *testing.T) {
	p := newPool(64 << 20)
	p.enter("bob")
	s := p.enter("ada")
	var open []*decoder
	for i := range 100 {
		d, err := newDecoder("zstd", bytes.NewReader(encoded(t, "zstd", strings.Repeat(fmt.Sprint(i), 8<<20))), s)
		if err != nil {
			break
		}
		open = append(open, d)
	}
	if len(open) != 1 || s.held.Load() > 16<<20 {
		t.Errorf("%d decoders hold %d bytes of a share of %d", len(open), s.held.Load(), 16<<20)
	}
}
