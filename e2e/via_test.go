package e2e

import (
	"net/http"
	"strings"
	"testing"
)

// TestVia: a provider hears through whom a request has come, on each of its paths, and a request that has come through the gateway before
// is a loop, which would be paid for without end.
func TestVia(t *testing.T) {
	t.Parallel()
	p := newProvider(t, func(w http.ResponseWriter, r *http.Request, body []byte) {
		if r.Method == http.MethodGet {
			sayJSON(http.StatusOK, `{"id":"resp_kept","object":"response","status":"completed"}`)(w, r, body)
			return
		}
		sayJSON(http.StatusOK, strings.Replace(speeches[1].plain("Hi"), `"id":"r"`, `"id":"resp_kept"`, 1))(w, r, body)
	})
	seller := newSeller(t, "acme", answerPlain)
	s := newStage(t)
	s.lists = append(s.lists, listing{ID: "acme", URL: seller.URL, Models: []any{priced("bought")}})
	s.open("\t\tseller own " + p.URL + "/v1 {\n\t\t\tmodels m\n\t\t\tno_key\n\t\t\tprotocols responses\n\t\t}\n")
	const kept = "/v1/responses/resp_kept"
	ask := func(method, path string, header ...string) *answered {
		body := ""
		if method == http.MethodPost {
			body = `{"model":"m","input":"Hello"}`
		}
		return s.ask(0, method, path, body, header...)
	}
	for _, a := range []*answered{ask("POST", "/v1/responses", "Via", "1.1 elsewhere"), ask("GET", kept)} {
		if a.StatusCode != http.StatusOK {
			t.Fatalf("status %d: %s", a.StatusCode, a.body)
		}
	}
	asked := func() []inference {
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.asked
	}
	heard := asked()
	if len(heard) != 2 {
		t.Fatalf("the provider was asked %d times", len(heard))
	}
	before, own, ok := strings.Cut(heard[0].Header.Get("Via"), ", ")
	if before != "1.1 elsewhere" || !ok || heard[1].Header.Get("Via") != own {
		t.Fatalf("it has come via %q, and the other one via %q", heard[0].Header.Get("Via"), heard[1].Header.Get("Via"))
	}
	for _, a := range []*answered{ask("POST", "/v1/responses", "Via", own), ask("GET", kept, "Via", "1.1 elsewhere, "+own)} {
		if a.StatusCode != http.StatusLoopDetected || a.Header.Get("X-Should-Retry") != "false" {
			t.Errorf("of a loop: status %d, X-Should-Retry %q: %s", a.StatusCode, a.Header.Get("X-Should-Retry"), a.body)
		}
	}
	if n := len(asked()); n != 2 {
		t.Errorf("the provider was asked %d times", n)
	}
	s.infer("bought", "bought", "")
	if via := seller.last().Header.Get("Via"); via != "" {
		t.Errorf("a seller of tokens hears of %q", via)
	}
}
