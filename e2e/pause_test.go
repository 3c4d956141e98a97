package e2e

import (
	"net/http"
	"strings"
	"testing"
)

// TestPause keeps requests from a registry's seller until it is resumed, over a restart, and from one that the config excludes.
func TestPause(t *testing.T) {
	t.Parallel()
	first, second, third := newSeller(t, "first", answerPlain), newSeller(t, "second", answerPlain), newSeller(t, "third", answerPlain)
	c := newCaddy(t, "")
	c.configure(market(registryOf(t, []string{"m"}, third, first, second), "\t\tselection weighted\n\t\texclude third\n"))
	c.start()
	servedBy := func(want string) {
		t.Helper()
		for range 8 {
			if res, body := c.post("/v1/chat/completions", chatBody); res.Header.Get("X-TokenBuddy-Seller") != want {
				t.Errorf("served by %q, want %q: %s", res.Header.Get("X-TokenBuddy-Seller"), want, body)
			}
		}
	}
	order := func(want int, query string) {
		t.Helper()
		if status := c.do(http.MethodPost, "/tokenbuddy/sellers?"+query, ""); status != want {
			t.Errorf("%s: status %d", query, status)
		}
	}
	shows := func(there bool, words string, args ...string) {
		t.Helper()
		out, _ := c.command(append(append([]string{"tokenbuddy"}, args...), "--address", c.admin)...).CombinedOutput()
		if strings.Contains(string(out), words) != there {
			t.Errorf("%v prints\n%s\nand %q is to be there: %v", args, out, words, there)
		}
	}
	c.post("/v1/chat/completions", chatBody) // it waits for the registry's document, which says who there is
	order(http.StatusBadRequest, "pause=nobody")
	order(http.StatusBadRequest, "resume=nobody")
	order(http.StatusOK, "resume=first") // it is so already, and no order
	order(http.StatusBadRequest, "pause=first&forgive=first")
	order(http.StatusOK, "pause=first")
	order(http.StatusOK, "pause=first")
	servedBy("second")
	shows(true, "is paused and gets no requests", "doctor")
	shows(true, "paused", "sellers")
	shows(true, "excluded in the Caddyfile", "sellers")
	c.stop()
	c.start()
	servedBy("second")
	shows(false, "paused", "sellers", "resume", "first")
	shows(true, "paused", "sellers", "pause", "second")
	shows(false, "third", "sellers", "pause", "second") // of many the one that it was about
	servedBy("first")
	order(http.StatusOK, "pause=first")
	if res, body := c.post("/v1/chat/completions", chatBody); res.StatusCode < 400 {
		t.Errorf("all are off, and status %d: %s", res.StatusCode, body)
	}
	order(http.StatusOK, "resume=second")
	servedBy("second")
	if status := c.do(http.MethodPut, "/tokenbuddy/selection", `{"policy":"manual","seller":"second"}`); status != http.StatusOK {
		t.Fatalf("PUT: status %d", status)
	}
	shows(true, "The selection manual second is put over", "sellers")
	shows(true, "The selection manual second is put over", "doctor")
	order(http.StatusOK, "resume=first")
	order(http.StatusOK, "pause=second")
	// Another one has the model, and is not the one that is kept to: it is away for now, and not gone.
	if res, body := c.post("/v1/chat/completions", chatBody); res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") == "" ||
		!strings.Contains(string(body), "The seller that this gateway keeps to is paused or excluded for now") {
		t.Errorf("the one that is kept to is paused, and status %d: %s", res.StatusCode, body)
	}
	if got, want := strings.Join(c.orders(), ","), "pause first,resume first,pause second,pause first,resume second,resume first,pause second"; got != want {
		t.Errorf("the journal says %s, want %s", got, want)
	}
	c.verify()
	if n := len(third.inferences()); n != 0 {
		t.Errorf("the excluded seller was asked %d times", n)
	}
}

// TestExcludedMeanwhile has a config exclude a seller while a request of the one before it waits elsewhere. When that fails, the
// request goes to the one that is left, and not to the one that gets no requests any more.
func TestExcludedMeanwhile(t *testing.T) {
	t.Parallel()
	asked, fail := make(chan struct{}, 4), make(chan struct{})
	first := newSeller(t, "first", func(w http.ResponseWriter, _ *http.Request, _ []byte) {
		asked <- struct{}{}
		<-fail
		w.WriteHeader(http.StatusInternalServerError)
	})
	second, third := newSeller(t, "second", answerPlain), newSeller(t, "third", answerPlain)
	c := newCaddy(t, "")
	config := market(registryOf(t, []string{"m"}, first, second, third), "\t\tfailover {\n\t\t\tretries 0\n\t\t}\n")
	c.configure(config)
	c.start()
	served := make(chan string)
	go func() {
		res, _ := c.post("/v1/chat/completions", chatBody)
		served <- res.Header.Get("X-TokenBuddy-Seller")
	}()
	<-asked
	c.configure(config + "\t\texclude second\n")
	c.reload()
	close(fail)
	if got := <-served; got != "third" || len(second.inferences()) > 0 {
		t.Errorf("served by %q; the seller that is excluded by then got %d requests", got, len(second.inferences()))
	}
	c.verify()
}
