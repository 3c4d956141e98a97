package webhook

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

func TestHandle(t *testing.T) {
	var got string
	status := http.StatusOK
	chat := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		got = r.Method + " " + r.Header.Get("Content-Type") + " " + string(b)
		w.WriteHeader(status)
	}))
	defer chat.Close()
	h := new(Webhook)
	if err := h.UnmarshalCaddyfile(caddyfile.NewTestDispenser("webhook " + chat.URL + "/secret")); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := caddy.NewContext(caddy.Context{Context: t.Context()})
	defer cancel()
	if err := h.Provision(ctx); err != nil {
		t.Fatal(err)
	}
	e, err := caddy.NewEvent(ctx, "circuit_opened", map[string]any{"seller": "acme", "reason": "probes"})
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Handle(t.Context(), e); err != nil || got != `POST application/json {"text":"tokenbuddy circuit_opened: reason: probes, seller: acme"}` {
		t.Errorf("%v, got %s", err, got)
	}
	status = http.StatusForbidden
	if err := h.Handle(t.Context(), e); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("refused: %v", err)
	}
	chat.Close()
	if err := h.Handle(t.Context(), e); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("gone: %v", err)
	}
	for _, bad := range []string{"", "ftp://chat.example/secret", "{env.NOT_SET_ANYWHERE}"} {
		if err := (&Webhook{URL: bad}).Provision(ctx); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}
