package seller

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// TestUpstreamRepeatsOverARestart: how often a request was answered again is known over a restart.
func TestUpstreamRepeatsOverARestart(t *testing.T) {
	u := newStandIn(t, "", "ours")
	dir := t.TempDir()
	lines := "state %s/books.json\nupstream " + u.URL + "/v1 {\nno_key\nprice ours 1 2\n}"
	s, err := provision(t, t.Name(), fmt.Sprintf(lines, dir))
	if err != nil {
		t.Fatal(err)
	}
	token := purchase(t, s, "p", money.USD)
	for n, want := range []int{200, 200, 200, 409, 409} {
		if w := post(t, s, "/v1/chat/completions", hello2, "Authorization", token, "Idempotency-Key", "k"); w.Code != want {
			t.Errorf("%d: %d %s", n, w.Code, w.Body)
		}
		there := t.TempDir() // as it stands on the disk, where the process is killed
		if err := os.CopyFS(there, os.DirFS(dir)); err != nil {
			t.Fatal(err)
		}
		dir = there
		if s, err = provision(t, t.Name(), fmt.Sprintf(lines, dir)); err != nil {
			t.Fatal(err)
		}
	}
}

// TestUpstreamRepeatNotWritten: a repeat that was refused, as it could not be written down, is none of those that a buyer has.
func TestUpstreamRepeatNotWritten(t *testing.T) {
	u := newStandIn(t, "", "ours")
	s := resold(t, u, "no_key\nprice ours 1 2")
	token := purchase(t, s, "p", money.USD)
	try := func(want int) {
		t.Helper()
		if w := post(t, s, "/v1/chat/completions", hello2, "Authorization", token, "Idempotency-Key", "k"); w.Code != want {
			t.Errorf("%d %s, want %d", w.Code, w.Body, want)
		}
	}
	try(200)
	dir := t.TempDir()
	if err := os.WriteFile(dir+"/file", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	good := s.books.file
	s.books.file = dir + "/file/books.json" // whose directory is a file
	for range 3 {
		if s.books.journal.file != nil {
			_ = s.books.journal.file.Close() // as a full disk would
		}
		s.books.journal.failing.Store(false) // it is seen at the repeat
		try(503)
	}
	s.books.file = good
	for _, want := range []int{200, 200, 409} {
		try(want)
	}
}

// TestUpstreamOverlong: an upstream that passes over the limit that was asked, by whichever name, does so once for a token that can't pay for it.
func TestUpstreamOverlong(t *testing.T) {
	u := newStandIn(t, "", "ours", "other")
	s := resold(t, u, "no_key\nprice ours 1 2\nprice other 1 2")
	poor, rich := purchase(t, s, "p", 1000), purchase(t, s, "q", 115_000)
	try := func(model, limit, token string, want int) {
		t.Helper()
		body := `{"model":"` + model + `",` + limit + `"messages":[{"role":"user","content":"hey"}]}`
		if w := post(t, s, "/v1/chat/completions", body, "Authorization", token); w.Code != want {
			t.Errorf("%s: %d %s", limit, w.Code, w.Body)
		}
	}
	try("ours", `"max_tokens":100,`, poor, 200) // an answer has 50
	poor = purchase(t, s, "p1", 1000)
	try("ours", `"max_tokens":100,`, poor, 200)
	poor = purchase(t, s, "p2", 1000)
	try("ours", `"max_completion_tokens":1,"n_predict":100000,`, poor, 200)
	poor = purchase(t, s, "p3", 1000)
	try("ours", `"max_completion_tokens":1,"n_predict":100000,`, poor, 413) // another token like it would be bought in vain
	for range 90 {
		try("ours", `"max_tokens":8192,`, rich, 200)
	}
	try("ours", `"max_completion_tokens":1,"n_predict":100000,`, rich, 402)
	try("other", `"max_tokens":100,`, poor, 200)
	s.Upstream.overlongUntil.Store("ours", time.Now()) // a day later
	poor = purchase(t, s, "p4", 1000)
	try("ours", `"max_tokens":100,`, poor, 200)
}
