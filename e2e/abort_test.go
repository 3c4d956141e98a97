package e2e

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestAbortOfHTTP10 asks as some proxies do, with HTTP/1.0, where an answer ends with its connection alone. One that is whole ends with
// the connection's end; one that breaks does not, as the proxy would take it for whole.
func TestAbortOfHTTP10(t *testing.T) {
	t.Parallel()
	large := strings.Replace(plainAnswer, `"Hi"`, `"`+strings.Repeat("y", 9<<20)+`"`, 1)
	broken := func(kind, text string) handler {
		return func(w http.ResponseWriter, _ *http.Request, _ []byte) {
			w.Header().Set("Content-Type", kind)
			_, _ = io.WriteString(w, text)
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}
	}
	s := newStage(t)
	s.seller("good", sayStream(shortStream), "whole")
	s.seller("bad", broken("text/event-stream", roleEvent+textEvent("Hi")), "cut")
	s.seller("heavy", broken("application/json", large[:len(large)-10]), "heavy")
	s.open("")
	for model, whole := range map[string]bool{"whole": true, "cut": false, "heavy": false} {
		body := chatOf(model, `"stream":true,`)
		conn, err := net.Dial("tcp", s.site)
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.SetDeadline(time.Now().Add(patience))
		_, _ = fmt.Fprintf(conn, "POST /v1/chat/completions HTTP/1.0\r\nHost: %s\r\nContent-Length: %d\r\n\r\n%s", s.site, len(body), body)
		got, err := io.ReadAll(conn)
		_ = conn.Close()
		switch {
		case whole && (err != nil || !strings.HasSuffix(string(got), shortStream)):
			t.Errorf("%s: %v: %q", model, err, got)
		case !whole && !errors.Is(err, syscall.ECONNRESET):
			t.Errorf("%s: %d bytes, and the connection ends with %v", model, len(got), err)
		case model == "cut" && !strings.Contains(string(got), `"type":"server_error"`):
			t.Errorf("%s: no error event: %q", model, got)
		}
	}
}
