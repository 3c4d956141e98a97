package http1

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// transport is one of both that can be compared.
type transport interface {
	http.RoundTripper
	CloseIdleConnections()
}

const maxHead = 64 << 10

func ours(dial func(context.Context, string, string) (net.Conn, error)) transport {
	return New(Options{Dial: dial, MaxIdle: 100, MaxIdlePerHost: 10, IdleTime: time.Minute, MaxHead: maxHead})
}

func theirs(dial func(context.Context, string, string) (net.Conn, error)) transport {
	return &http.Transport{DialContext: dial, DisableCompression: true, MaxIdleConnsPerHost: 10, MaxResponseHeaderBytes: maxHead}
}

// pipes gives connections to a seller that answers each request with the text, in pieces of some bytes. When it has none more to
// answer, it ends the connection.
func pipes(text string, piece, answers int) (dial func(context.Context, string, string) (net.Conn, error), dials *int) {
	dials = new(int)
	return func(context.Context, string, string) (net.Conn, error) {
		*dials++
		client, seller := net.Pipe()
		go func() {
			defer seller.Close()
			requests := bufio.NewReader(seller)
			for range answers {
				r, err := http.ReadRequest(requests)
				if err != nil {
					return
				}
				_, _ = io.Copy(io.Discard, r.Body)
				for rest := text; rest != ""; {
					n := min(len(rest), piece)
					if _, err := io.WriteString(seller, rest[:n]); err != nil {
						return
					}
					rest = rest[n:]
				}
			}
		}()
		return client, nil
	}, dials
}

// seen is all that there is to an answer.
type seen struct {
	Failed, Broken bool // without an answer; in its body
	Status         int
	Proto          string
	Header         http.Header
	Length         int64
	Close          bool
	Body           string
}

func (s seen) String() string {
	type all seen
	return fmt.Sprintf("%+v", all(s))
}

func ask(ctx context.Context, by http.RoundTripper, method string, read func(io.Reader) ([]byte, error)) (s seen, err error) {
	var body io.Reader
	if method == http.MethodPost {
		body = strings.NewReader("{}")
	}
	r, err := http.NewRequestWithContext(ctx, method, "http://seller/v1", body)
	if err != nil {
		return s, err
	}
	resp, err := by.RoundTrip(r)
	if err != nil {
		return seen{Failed: true}, err
	}
	defer resp.Body.Close()
	b, err := read(resp.Body)
	return seen{
		Status: resp.StatusCode, Proto: resp.Proto, Header: resp.Header, Length: resp.ContentLength, Close: resp.Close,
		Body: string(b), Broken: err != nil,
	}, err
}

// reading gives a way to read a body: by Next where it has that and room is 0, else with so much room.
func reading(room int) func(io.Reader) ([]byte, error) {
	return func(r io.Reader) (all []byte, err error) {
		body, ok := r.(*Body)
		for {
			var n int
			if room == 0 && ok {
				var buf *Buffer
				buf, n, err = body.Next(&testBuffers, time.Time{})
				if n > 0 {
					all = append(all, buf.Filled(n)...)
				}
				if buf != nil {
					*buf = Buffer{}
					testBuffers.Put(buf)
				}
			} else {
				b := make([]byte, max(1, room))
				n, err = r.Read(b)
				all = append(all, b[:n]...)
			}
			if errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
				return all, nil
			}
			if err != nil {
				return all, err
			}
		}
	}
}

var testBuffers = sync.Pool{New: func() any { return new(Buffer) }}

const chunkedHead = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

// answers are what sellers may say, well or not.
var answers = []string{
	"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A: 1\r\nx-a: 2\r\n\r\nhello",
	"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel",
	"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello, and more",
	"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
	"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
	"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nhello",
	"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
	"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello",
	"HTTP/1.1 200 OK\r\n\r\nto the end",
	"HTTP/1.0 200 OK\r\n\r\nto the end",
	"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello",
	"HTTP/1.0 200 OK\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\nhello",
	"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n",
	"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
	"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
	"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
	"HTTP/1.1 102 Processing\r\n\r\n",
	strings.Repeat("HTTP/1.1 103 Early Hints\r\nLink: "+strings.Repeat("x", 1000)+"\r\n\r\n", 100) + "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
	"HTTP/1.1 200 OK\r\nX-Long: " + strings.Repeat("x", maxHead) + "\r\n\r\n",
	"HTTP/1.1 200 OK\r\nX-Long: " + strings.Repeat("x", maxHead/2) + "\r\nContent-Length: 0\r\n\r\n",
	chunkedHead + "5\r\nhello\r\n7; ext=1\r\n, world\r\n0\r\n\r\n",
	chunkedHead + "5\r\nhello\r\n0\r\nX-Trailer: t\r\nOther: u\r\n\r\n",
	chunkedHead + "5\r\nhello\r\n0\r\nno trailer\r\n\r\n",
	chunkedHead + "5\r\nhello\r\n0\r\nX: " + strings.Repeat("x", 5000) + "\r\n\r\n",
	chunkedHead + "5\r\nhello\r\n0\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
	chunkedHead + "5\r\nhello\r\n",
	chunkedHead + "5\r\nhello\r\n0\r\n",
	chunkedHead + "5\r\nhel",
	chunkedHead + "5\nhello\n0\n\n",
	chunkedHead + "5\r\nhelloX\r\n0\r\n\r\n",
	chunkedHead + "\r\nhello\r\n0\r\n\r\n",
	chunkedHead + "\nhello\n0\n\n",
	chunkedHead + "5\r\nhello\r\n\n",
	chunkedHead + "g\r\nhello\r\n0\r\n\r\n",
	chunkedHead + "5 \t\r\nhello\r\n00;x\r\n\r\n",
	chunkedHead + "11111111111111111\r\nhello\r\n0\r\n\r\n",
	chunkedHead + "ffffffffffffffff\r\nhello\r\n0\r\n\r\n",
	chunkedHead + "5;" + strings.Repeat("x", 4091) + "\r\nhello\r\n0\r\n\r\n",
	chunkedHead + "5;" + strings.Repeat("x", 4092) + "\r\nhello\r\n0\r\n\r\n",
	chunkedHead + "5;" + strings.Repeat("x", 4093) + "\r\nhello\r\n0\r\n\r\n",
	chunkedHead + strings.Repeat("1;"+strings.Repeat("x", 1000)+"\r\nh\r\n", 30) + "0\r\n\r\n",
	chunkedHead + strings.Repeat("a\r\n0123456789\r\n", 1000) + "0\r\n\r\n",
	chunkedHead + "10000\r\n" + strings.Repeat("0123456789abcdef", 4096) + "\r\n0\r\n\r\n",
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\nhello",
	"HTTP/1.1 200 OK\nContent-Length: 5\n\nhello",
	"HTTP/1.1 200\r\nContent-Length: 5\r\n\r\nhello",
	"HTTP/1.1 2000 OK\r\n\r\n", "HTTP/1.1 99 OK\r\n\r\n", "HTTP/2.0 200 OK\r\n\r\n", "HTTP/1.1\r\n\r\n", "junk\r\n\r\n", "\r\n", "", "H",
	"HTTP/1.1 200 OK\r\nno header\r\n\r\n", "HTTP/1.1 200 OK\r\n X: folded\r\n\r\n", "HTTP/1.1 200 OK\r\nX : space\r\n\r\n",
	"HTTP/1.1 200 OK\r\nX: folded\r\n twice\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 200 OK\r\nX: \x01\r\nContent-Length: 0\r\n\r\n",
}

// FuzzAnswer compares what is made of an answer with what net/http's transport makes of it.
func FuzzAnswer(f *testing.F) {
	for i, text := range answers {
		for _, c := range []struct{ piece, room uint16 }{{0xffff, 0}, {1, 0}, {7, 3}, {0xffff, 9000}} {
			if c.piece > 1 || len(text) < 10_000 {
				f.Add(text, c.piece, c.room, uint8(i))
			}
		}
		f.Add(text, uint16(100), uint16(0), uint8(1))
	}
	f.Fuzz(func(t *testing.T, text string, piece, room uint16, kind uint8) {
		method := []string{http.MethodPost, http.MethodHead, http.MethodGet}[kind%3]
		var got, want seen
		for _, c := range []struct {
			new func(func(context.Context, string, string) (net.Conn, error)) transport
			to  *seen
		}{{ours, &got}, {theirs, &want}} {
			dial, _ := pipes(text, int(max(1, piece)), 1)
			by := c.new(dial)
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			var err error
			*c.to, err = ask(ctx, by, method, reading(int(room)))
			if errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%T hangs", by)
			}
			cancel()
			by.CloseIdleConnections()
		}
		if want.Status == http.StatusSwitchingProtocols && got.Status == want.Status {
			return // nobody has asked for that; here it has no body
		}
		if got.String() != want.String() {
			t.Errorf("got  %.400s\nwant %.400s", got, want)
		}
	})
}

// Whether another request goes over the same connection is decided as net/http decides it. It is not after a trailer here, and not
// where more has come than the answer, which net/http may find out too late.
func TestConnectionIsKept(t *testing.T) {
	for _, text := range answers {
		strict := strings.Contains(text, "Trailer") || strings.Contains(text, "and more") || strings.Count(text, "HTTP/1.1 200") > 1
		used := [2]int{}
		synctest.Test(t, func(t *testing.T) {
			for i, kind := range []func(func(context.Context, string, string) (net.Conn, error)) transport{ours, theirs} {
				dial, dials := pipes(text, 0xffff, 2)
				by := kind(dial)
				for range 2 {
					ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
					_, _ = ask(ctx, by, http.MethodPost, reading(0))
					cancel()
				}
				by.CloseIdleConnections()
				used[i] = *dials
			}
		})
		if used[0] != used[1] && !strict || used[0] != 2 && strict {
			t.Errorf("%.120q: %d connections, by net/http %d", text, used[0], used[1])
		}
	}
}

// What is sent is what net/http sends.
func TestRequestIsNetHTTPs(t *testing.T) {
	for _, r := range []struct {
		method, url, body string
		header            http.Header
	}{
		{"POST", "http://seller/v1/chat/completions?a=b%20c&d", "{}", http.Header{"B": {"1", "2"}, "A": {" x "}, "User-Agent": nil}},
		{"POST", "http://seller:8080", strings.Repeat("x", 100<<10), http.Header{"User-Agent": {"sdk/1"}}},
		{"POST", "http://[::1]:8080/a%2Fb", "", nil},
		{"GET", "http://seller/", "", http.Header{"User-Agent": {""}}},
		{"DELETE", "http://seller/x", "", http.Header{"content-type": {"odd"}, "Content-Length": {"7"}, "Transfer-Encoding": {"x"}}},
	} {
		var sent [2]string
		for i, kind := range []func(func(context.Context, string, string) (net.Conn, error)) transport{ours, theirs} {
			came := make(chan string)
			by := kind(func(context.Context, string, string) (net.Conn, error) {
				client, seller := net.Pipe()
				go func() {
					var all strings.Builder
					req, err := http.ReadRequest(bufio.NewReader(io.TeeReader(seller, &all)))
					if err == nil {
						_, _ = io.Copy(io.Discard, req.Body)
					}
					_, _ = io.WriteString(seller, "HTTP/1.1 204 No Content\r\n\r\n")
					came <- all.String()
				}()
				return client, nil
			})
			req, err := http.NewRequestWithContext(t.Context(), r.method, r.url, strings.NewReader(r.body))
			if err != nil {
				t.Fatal(err)
			}
			if r.header != nil {
				req.Header = r.header
			}
			resp, err := by.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			sent[i] = <-came
			by.CloseIdleConnections()
		}
		if !reflect.DeepEqual(sent[0], sent[1]) {
			t.Errorf("sent %.300q\nby net/http %.300q", sent[0], sent[1])
		}
	}
}
