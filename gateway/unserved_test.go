package gateway

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

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
