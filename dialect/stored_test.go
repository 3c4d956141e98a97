package dialect

import (
	"strings"
	"testing"
)

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
