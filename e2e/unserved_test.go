package e2e

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/anthropics/anthropic-sdk-go"
	"github.com/openai/openai-go/v3"
)

// TestUnservedBySDK asks for what the SDKs have and the gateway does not serve: no SDK takes a handler that says nothing for a success.
func TestUnservedBySDK(t *testing.T) {
	t.Parallel()
	site := newCaddy(t, market(registryOf(t, []string{"m"}, newSeller(t, "acme", answerPlain)), "\t\tmember ada {\n\t\t\tkey sk-ada-key\n\t\t}\n"))
	site.start()
	c := clients(t, "http://"+site.site, "sk-ada-key")
	ctx := t.Context()
	for name, ask := range map[string]func() error{
		"files":      func() error { _, err := c.openai.Files.Delete(ctx, "f"); return err },
		"containers": func() error { return c.openai.Containers.Delete(ctx, "c") },
		"skills":     func() error { _, err := c.openai.Skills.Delete(ctx, "s"); return err },
	} {
		var said *openai.Error
		if err := ask(); !errors.As(err, &said) || said.StatusCode != 404 || said.Code != "not_found" {
			t.Errorf("openai-go's %s: %v", name, err)
		}
	}
	for name, ask := range map[string]func() error{
		"files": func() error {
			_, err := c.anthropic.Beta.Files.Delete(ctx, "f", anthropic.BetaFileDeleteParams{})
			return err
		},
		"skills": func() error {
			_, err := c.anthropic.Beta.Skills.Delete(ctx, "s", anthropic.BetaSkillDeleteParams{})
			return err
		},
		"memory stores": func() error {
			_, err := c.anthropic.Beta.MemoryStores.Delete(ctx, "m", anthropic.BetaMemoryStoreDeleteParams{})
			return err
		},
	} {
		var said *anthropic.Error
		if err := ask(); !errors.As(err, &said) || said.StatusCode != 404 || said.Type() != anthropic.ErrorTypeNotFoundError {
			t.Errorf("anthropic-sdk-go's %s: %v", name, err)
		}
	}
}

// TestUnservedByPath: who asks below another path than /v1, or in an API that nobody here speaks, whose clients bring their key in another
// way or none, is told so.
func TestUnservedByPath(t *testing.T) {
	t.Parallel()
	site := newCaddy(t, market(registryOf(t, []string{"m"}, newSeller(t, "acme", answerPlain)), "\t\tmember ada {\n\t\t\tkey sk-ada-key\n\t\t}\n"))
	site.start()
	for ask, key := range map[string]string{
		"POST /openai/v1/chat/completions":                                    "Authorization",
		"POST /api/v1/messages":                                               "X-Api-Key",
		"POST /v1beta/openai/chat/completions":                                "Authorization",
		"GET /openai/models":                                                  "Authorization",
		"DELETE /openai/v1/files/f":                                           "Authorization",
		"POST /openai/deployments/m/chat/completions?api-version=2024-10-21":  "Api-Key",
		"POST /v1/projects/p/publishers/anthropic/models/m:streamRawPredict":  "X-None",
		"POST /v1beta1/projects/p/publishers/google/models/m:generateContent": "X-Goog-Api-Key",
		"POST /v1beta/models/m:streamGenerateContent?alt=sse":                 "X-Goog-Api-Key",
		"POST /v1beta/models/models%2Fm:generateContent?a=sk-no":              "X-Goog-Api-Key",
		"GET /v1beta/models?pageSize=50":                                      "X-Goog-Api-Key",
		"GET /v1beta/models/m":                                                "X-Goog-Api-Key",
		"GET /models":                                                         "Authorization",
		"GET /openai/v1/models":                                               "Authorization",
		"GET /models/m":                                                       "Authorization",
		"POST /api/chat":                                                      "X-None",
		"POST /api/embed":                                                     "X-None",
		"GET /api/tags":                                                       "X-None",
		"POST /v2/chat":                                                       "Authorization",
		"POST /model/anthropic.claude-v1%3A0/converse-stream":                 "X-Amz-Date",
		"POST /serving-endpoints/m/invocations":                               "Authorization",
		"POST /v1beta/interactions":                                           "X-Goog-Api-Key",
		"POST /tokenize":                                                      "X-None",
		"POST /moderations":                                                   "Authorization",
		"POST /v1/ocr":                                                        "Authorization",
		"POST /v1/predictions":                                                "Authorization",
		"GET /v1/usage":                                                       "X-Api-Key",
		"POST /model/arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Ainference-profile%2Fus.m/invoke": "X-Amz-Date",
	} {
		method, path, _ := strings.Cut(ask, " ")
		res, answer := answerTo(t, method, site.url(path), key, strings.Repeat("Bearer ", strings.Count(key, "Authorization"))+"sk-ada-key")
		if res.StatusCode != 404 || !strings.Contains(answer, "There are /v1/chat/completions") {
			t.Errorf("%s: %d %s", ask, res.StatusCode, answer)
		}
	}
	if res, answer := answerTo(t, "GET", site.url("/api/things"), "", ""); res.StatusCode != 200 || len(answer) > 0 {
		t.Errorf("what is no model API's is refused: %d %s", res.StatusCode, answer)
	}
}

// answerTo is the answer to what is no inference, with a header where it is named.
func answerTo(t *testing.T, method, url, name, value string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	if name != "" {
		req.Header.Set(name, value)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(body)
}

// TestOthersPaths has a program behind the gateway have a path that is one of the model APIs' as well.
func TestOthersPaths(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.seller("acme", answerPlain, priced("m"))
	s.open("") // the site's next handler answers 299
	for path, want := range map[string]int{
		"/v1/sessions": 299, "/v1/deployments/d": 299, "/api/chat": 299, "/room/messages": 299, "/x/v1/files": 299, "/openai/deployments/d/embeddings": 299, "/v1/files": 404,
		"/v1/ocr": 299, "/v1/tokenize": 299, "/tokenize": 299, "/moderations": 299, "/v1beta/interactions": 299, "/serving-endpoints/m/invocations": 299,
	} {
		if res, body := s.post(path, "{}"); res.StatusCode != want {
			t.Errorf("%s: %d %s", path, res.StatusCode, body)
		}
	}
}
