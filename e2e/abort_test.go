package e2e

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
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
	s.prepare("", "\t\tencode gzip\n+++", "", "", "")
	sites, err := os.ReadFile(s.caddyfile())
	if err != nil {
		t.Fatal(err)
	}
	servers := "\tservers " + s.sites[3] + " {\n\t\tprotocols h1\n\t}\n\tservers " + s.sites[4] + " {\n\t\tlistener_wrappers {\n\t\t\tproxy_protocol\n\t\t}\n\t}\n"
	logged := strings.ReplaceAll(strings.Replace(string(sites), "{\n", "{\n"+servers, 1), "\tbind 127.0.0.1\n", "\tbind 127.0.0.1\n\tlog\n")
	s.write(strings.Replace(logged, "http://"+s.sites[2]+" {\n", "https://"+s.sites[2]+" {\n\ttls internal\n", 1))
	s.start()
	dials := []func() (net.Conn, error){
		func() (net.Conn, error) { return net.Dial("tcp", s.sites[0]) },
		func() (net.Conn, error) { return net.Dial("tcp", s.sites[1]) },
		func() (net.Conn, error) {
			return tls.Dial("tcp", s.sites[2], &tls.Config{ServerName: "127.0.0.1", InsecureSkipVerify: true}) // Caddy's own, made just now
		},
		func() (net.Conn, error) { return net.Dial("tcp", s.sites[3]) },
		func() (net.Conn, error) {
			conn, err := net.Dial("tcp", s.sites[4])
			if err == nil {
				_, err = io.WriteString(conn, "PROXY TCP4 127.0.0.1 127.0.0.1 1 2\r\n")
			}
			return conn, err
		},
	}
	for site, dial := range dials {
		for model, whole := range map[string]bool{"whole": true, "cut": false, "heavy": false} {
			body := chatOf(model, `"stream":true,`)
			conn, err := dial()
			if err != nil {
				t.Fatal(err)
			}
			_ = conn.SetDeadline(time.Now().Add(patience))
			_, _ = fmt.Fprintf(conn, "POST /v1/chat/completions HTTP/1.0\r\nHost: %s\r\nContent-Length: %d\r\n\r\n%s", s.sites[site], len(body), body)
			got, err := io.ReadAll(conn)
			_ = conn.Close()
			switch {
			case whole && (err != nil || !strings.HasSuffix(string(got), shortStream)):
				t.Errorf("site %d, %s: %v: %q", site, model, err, got)
			case !whole && !errors.Is(err, syscall.ECONNRESET):
				t.Errorf("site %d, %s: %d bytes, and the connection ends with %v", site, model, len(got), err)
			case model == "cut" && !strings.Contains(string(got), `"type":"server_error"`):
				t.Errorf("site %d, %s: no error event: %q", site, model, got)
			}
		}
	}
}
