package e2e

import (
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// TestProviderListOutlives has a provider's list fail once it was read: over a reload and restarts what stands in it is served at once, by the provider
// and not by a stranger who has a model of that name. What another address lists, or another seller, is not used.
func TestProviderListOutlives(t *testing.T) {
	t.Parallel()
	const models = `{"object":"list","data":[{"id":"listed"}]}`
	for name, fault := range map[string]handler{
		"refused": sayJSON(http.StatusInternalServerError, `{"error":{"message":"no"}}`),
		"garbage": sayJSON(http.StatusOK, `{"object":"list"}`),
		"silent":  func(_ http.ResponseWriter, r *http.Request, _ []byte) { <-r.Context().Done() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var lists atomic.Value // a handler, of both addresses
			lists.Store(sayJSON(http.StatusOK, models))
			p := newProvider(t, func(w http.ResponseWriter, r *http.Request, body []byte) {
				if r.Method == http.MethodGet {
					lists.Load().(handler)(w, r, body)
					return
				}
				sayJSON(http.StatusOK, completion(`{"prompt_tokens":20,"completion_tokens":50}`))(w, r, body)
			})
			s := newStage(t)
			s.seller("stranger", answerPlain, priced("listed"))
			s.open("seller own " + p.URL + "/v1 {\n no_key\n models from /v1/models\n}\ndefault_seller own\naffinity off\nheartbeat 10s\n")
			expect := func(when, want string) {
				t.Helper()
				res := s.ask(0, http.MethodPost, "/v1/chat/completions", chatOf("listed", ""))
				if by := res.Header.Get("X-TokenBuddy-Seller"); res.StatusCode != http.StatusOK || by != want {
					t.Errorf("%s: status %d by %q, not by %s: %s", when, res.StatusCode, by, want, res.body)
				}
			}
			change := func(from, to string) {
				t.Helper()
				file, err := os.ReadFile(s.caddyfile())
				if err != nil || !strings.Contains(string(file), from) {
					t.Fatalf("%q is not in %s, %v", from, file, err)
				}
				s.write(strings.Replace(string(file), from, to, 1))
			}
			expect("at the first start, while the list is read", "own")
			lists.Store(fault)
			change("heartbeat 10s", "heartbeat 11s")
			s.reload()
			expect("after a reload", "own")
			if res := s.ask(0, http.MethodGet, "/v1/models", ""); !strings.Contains(res.body, `"listed"`) {
				t.Errorf("the models are %s", res.body)
			}
			s.stop()
			s.start()
			expect("after a restart", "own")
			s.kill()
			s.start()
			expect("after a crash", "own")

			lists.Store(sayJSON(http.StatusInternalServerError, ""))
			change("models from /v1/models", "models from /v1/others")
			s.reload()
			expect("with another address", "stranger")
			change("models from /v1/others", "models from /v1/models")
			change("default_seller own", "default_seller mine")
			change("seller own", "seller mine")
			s.reload()
			expect("of another seller", "stranger")
			lists.Store(sayJSON(http.StatusOK, models))
			eventually(t, "the list is read again, sooner than after a minute", func() bool {
				return s.ask(0, http.MethodPost, "/v1/chat/completions", chatOf("listed", "")).Header.Get("X-TokenBuddy-Seller") == "mine"
			})
		})
	}
}

// TestProviderListsOfAccounts has two sites of one ledger have accounts of their own at one provider, which lists to each what is its own: over a reload
// and a restart each knows that, and no other; nor does who has another account from then on.
func TestProviderListsOfAccounts(t *testing.T) {
	t.Parallel()
	var away atomic.Bool
	p := newProvider(t, func(w http.ResponseWriter, r *http.Request, body []byte) {
		whose := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer sk-account-")
		switch {
		case r.Method != http.MethodGet:
			sayJSON(http.StatusOK, completion(`{"prompt_tokens":20,"completion_tokens":50}`))(w, r, body)
		case away.Load():
			sayJSON(http.StatusInternalServerError, "")(w, r, body)
		default:
			sayJSON(http.StatusOK, `{"object":"list","data":[{"id":"tuned-of-`+whose+`"}]}`)(w, r, body)
		}
	})
	s := newStage(t)
	site := func(key string) string {
		return "seller own " + p.URL + "/v1 {\n api_key sk-account-" + key + "\n models from /v1/models\n}\ndefault_seller own\nheartbeat 10s\n"
	}
	s.open(site("ann"), site("bea"))
	expect := func(when string, of ...string) {
		t.Helper()
		for i, whose := range of {
			for _, model := range []string{"ann", "bea"} {
				res := s.ask(i, http.MethodPost, "/v1/chat/completions", chatOf("tuned-of-"+model, ""))
				if served := res.StatusCode == http.StatusOK; served != (model == whose) {
					t.Errorf("%s: site %d, which has %s's account, was asked for what is %s's: status %d: %s", when, i, whose, model, res.StatusCode, res.body)
				}
			}
		}
	}
	change := func(from, to string) {
		t.Helper()
		file, err := os.ReadFile(s.caddyfile())
		if err != nil || !strings.Contains(string(file), from) {
			t.Fatalf("%q is not in %s, %v", from, file, err)
		}
		s.write(strings.ReplaceAll(string(file), from, to))
		s.reload()
	}
	expect("at first", "ann", "bea")
	away.Store(true)
	change("heartbeat 10s", "heartbeat 11s")
	expect("after a reload", "ann", "bea")
	s.stop()
	s.start()
	expect("after a restart", "ann", "bea")
	change("sk-account-bea", "sk-account-cid")
	expect("with another account", "ann", "nobody")
}

// TestFirstProviderList has a request for what no pinned seller is known to have wait for a list that is being read for the first time, and no other one.
func TestFirstProviderList(t *testing.T) {
	t.Parallel()
	released := make(chan struct{})
	p := newProvider(t, func(w http.ResponseWriter, r *http.Request, body []byte) {
		if r.Method == http.MethodGet {
			<-released
			sayJSON(http.StatusOK, `{"object":"list","data":[{"id":"listed"}]}`)(w, r, body)
			return
		}
		sayJSON(http.StatusOK, completion(`{"prompt_tokens":20,"completion_tokens":50}`))(w, r, body)
	})
	s := newStage(t)
	s.seller("stranger", answerPlain, priced("listed"), priced("small"))
	s.open("seller own " + p.URL + "/v1 {\n no_key\n models from /v1/models\n price small 1 2\n}\ndefault_seller own\n")
	done := make(chan string)
	go func() {
		done <- s.ask(0, http.MethodPost, "/v1/chat/completions", chatOf("listed", "")).Header.Get("X-TokenBuddy-Seller")
	}()
	if res := s.ask(0, http.MethodPost, "/v1/chat/completions", chatOf("small", "")); res.Header.Get("X-TokenBuddy-Seller") != "own" {
		t.Errorf("status %d: %s", res.StatusCode, res.body)
	}
	select {
	case by := <-done:
		close(released)
		t.Errorf("served by %q before the list was read", by)
	case <-time.After(200 * time.Millisecond):
		close(released)
		if by := <-done; by != "own" {
			t.Errorf("served by %q", by)
		}
	}
}
