package e2e

import (
	"bytes"
	"net/http"
	"strings"
	"testing"
)

// The secrets that TestSecrets plants. Each must be found where it belongs and nowhere else.
const (
	plantedKey    = "planted-member-key-4711"
	plantedPrompt = "planted-prompt-0815"
	plantedAnswer = "planted-answer-2718"
	plantedError  = "planted-seller-error-3141"
	plantedHeader = "planted-client-header-1618"
)

// TestSecrets plants secrets in keys, tokens, prompts and sellers' answers, and goes down the good paths and every refusal at
// DEBUG. No log, gateway error, metric or admin answer may have one of them, nor may a seller see what is the client's own.
func TestSecrets(t *testing.T) {
	s := newSeller(t, "acme", func(w http.ResponseWriter, r *http.Request, body []byte) {
		switch {
		case bytes.Contains(body, []byte("say-500")):
			http.Error(w, plantedError, http.StatusInternalServerError)
		case bytes.Contains(body, []byte("say-401")):
			http.Error(w, plantedError, http.StatusUnauthorized)
		case bytes.Contains(body, []byte("say-402")):
			http.Error(w, plantedError, http.StatusPaymentRequired)
		case bytes.Contains(body, []byte("say-cut")):
			cutAfter("data: {\"choices\":[{\"delta\":{\"content\":\""+plantedAnswer+"\"}}]}\n\n")(w, r, body)
		case bytes.Contains(body, []byte("say-error")):
			streamOf("data: {\"error\":{\"message\":\""+plantedError+"\"}}\n\n")(w, r, body)
		default:
			reply(w, map[string]any{"id": "x", "choices": []any{map[string]any{"message": map[string]any{"content": plantedAnswer}}}})
		}
	})
	c := newCaddy(t, "")
	c.env = []string{"PLANTED_KEY=" + plantedKey}
	body := market(registryOf(t, []string{"m", "forbidden"}, s), "\t\tmember ada {\n\t\t\tkey {env.PLANTED_KEY}\n\t\t\tmodels m\n\t\t}\n")
	c.write(c.global("\tmetrics\n") + "http://" + c.site + " {\n\tbind 127.0.0.1\n\tlog {\n\t\tformat filter {\n\t\t\trequest>headers>X-Api-Key delete\n\t\t\trequest>headers>X-Private delete\n\t\t}\n\t}\n\ttokenbuddy {\n" + body + "\t}\n}\n")
	c.start()

	secret := `"messages":[{"role":"user","content":"` + plantedPrompt + `"}]`
	bearer, wrong := "Bearer "+plantedKey, "Bearer "+plantedKey+"-wrong"
	var own bytes.Buffer // what the gateway itself answered
	for _, try := range []struct {
		path, body, key string
		status          int
		sellers         bool // the answer is the seller's, and may have what the seller wrote
	}{
		{"/v1/chat/completions", `{"model":"m",` + secret + `}`, bearer, 200, true},
		{"/v1/chat/completions", `{"model":"m",` + secret + `}`, wrong, 401, false},
		{"/v1/messages", `{"model":"m",` + secret + `}`, wrong, 401, false},
		{"/v1/chat/completions", `{"model":"forbidden",` + secret + `}`, bearer, 403, false},
		{"/v1/chat/completions", `{"model":"none",` + secret + `}`, bearer, 404, false},
		{"/v1/chat/completions", `{"model":"m",` + secret, bearer, 400, false},
		{"/v1/chat/completions", `{"model":"m","Model":"` + plantedPrompt + `",` + secret + `}`, bearer, 400, false},
		{"/v1/chat/completions", `{"model":17,` + secret + `}`, bearer, 400, false},
		{"/v1/responses", `{"model":"m","background":true,"input":"` + plantedPrompt + `"}`, bearer, 400, false},
		{"/v1/chat/completions", `{"model":"m","x":"say-500",` + secret + `}`, bearer, 502, false},
		{"/v1/chat/completions", `{"model":"m","x":"say-error","stream":true,` + secret + `}`, bearer, 502, false},
		{"/v1/chat/completions", `{"model":"m","x":"say-cut","stream":true,` + secret + `}`, bearer, 200, true},
		{"/v1/chat/completions", `{"model":"m","pad":"` + strings.Repeat("x", 33<<20) + `",` + secret + `}`, bearer, 413, false},
		{"/v1/chat/completions", `{"model":"m","x":"say-401",` + secret + `}`, bearer, 502, false},
	} {
		req, err := http.NewRequest(http.MethodPost, c.url(try.path), strings.NewReader(try.body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", try.key)
		req.Header.Set("X-Private", plantedHeader)
		req.Header.Set("Cookie", "session="+plantedHeader)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		var answer bytes.Buffer
		_, _ = answer.ReadFrom(res.Body)
		_ = res.Body.Close()
		if res.StatusCode != try.status {
			t.Errorf("%s %.80s: status %d, want %d: %s", try.path, try.body, res.StatusCode, try.status, &answer)
		}
		if !try.sellers {
			own.Write(answer.Bytes())
		}
	}
	for _, path := range []string{"/metrics", "/tokenbuddy/status", "/tokenbuddy/ledger/entries", "/tokenbuddy/ledger/summary", "/tokenbuddy/ledger/accounts", "/tokenbuddy/ledger/verify", "/config/"} {
		_, answer := c.look(path)
		own.Write(answer)
	}
	c.stop()

	secrets := []string{plantedKey, plantedPrompt, plantedAnswer, plantedError, plantedHeader}
	s.mu.Lock()
	for _, g := range s.paid {
		secrets = append(secrets, g.AccessToken)
	}
	s.mu.Unlock()
	log := c.log.String()
	for _, secret := range secrets {
		if i := strings.Index(log, secret); i >= 0 {
			t.Errorf("the log has %q: …%s…", secret, log[max(0, i-200):min(len(log), i+100)])
		}
		if bytes.Contains(own.Bytes(), []byte(secret)) {
			t.Errorf("an answer of the gateway's own has %q", secret)
		}
		if found := grep(t, c.ledgerDir(), secret); found != "" {
			t.Errorf("%s has %q", found, secret)
		}
	}
	for _, asked := range s.inferences() {
		for name, values := range asked.Header {
			for _, private := range []string{plantedKey, plantedHeader} {
				if strings.Contains(strings.Join(values, " "), private) {
					t.Errorf("the seller got %s: %s", name, values)
				}
			}
		}
	}
}
