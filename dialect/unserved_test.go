package dialect

import (
	"net/http/httptest"
	"strings"
	"testing"
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
		"POST /openai/models": 0, "GET /openai/models/a": 0, "POST /other-messages": 0, "POST /api/messages/a": 0, "DELETE /api/files/f": 0, "GET /api/v1": 0, "GET /api/v1/": 0, "GET /api/v2/credits": 0, "GET /dashboard/billing": 0, "GET /dashboard/usage": 0,
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
		"POST /v1": 404, "POST /v1/": 404, "POST /V1//v1": 404, "DELETE /v1/": 404,
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
		"GET /api/v1/credits": 404, "GET /api/v1/key": 404, "GET /api/v1/auth/key": 404, "GET /api/v1/generation": 404, "DELETE /api/v1/keys/k": 404,
		"POST /openai/v1/foo": 404, "GET /dashboard/billing/subscription": 404, "GET /dashboard//billing/usage/": 404, "GET /dashboard/billing/credit_grants": 404,
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
