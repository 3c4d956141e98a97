package e2e

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
)

// TestRefresh changes a registry whose turn is far off: it is read at once on demand, by command, by the endpoint and by a reload, and
// one that can't be read says so and holds.
func TestRefresh(t *testing.T) {
	t.Parallel()
	seller := newSeller(t, "acme", answerPlain)
	var model atomic.Value
	model.Store("first")
	registry := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if model.Load() == "" {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		reply(w, map[string]any{"version": model.Load(), "sellers": []any{map[string]any{"id": "acme", "url": seller.URL, "models": []any{model.Load()}}}})
	}))
	t.Cleanup(registry.Close)
	c := newCaddy(t, "")
	config := "\t\tregistry " + registry.URL + " {\n\t\t\trefresh 1h\n\t\t}\n\t\tseller_networks 127.0.0.0/8\n\t\tpayment mock\n"
	c.configure(config)
	c.start()
	has := func(want string) {
		t.Helper()
		eventually(t, "the model "+want, func() bool {
			res, _ := c.post("/v1/chat/completions", chatOf(want, ""))
			return res.StatusCode == http.StatusOK
		})
	}
	has("first")
	model.Store("second")
	out, err := c.command("tokenbuddy", "sellers", "refresh", "--address", c.admin).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "version second, 1 sellers") || !strings.Contains(string(out), "acme") {
		t.Errorf("%v: %s", err, out)
	}
	if res, body := c.post("/v1/chat/completions", chatOf("second", "")); res.StatusCode != http.StatusOK {
		t.Errorf("after the command: status %d: %s", res.StatusCode, body)
	}
	model.Store("third")
	c.configure(config + "\t\taffinity off\n") // Caddy does nothing where the config is the same
	c.reload()
	has("third")
	model.Store("fourth")
	res, err := http.Post("http://"+c.admin+"/tokenbuddy/registry", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if res, body := c.post("/v1/chat/completions", chatOf("fourth", "")); res.StatusCode != http.StatusOK {
		t.Errorf("after the endpoint: status %d: %s", res.StatusCode, body)
	}
	model.Store("")
	out, err = c.command("tokenbuddy", "sellers", "refresh", "--address", c.admin).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "502") {
		t.Errorf("of a registry that can't be read: %v: %s", err, out)
	}
	if res, body := c.post("/v1/chat/completions", chatOf("fourth", "")); res.StatusCode != http.StatusOK {
		t.Errorf("what was known is forgotten: status %d: %s", res.StatusCode, body)
	}
}

// TestMistypedSeller names sellers that are not there: the config says it where all sellers stand in it, else the log and the doctor.
func TestMistypedSeller(t *testing.T) {
	t.Parallel()
	seller := newSeller(t, "acme", answerPlain)
	for _, more := range []string{"\t\tdefault_seller Acme\n", "\t\tselection manual Acme\n"} {
		c := newCaddy(t, "\t\tpayment mock\n\t\tseller acme "+seller.URL+" {\n\t\t\tpayment mock\n\t\t\tmodels m\n\t\t}\n"+more)
		if said := c.refuses(); !strings.Contains(said, "there is no seller Acme") {
			t.Errorf("%s", said)
		}
		c = newCaddy(t, market(registryOf(t, []string{"m"}, seller), more))
		c.start()
		eventually(t, "the log says it", func() bool { return c.log.has("selection.seller.unknown") })
		c.doctor(true, []string{"--address", c.admin}, "There is no seller Acme", "mistyped")
	}
}
