package e2e

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/tokenbuddy/caddy-tokenbuddy/routing"
)

// TestProviderURLs asks providers at the URLs that they print in their docs.
func TestProviderURLs(t *testing.T) {
	for _, row := range []struct{ url, prefix, path, query, asked string }{
		{"https://api.openai.com/v1", "", "/v1/chat/completions", "", "https://api.openai.com/v1/chat/completions"},
		{"https://api.anthropic.com", "", "/v1/messages", "beta=true", "https://api.anthropic.com/v1/messages?beta=true"},
		{"https://openrouter.ai/api/v1", "", "/v1/chat/completions", "", "https://openrouter.ai/api/v1/chat/completions"},
		{"https://generativelanguage.googleapis.com/", "/v1beta/openai/", "/v1/embeddings", "", "https://generativelanguage.googleapis.com/v1beta/openai/embeddings"},
		{"https://ark.cn-beijing.volces.com", "/api/v3", "/v1/chat/completions", "", "https://ark.cn-beijing.volces.com/api/v3/chat/completions"},
		{"https://team.openai.azure.com/openai/v1/?api-version=preview", "", "/v1/responses/resp_1/cancel", "a=b", "https://team.openai.azure.com/openai/v1/responses/resp_1/cancel?api-version=preview&a=b"},
		{"http://127.0.0.1:11434/v1/", "", "/v1/chat/completions", "", "http://127.0.0.1:11434/v1/chat/completions"},
	} {
		s, err := routing.NewPinned(routing.Pin{ID: "p", URL: row.url, Account: true, PathPrefix: row.prefix})
		if err != nil {
			t.Errorf("%s: %v", row.url, err)
			continue
		}
		if asked := s.Address(row.path, row.query); asked != row.asked {
			t.Errorf("%s is asked at %s, not at %s", row.url, asked, row.asked)
		}
		if strings.Contains(s.Origin+s.BaseURL, "?") {
			t.Errorf("%s: the query stands in %s, %s", row.url, s.Origin, s.BaseURL)
		}
	}
}

// TestProvider fails over from a provider with paths, headers and a name for the model of its own to a server that wants no key.
func TestProvider(t *testing.T) {
	down := newProvider(t, sayJSON(500, `{"error":{"message":"down"}}`))
	answer := strings.Replace(completion(`{"prompt_tokens":20,"completion_tokens":50}`), "{", `{"model":"llama3.2:3b",`, 1)
	ollama := newProvider(t, sayJSON(http.StatusOK, answer))
	s := newStage(t)
	t.Setenv("PROVIDER_KEY", providerKey)
	t.Setenv("PROVIDER_TEAM", "team-secret-of-ours")
	s.open(`seller aggregator ` + down.URL + `?api-version=preview {
		api_key {env.PROVIDER_KEY}
		auth_header api-key
		path_prefix /api/v3
		header X-Title "Build team"
		header x-team {env.PROVIDER_TEAM}
		header User-Agent gateway
		model small as vendor/small
		price small 1 2
	}
	seller ollama ` + ollama.URL + `/v1 {
		no_key
		model small as llama3.2:3b
		price small 0 0
	}
	failover {
		retries 0
	}
	`)
	body := "{ \"messages\" : [{\"role\":\"user\",\"content\":\"small \\u00e9\"}],\n \"model\" :\t\"small\", \"n\":1.0 }"
	res := s.ask(0, http.MethodPost, "/v1/chat/completions?x=y", body, "User-Agent", "client", "X-Request-Id", "r1")
	if res.StatusCode != http.StatusOK || res.body != answer {
		t.Fatalf("status %d: %s, not the provider's bytes %s", res.StatusCode, res.body, answer)
	}
	for _, row := range []struct {
		p           *provider
		path, query string
		model       string
		header      map[string]string // "" is none
	}{
		{down, "/api/v3/chat/completions", "api-version=preview&x=y", "vendor/small", map[string]string{
			"Authorization": "", "Api-Key": providerKey, "X-Title": "Build team", "X-Team": "team-secret-of-ours", "User-Agent": "gateway",
		}},
		{ollama, "/v1/chat/completions", "x=y", "llama3.2:3b", map[string]string{
			"Authorization": "", "Api-Key": "", "X-Title": "", "X-Team": "", "User-Agent": "client",
		}},
	} {
		if len(row.p.asked) != 1 {
			t.Fatalf("%s was asked %d times", row.model, len(row.p.asked))
		}
		asked := row.p.asked[0]
		if asked.Path != row.path || asked.RawQuery != row.query {
			t.Errorf("%s was asked for %s?%s", row.model, asked.Path, asked.RawQuery)
		}
		if want := strings.Replace(body, `"small",`, `"`+row.model+`",`, 1); string(asked.Body) != want {
			t.Errorf("%s was sent %s", row.model, asked.Body)
		}
		for name, want := range row.header {
			if got := asked.Header.Get(name); got != want {
				t.Errorf("%s was sent %s: %q, not %q", row.model, name, got, want)
			}
		}
	}
	var e entry
	eventually(t, "it is booked", func() bool {
		for _, e = range s.entries("inference") {
			if e.RequestID == "r1" {
				return true
			}
		}
		return false
	})
	if e.Seller != "ollama" || e.BilledMicros != 0 || e.Attempts != 2 {
		t.Errorf("booked: %+v", e)
	}
	if strings.Contains(s.log.String(), "team-secret-of-ours") {
		t.Error("the log has the header's secret")
	}
	s.verify()
}

// TestProviderSecret keeps an error of a provider that echoes a secret header from the client.
func TestProviderSecret(t *testing.T) {
	p := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write([]byte(`{"error":{"message":"team ` + r.Header.Get("X-Team") + ` may not"}}`))
	}))
	defer p.Close()
	s := newStage(t)
	t.Setenv("PROVIDER_TEAM", "team-secret-of-ours")
	s.open("seller own " + p.URL + " {\n no_key\n header X-Team {env.PROVIDER_TEAM}\n models small\n}\n")
	res := s.ask(0, http.MethodPost, "/v1/chat/completions", chatOf("small", ""))
	if res.StatusCode < 400 || strings.Contains(res.body, "team-secret-of-ours") {
		t.Errorf("status %d: %s", res.StatusCode, res.body)
	}
}

// TestProviderList serves what a provider lists, at the price and by the name that the config has for it.
func TestProviderList(t *testing.T) {
	answer := completion(`{"prompt_tokens":20,"completion_tokens":50}`)
	p := newProvider(t, func(w http.ResponseWriter, r *http.Request, body []byte) {
		if r.Method == http.MethodGet {
			sayJSON(http.StatusOK, "\xef\xbb\xbf"+`{"object":"list","data":[{"id":"vendor/small"},{"id":"listed"}]}`)(w, r, body)
			return
		}
		sayJSON(http.StatusOK, answer)(w, r, body)
	})
	s := newStage(t)
	s.open("seller own " + p.URL + "/v1 {\n no_key\n models from /v1/models\n model small as vendor/small\n price gone 1 2\n price small 1 2\n}\n")
	eventually(t, "the list is read", func() bool {
		return s.ask(0, http.MethodPost, "/v1/chat/completions", chatOf("listed", "")).StatusCode == http.StatusOK
	})
	res := s.ask(0, http.MethodGet, "/v1/models", "")
	if !strings.Contains(res.body, `"listed"`) || !strings.Contains(res.body, `"small"`) || strings.Contains(res.body, "vendor/small") {
		t.Errorf("the models are %s", res.body)
	}
	if res := s.ask(0, http.MethodPost, "/v1/chat/completions", chatOf("small", "")); res.StatusCode != http.StatusOK {
		t.Errorf("status %d: %s", res.StatusCode, res.body)
	}
	_, status := s.look("/tokenbuddy/status")
	if !strings.Contains(string(status), `"unlisted":["gone of own"]`) {
		t.Errorf("the status is %s", status)
	}
	out, _ := s.command("tokenbuddy", "doctor", "--address", s.admin).CombinedOutput()
	if !strings.Contains(string(out), "has no model gone of own") {
		t.Errorf("doctor prints %s", out)
	}
	if p.asked[0].Path != "/v1/models" || p.asked[0].Header.Get("Authorization") != "" {
		t.Errorf("the list was asked for at %s with %v", p.asked[0].Path, p.asked[0].Header)
	}
}
