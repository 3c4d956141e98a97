package e2e

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestWithheldErrors has a provider say the gateway's key in its errors, in an answer's body and in a stream's event. The client
// gets other words instead, whole, under the same status.
func TestWithheldErrors(t *testing.T) {
	t.Parallel()
	const key = "sk-provider-secret"
	said := map[string]handler{
		"refuses": sayJSON(400, `{"error":{"message":"bad key `+key+`"}}`),
		"escapes": sayJSON(422, `{"error":{"message":"bad key \u0073k-provider-secret"}}`),
		"limits":  sayJSON(429, `{"error":{"message":"bad key `+key+`, and a good many more words than the gateway has for this: `+strings.Repeat("x", 500)+`"}}`),
		"fails":   sayJSON(500, `{"error":{"message":"bad key `+key+`"}}`),
		"streams": sayStream("event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"invalid_request_error\",\"message\":\"bad key " + key + "\"}}\n\n"),
		"foreign": sayStream("event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"invalid_request_error\",\"message\":\"Invalid signature in thinking block, bad key " + key + "\"}}\n\n"),
	}
	statuses := map[string]int{"refuses": 400, "escapes": 422, "limits": 429, "fails": 500, "streams": 400, "foreign": 400}
	said["heads"] = with(with(sayJSON(400, `{"error":{"message":"bad"}}`), "OpenAI-Account", "of "+key), "OpenAI-Version", "2020-10-01")
	for name, answer := range map[string]handler{
		"whole": answerPlain,
		"flows": sayStream(`data: {"choices":[{"index":0,"delta":{"content":"Hi"},"finish_reason":"stop"}]}` + "\n\ndata: [DONE]\n\n"),
	} {
		said[name] = with(with(answer, "OpenAI-Account", "of "+key), "OpenAI-Version", "2020-10-01")
	}
	provider := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		said[strings.Trim(speechField(body, "model"), `"`)](w, r, body)
	}))
	t.Cleanup(provider.Close)
	s := newStage(t)
	s.open("\t\tseller own " + provider.URL + " {\n\t\t\tmodels refuses escapes limits fails streams foreign heads whole flows\n\t\t\tapi_key " + key + "\n\t\t}\n")
	for model, status := range statuses {
		for _, stream := range []string{"", `"stream":true,`} {
			for _, path := range []string{"/v1/chat/completions", "/v1/completions", "/v1/responses", "/v1/messages"} {
				a := s.ask(0, "POST", path, `{"model":"`+model+`",`+stream+`"max_tokens":9,"messages":[{"role":"user","content":"Hi"}],"prompt":"Hi","input":"Hi"}`)
				if a.StatusCode != status || a.cut != nil || !strings.Contains(a.body, "not handed on") || strings.Contains(a.body, "provider-secret") {
					t.Errorf("%s %s %s: status %d, %v: %q", path, model, stream, a.StatusCode, a.cut, a.body)
				}
			}
		}
	}
	a := s.infer("", "heads", "")
	if a.StatusCode != 400 || a.body != `{"error":{"message":"bad"}}` || a.Header.Get("OpenAI-Account") != "" || a.Header.Get("OpenAI-Version") == "" {
		t.Errorf("in a header: status %d, %v: %s", a.StatusCode, a.Header, a.body)
	}
	for model, stream := range map[string]string{"whole": "", "flows": `"stream":true,`} {
		a := s.infer("", model, stream)
		if a.StatusCode != 200 || a.Header.Get("OpenAI-Account") != "" || a.Header.Get("OpenAI-Version") == "" {
			t.Errorf("in a header of an answer: %s: status %d, %v: %s", model, a.StatusCode, a.Header, a.body)
		}
	}
	for _, e := range s.entries("") {
		if e.Model != "whole" && e.Model != "flows" && e.BilledMicros != 0 {
			t.Errorf("a refusal has cost %d: %+v", e.BilledMicros, e)
		}
	}
}
