package seller

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/wire"
)

func TestUpstreamCatalog(t *testing.T) {
	u := newStandIn(t, "", "llama3:latest", "big", "old")
	s := resold(t, u, "no_key\nprice llama3 0.10 0.20\nprice big 1 2\nprice gone 1 2\nprice * 5 6\nmodel large as big\nprice large 3 4")
	entry := func() (models []string) {
		var doc struct {
			Sellers []struct {
				Models []struct {
					ID     string
					Input  money.Micros `json:"inputPriceMicrosPer1m"`
					Output money.Micros `json:"outputPriceMicrosPer1m"`
				}
			}
		}
		w := ask(t, s, "GET", "/registry.json", "")
		if err := json.Unmarshal(w.Body.Bytes(), &doc); err != nil || len(doc.Sellers) != 1 {
			t.Fatalf("%v: %s", err, w.Body)
		}
		for _, m := range doc.Sellers[0].Models {
			models = append(models, fmt.Sprintf("%s %s %s", m.ID, m.Input, m.Output))
		}
		return models
	}
	if got, want := fmt.Sprint(entry()), "[big 1.00 2.00 large 3.00 4.00 llama3 0.10 0.20 old 5.00 6.00]"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	u.mu.Lock()
	u.listed = []string{"new"}
	u.mu.Unlock()
	c := s.Upstream.catalog
	c.mu.Lock()
	c.listed, c.looked = time.Now().Add(-2*listFresh), time.Now().Add(-2*listFresh)
	wait := c.look()
	c.mu.Unlock()
	<-wait
	if got, want := fmt.Sprint(entry()), "[new 5.00 6.00]"; got != want {
		t.Errorf("a minute later: got %s, want %s", got, want)
	}
}

// TestUpstreamListWithMark: a list is read that begins with a byte order mark, as some programs write one.
func TestUpstreamListWithMark(t *testing.T) {
	u := newStandIn(t, "", "ours")
	u.instead = func(w http.ResponseWriter, r *http.Request, _ string) bool {
		fmt.Fprint(w, wire.ByteOrderMark+u.list())
		return true
	}
	s := resold(t, u, "no_key\nprice ours 1 2")
	if body := ask(t, s, "GET", "/registry.json", "").Body.String(); !strings.Contains(body, `"id":"ours"`) {
		t.Error(body)
	}
	if w := ask(t, s, "GET", "/healthz", ""); w.Code != 200 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestUpstreamHealth(t *testing.T) {
	u := newStandIn(t, "sk-of-the-seller", "ours")
	for _, c := range []struct {
		name, lines string
		status      int
	}{
		{"well", "api_key sk-of-the-seller\nprice ours 1 2", 200},
		{"by hand", "api_key sk-of-the-seller\nmodels mine\nprice mine 1 2", 200},
		{"the wrong key", "api_key another-key\nprice ours 1 2", 503},
		{"no list", "api_key sk-of-the-seller\nmodels from /v1/nothing\nprice ours 1 2", 503},
	} {
		s := resold(t, u, c.lines)
		if w := ask(t, s, "GET", "/healthz", ""); w.Code != c.status {
			t.Errorf("%s: %d %s", c.name, w.Code, w.Body)
		}
		if err := s.Cleanup(); err != nil {
			t.Fatal(err)
		}
	}
	away := newStandIn(t, "", "ours")
	s := resold(t, away, "no_key\nprice ours 1 2")
	token := purchase(t, s, "p", money.USD)
	away.Close()
	if w := ask(t, s, "GET", "/healthz", ""); w.Code != 200 { // seen a moment ago
		t.Errorf("a moment later: %d", w.Code)
	}
	if w := post(t, s, "/v1/chat/completions", hello2, "Authorization", token); w.Code != 502 || strings.Contains(w.Body.String(), "127.0.0.1") {
		t.Errorf("an upstream that is away: %d %s", w.Code, w.Body)
	}
	c := s.Upstream.catalog
	c.mu.Lock()
	c.looked = time.Time{}
	c.mu.Unlock()
	if w := ask(t, s, "GET", "/healthz", ""); w.Code != 503 {
		t.Errorf("away: %d", w.Code)
	}
}
