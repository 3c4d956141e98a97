package gateway

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// hijacked is a client's side that can be taken over, and what is written to it after that.
type hijacked struct {
	*httptest.ResponseRecorder
	taken bool
	late  int
}

func (h *hijacked) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	h.taken = true
	ours, theirs := net.Pipe()
	_ = theirs.Close()
	return ours, bufio.NewReadWriter(bufio.NewReader(ours), bufio.NewWriter(ours)), nil
}

func (h *hijacked) WriteHeader(status int) {
	if h.taken {
		h.late = status
	}
	h.ResponseRecorder.WriteHeader(status)
}

// TestOthersConnection: where another handler has taken the connection over, it answers there, and nothing is written beside it; where it has
// given nothing but hints, nobody has answered.
func TestOthersConnection(t *testing.T) {
	w := newWay(t, "", says(200, good))
	ask := func(client http.ResponseWriter, next caddyhttp.HandlerFunc) {
		t.Helper()
		r := httptest.NewRequest(http.MethodGet, "/v1/socket", http.NoBody)
		r.RemoteAddr = "127.0.0.1:1"
		r = r.WithContext(context.WithValue(context.WithValue(r.Context(), caddy.ReplacerCtxKey, caddy.NewReplacer()), caddyhttp.VarsCtxKey, map[string]any{}))
		if err := w.door.ServeHTTP(client, r, next); err != nil {
			t.Error(err)
		}
	}
	client := &hijacked{ResponseRecorder: httptest.NewRecorder()}
	ask(client, func(w http.ResponseWriter, _ *http.Request) error {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return err
		}
		return conn.Close()
	})
	if !client.taken || client.late != 0 || client.Body.Len() != 0 {
		t.Errorf("taken over: %v, then status %d: %s", client.taken, client.late, client.Body)
	}
	hinted := httptest.NewRecorder()
	ask(hinted, func(w http.ResponseWriter, _ *http.Request) error {
		w.WriteHeader(http.StatusEarlyHints)
		return nil
	})
	if !strings.Contains(hinted.Body.String(), `"code":"not_found"`) {
		t.Errorf("after hints: %s", hinted.Body)
	}
}

// TestOthersPaths: what programs behind the gateway have under names of the model APIs' is theirs, and nobody's is no empty success.
func TestOthersPaths(t *testing.T) {
	w := newWay(t, "", says(200, good))
	theirs := caddyhttp.HandlerFunc(func(w http.ResponseWriter, r *http.Request) error {
		w.WriteHeader(http.StatusCreated)
		_, err := io.Copy(w, r.Body)
		return err
	})
	nobodys := caddyhttp.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) error {
		caddyhttp.SetVar(r.Context(), "unhandled", true) // as Caddy's last handler does
		return nil
	})
	failing := caddyhttp.HandlerFunc(func(http.ResponseWriter, *http.Request) error { return errFault })
	for _, row := range []struct {
		path   string
		next   caddyhttp.Handler
		status int // 0: it is the handler's error
	}{
		{"/v1/sessions", theirs, 201},
		{"/v1/sessions/s/events", theirs, 201},
		{"/v1/sessions", nobodys, 404},
		{"/v1/sessions", failing, 0},
		{"/openai/v1/chat/completions", theirs, 201},
		{"/openai/v1/chat/completions", nobodys, 404},
		{"/v1beta/models/m:generateContent", theirs, 201},
		{"/v1beta/models/m:generateContent", nobodys, 404},
		{"/v1/files", theirs, 404},
		{"/v1/foo", theirs, 201},
	} {
		r := httptest.NewRequest(http.MethodPost, row.path, http.NoBody)
		r.RemoteAddr = "127.0.0.1:1"
		vars := map[string]any{}
		r = r.WithContext(context.WithValue(context.WithValue(r.Context(), caddy.ReplacerCtxKey, caddy.NewReplacer()), caddyhttp.VarsCtxKey, vars))
		res := httptest.NewRecorder()
		err := w.door.ServeHTTP(res, r, row.next)
		if row.status == 0 {
			if err != errFault || res.Body.Len() > 0 {
				t.Errorf("%s: %v %s", row.path, err, res.Body)
			}
			continue
		}
		if id := res.Header().Get("X-Request-Id"); err != nil || res.Code != row.status || (id != "") != (row.status == 404) || vars["unhandled"] == true {
			t.Errorf("%s: %v, status %d, %v, %v: %s", row.path, err, res.Code, res.Header(), vars, res.Body)
		}
	}
}
