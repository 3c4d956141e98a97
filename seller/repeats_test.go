package seller

import (
	"fmt"
	"os"
	"testing"

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
