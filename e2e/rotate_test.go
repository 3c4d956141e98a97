package e2e

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"
)

// TestRotate has a member's key, and that of an account, changed in their files: the new one acts and the old one is refused,
// without a reload. A file that is empty for a while changes nothing.
func TestRotate(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, secret string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(secret+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("ada", "ada-key-1")
	write("account", "account-key-1")
	var shown atomic.Value
	shown.Store("")
	s := newStage(t)
	account := newProvider(t, func(w http.ResponseWriter, r *http.Request, body []byte) {
		shown.Store(r.Header.Get("Authorization"))
		sayJSON(200, completion(`{"prompt_tokens":20,"completion_tokens":50}`))(w, r, body)
	})
	s.open(fmt.Sprintf(`
		seller provider %s {
			models m
			api_key {file.%s/account}
		}
		member ada {
			key {file.%[2]s/ada}
			key ada-key-spare until %[3]s
			key ada-key-over until 2020-01-01T00:00:00Z
		}
`, account.URL, dir, time.Now().Add(time.Hour).UTC().Format(time.RFC3339)))
	status := func(key string) int {
		return s.ask(0, http.MethodPost, "/v1/chat/completions", chatBody, "X-Api-Key", key).StatusCode
	}
	is := func(key string, want int) {
		t.Helper()
		if got := status(key); got != want {
			t.Errorf("%s: status %d, want %d", key, got, want)
		}
	}
	is("ada-key-1", 200)
	is("ada-key-spare", 200)
	is("ada-key-over", 401)
	is("ada-key-2", 401)
	write("ada", "")
	write("account", "account-key-2")
	eventually(t, "the account's key", func() bool { status("ada-key-1"); return shown.Load() == "Bearer account-key-1" })
	is("ada-key-1", 200)
	write("ada", "ada-key-2")
	eventually(t, "the member's key", func() bool { return status("ada-key-2") == 200 })
	is("ada-key-1", 401)
	eventually(t, "the account's key", func() bool { status("ada-key-2"); return shown.Load() == "Bearer account-key-2" })
	s.verify()
}
