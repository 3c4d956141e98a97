package dialect

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestUnserved(t *testing.T) {
	for request, want := range map[string]int{ // 0: served, or another handler's
		"POST /v1/chat/completions": 0, "POST /v1/responses": 0, "POST /v1/messages/count_tokens": 0, "GET /v1/models": 0,
		"GET /v1/models/a/b": 0, "GET /v1/responses/resp_1": 0, "DELETE /v1/responses/resp_1": 0, "POST /v1/responses/resp_1/cancel": 0,
		"GET /v1/responses/resp_1/input_items": 0,
		"GET /":                                0, "HEAD /": 0, "POST /": 0, "GET /api/hello": 0, "GET /v1": 0, "GET /v1/": 0, "GET /v1/key": 0, "GET /openai/chat/completions": 0,
		"OPTIONS /v1/chat/completions": 0, "OPTIONS /v1/images": 0, "GET /chat/completions": 0, "GET /api/chat": 0, "POST /api/tags": 0, "POST /models": 0, "GET /modelsx": 0, "GET /model/m/converse": 0, "POST /model/m": 0, "POST /model//invoke": 0, "POST /model/invoke": 0,
		"": 0, "HEAD /v1beta/files": 0, "GET /images/a.png": 0, "GET /tokenize": 0, "GET /v1beta/": 0, "GET /v1betax/files": 0, "POST /x/tokenize": 0,
		"GET /serving-endpoints/m/chat/completions": 0, "POST /serving-endpoints": 0, "GET /invocations": 0, "POST /foo": 0,
		"POST /openai/models": 0, "GET /openai/models/a": 0, "POST /other-messages": 0, "POST /api/messages/a": 0, "DELETE /api/files/f": 0, "POST /openai/v1/foo": 0,
		"GET /openai/deployments/d/chat/completions": 0, "POST /openai/deployments/d": 0,

		"GET /v1/chat/completions": 405, "DELETE /v1/messages": 405, "HEAD /v1/messages": 405, "POST /v1/models": 405, "HEAD /v1/models": 405, "DELETE /v1/models/m": 405,
		"POST /v1/key": 405, "DELETE /v1/key": 405, "HEAD /v1/key": 405,
		"PUT /v1/responses/resp_1": 405, "POST /v1/responses/resp_1": 405, "GET /v1/responses/resp_1/cancel": 405, "GET /v1/responses/compact": 405,

		"POST /v1/moderations": 404, "POST /v1/images/generations": 404, "POST /v1/audio/speech": 404, "GET /v1/files": 404, "DELETE /v1/files/f": 404,
		"POST /v1/uploads": 404, "POST /v1/batches": 404, "POST /v1/realtime/sessions": 404, "POST /v1/fine_tuning/jobs": 404, "GET /v1/vector_stores": 404,
		"GET /v1/assistants": 404, "POST /v1/threads": 404, "POST /v1/conversations": 404, "POST /v1/rerank": 404, "POST /v1/messages/batches": 404,
		"POST /v1/chat/completions/": 404, "POST /V1/Chat/Completions": 404, "POST /v1/v1/chat/completions": 404, "GET /v1/v1/models": 404,
		"POST //v1/chat/completions": 404, "POST /v1//messages": 404, "GET /v1/models/": 404, "POST /chat/completions": 404, "POST /messages": 404,
		"POST /Messages/": 404, "POST /embeddings": 404, "POST /responses/compact": 404, "GET /v1/responses/": 404, "GET /v1/responses/a/b": 404,
		"GET /v1/responses/..": 404, "GET /v1/responses/a%2Fb": 404, "POST /v1/chat/other": 404, "POST /v1/v1/images/edits": 404,

		"POST /v1beta/models/x:streamGenerateContent": 404, "POST /v1beta/models/a/b:countTokens": 404, "GET /v1beta/models": 404, "GET /v1beta/models/x": 404,
		"GET /models": 404, "GET /models/a/b": 404, "GET /openai/v1/models": 404, "POST /api/chat": 404, "GET /api/tags": 404, "POST /v2/embed": 404, "POST /model/m/invoke": 404, "POST /model/a/b/converse": 404,
		"POST /openai/v1/chat/completions": 404, "POST /api/v1/messages": 404, "POST /a/b//V1/embeddings/": 404,

		"POST /openai/chat/completions": 404, "POST /api/v3/responses": 404, "POST /v1beta/openai/embeddings/": 404, "POST /a/messages/count_tokens": 404, "POST /v1/fim/completions": 404,
		"GET /openai/models": 404, "GET /v1beta/openai/models": 404, "POST /openai/v1/moderations": 404, "DELETE /openai/v1/files/f": 404, "POST /a/v1/messages/batches": 404,
		"POST /openai/deployments/d/chat/completions": 404, "POST /openai/deployments/d/images/generations": 404,
		"POST /v1/projects/p/locations/l/publishers/google/models/m:streamRawPredict": 404, "POST /v1beta1/publishers/google/models/m:generateContent": 404,

		"POST /v1/videos": 404, "GET /v1/videos/v/content": 404, "DELETE /v1/containers/c": 404, "DELETE /v1/skills/s": 404, "POST /v1/evals": 404,
		"POST /v1/content_provenance_checks": 404, "POST /v1/decisions": 404, "POST /v1/live/sessions/s/accept": 404, "GET /v1/safety/alerts/a": 404,
		"GET /v1/organization/costs": 404, "POST /v1/chatkit/sessions": 404, "POST /v1/vaults": 404, "POST /v1/agents": 404, "GET /v1/webhook_endpoints": 404,
		"GET /v1/webhook_event_types": 404, "POST /v1/complete": 404, "DELETE /v1/sessions/s": 404, "POST /v1/environments": 404, "GET /v1/deployments": 404,
		"GET /v1/deployment_runs": 404, "POST /v1/dreams": 404, "DELETE /v1/memory_stores/m": 404, "GET /v1/organizations/me": 404,
		"GET /v1/compliance/activities": 404, "POST /v1/tunnels": 404, "DELETE /v1/user_profiles/u": 404,

		"GET /v1/foo": 404, "HEAD /v1/foo": 404, "HEAD /v1/videos/v": 404, "POST /v1/tokenize": 404, "POST /v1/ocr": 404, "POST /v1/predictions": 404, "GET /v1/usage": 404, "GET /v1/credits": 404,
		"GET /v1/dashboard/billing/subscription": 404, "POST /V1//Ocr/": 404, "POST /v1/projects/p/models/m": 404, "PUT /v1/a/b/c": 404,
		"POST /images/generations": 404, "POST /moderations": 404, "DELETE /files/f": 404, "POST /chat": 404,
		"GET /v1beta/models/x:generateContent": 404, "POST /v1beta/models": 404, "POST /v1beta/interactions": 404, "DELETE /v1beta/cachedContents/c": 404,
		"POST /upload/v1beta/files": 404, "POST /v1alpha/models/x:generateContent": 404,
		"POST /serving-endpoints/m/invocations": 404, "POST /serving-endpoints/chat/completions": 404, "GET /serving-endpoints/m": 404, "POST /endpoints/m/invocations": 404,
		"POST /invocations": 404, "POST /tokenize": 404, "POST /generate_stream": 404, "POST /infill": 404,
	} {
		method, path, _ := strings.Cut(request, " ")
		refusal, shape, ok := Unserved(method, path)
		switch {
		case !ok && want != 0, ok && want != refusal.Status:
			t.Errorf("%s: %v %v", request, ok, refusal)
		}
		if !ok {
			continue
		}
		w := httptest.NewRecorder()
		refusal.Write(w, shape, "req_1")
		if anthropic := strings.Contains(strings.ToLower(path), "messages"); anthropic != (shape == Anthropic) {
			t.Errorf("%s: shape %v", request, shape)
		}
		if (w.Header().Get("Allow") != "") != (want == 405) || w.Header().Get("X-Should-Retry") != "false" || w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %v", request, w.Header())
		}
		if !strings.Contains(w.Body.String(), path) || want == 404 && (!strings.Contains(w.Body.String(), "/v1/embeddings (POST), and /v1/models, /v1/key (GET)") || !strings.Contains(w.Body.String(), "base URL")) {
			t.Errorf("%s: %s", request, w.Body)
		}
	}
}

func TestStoredResponse(t *testing.T) {
	for request, want := range map[string]string{
		"GET /v1/responses/resp_1": "resp_1 ", "DELETE /v1/responses/resp_1": "resp_1 ", "POST /v1/responses/resp_1/cancel": "resp_1 /cancel",
		"GET /v1/responses/resp_1/input_items": "resp_1 /input_items", "POST /v1/responses/compact": "", "GET /v1/responses/compact": "",
		"POST /v1/responses/resp_1": "", "GET /v1/responses/": "", "GET /v1/responses": "", "GET /v1/responses/a b": "", "GET /v1/responses/..": "",
		"GET /v1/responses/a/cancel/b": "", "GET /v1/responses/a?b": "", "GET /v1/responses/" + strings.Repeat("a", 513): "",
	} {
		method, path, _ := strings.Cut(request, " ")
		id, part, ok := StoredResponse(method, path)
		if ok != (want != "") || ok && id+" "+part != want {
			t.Errorf("%s: %q %q %v", request, id, part, ok)
		}
	}
}

// Claude Code shows its user "Please run /login" in the place of an error that names this header.
func TestWordsOfAnInvalidKey(t *testing.T) {
	if said := string(InvalidKey().JSON(Anthropic, "req_1")); strings.Contains(strings.ToLower(said), "x-api-key") || !strings.Contains(said, "this gateway") {
		t.Error(said)
	}
}

func TestWaits(t *testing.T) {
	for name, test := range map[string]struct {
		r     *Refusal
		after string
		final bool
	}{
		"a guess":                  {NoSeller(10 * time.Minute), "15", false},
		"a short guess":            {Upstream(0), "1", false},
		"asked by a seller":        {NoSeller(0).Asked(28 * time.Second), "28", false},
		"a minute":                 {RateLimited(time.Minute), "60", false},
		"longer":                   {RateLimited(61 * time.Second), "", true},
		"until tomorrow":           {NoSeller(0).Because("No money.").Asked(7 * time.Hour), "", true},
		"the fleet's":              {FleetUnavailable(time.Hour), "15", false},
		"waited and asked already": {Upstream(time.Second).Final(), "1", true},
		"held for others":          {BudgetHeld(), "", false},
		"an unknown coding":        {UnknownEncoding(), "", true},
		"another's response":       {ResponseNotFound(""), "", true},
	} {
		w := httptest.NewRecorder()
		w.Header().Set("Vary", "Accept-Encoding")
		test.r.Write(w, OpenAI, "r")
		h := w.Header()
		if h.Get("Retry-After") != test.after || (h.Get("X-Should-Retry") == "false") != test.final {
			t.Errorf("%s: %v", name, h)
		}
		if h.Get("Cache-Control") != "no-store" || len(h["Vary"]) != 2 || h["Vary"][1] != "Authorization, X-Api-Key" {
			t.Errorf("%s: %v", name, h)
		}
		if long := test.after == "" && test.r.RetryAfter > 0; long != strings.Contains(w.Body.String(), "Ask again at 20") {
			t.Errorf("%s: %s", name, w.Body)
		}
	}
	if FleetUnavailable(0).Code != "fleet_unavailable" || UnknownEncoding().Status != http.StatusUnsupportedMediaType {
		t.Error("another case")
	}
}

// After a heartbeat an error is an event, of the status's type and message.
func TestErrorEvents(t *testing.T) {
	for path, want := range map[string]string{chatPath: "upstream_error", responsesPath: "upstream_error", messagesPath: "api_error"} {
		e := Lookup(path)
		v := e.Events()
		for _, event := range split(Upstream(0).Event(e)) {
			v.Event(event.name, event.data, true)
			if !json.Valid(event.data) {
				t.Errorf("%s: %s", path, event.data)
			}
		}
		if f := v.Failure(); f == nil || f.Type != want {
			t.Errorf("%s: %+v", path, f)
		}
	}
	for body, want := range map[string]string{
		`{"error":{"message":"slow \u0000 \ud83d\ude00 down","type":"rate_limit_error","code":"rate_limited"}}`: "rate_limit_error",
		`{"error":"slow down"}`: "server_error", `<html>`: "server_error", ``: "server_error",
	} {
		for _, path := range []string{chatPath, responsesPath, messagesPath} {
			e := Lookup(path)
			events := split(e.ErrorEvent(http.StatusBadGateway, []byte(body)))
			if len(events) != 1 || !json.Valid(events[0].data) {
				t.Fatalf("%s %s: %q", path, body, events)
			}
			v := e.Events()
			v.Event(events[0].name, events[0].data, true)
			if f := v.Failure(); f == nil || f.Type != want && (e.Shape != Anthropic || f.Type != "api_error") {
				t.Errorf("%s %s: %+v", path, body, f)
			}
			if strings.Contains(body, "down") != strings.Contains(string(events[0].data), "down") {
				t.Errorf("%s: %s", body, events[0].data)
			}
		}
	}
}

// Where a seller's error says no type or code, they go by its status: a client would ask again for a request that is at fault.
func TestErrorEventsByStatus(t *testing.T) {
	for _, test := range []struct {
		status            int
		body              string
		openAI, anthropic string
	}{
		{400, `{"error":{"message":"m","type":"invalid_request_error"}}`, `"code":"invalid_request_error"`, `"type":"invalid_request_error"`},
		{409, byteOrderMark + `{"error":{"message":"m","type":"conflict"}}`, `"type":"conflict"`, `"type":"conflict"`},
		{404, `<html>`, `"type":"invalid_request_error"`, `"type":"not_found_error"`},
		{413, ``, `"code":"invalid_request_error"`, `"type":"invalid_request_error"`},
		{429, `{"detail":"m"}`, `"code":"rate_limit_exceeded"`, `"type":"rate_limit_error"`},
		{529, ``, `"type":"server_error"`, `"type":"overloaded_error"`},
		{500, `<html>`, `"code":"server_error"`, `"type":"api_error"`},
	} {
		for path, want := range map[string]string{
			chatPath: test.openAI, "/v1/completions": test.openAI, responsesPath: test.openAI, messagesPath: test.anthropic,
		} {
			got := string(Lookup(path).ErrorEvent(test.status, []byte(test.body)))
			if !strings.Contains(got, want) || test.status < 500 && strings.Contains(got, "server_error") {
				t.Errorf("%s %d: %s", path, test.status, got)
			}
		}
	}
}

// The words and the type of a break are those by which clients know a fault of the server, and a shutdown blames no seller.
func TestBreakWords(t *testing.T) {
	for path, kinds := range map[string][2]string{
		chatPath: {"server_error", "server_error"}, "/v1/completions": {"server_error", "server_error"},
		responsesPath: {"server_error", "server_error"}, messagesPath: {"api_error", "overloaded_error"},
	} {
		for i, shutdown := range []bool{false, true} {
			text := string(Lookup(path).Events().Break(shutdown))
			if !strings.Contains(text, `"type":"`+kinds[i]+`"`) || strings.Contains(text, "seller") == shutdown {
				t.Errorf("%s: %s", path, text)
			}
			for _, words := range []string{"server error", "connection reset", "retry your request"} {
				if !strings.Contains(strings.ToLower(text), words) {
					t.Errorf("%s does not say %q: %s", path, words, text)
				}
			}
		}
	}
}
