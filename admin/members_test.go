package admin

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"
)

// TestRotateSays until when the old key is kept, where it is.
func TestRotateSays(t *testing.T) {
	openMarket(t, filepath.Join(t.TempDir(), "books"))
	if status, said := asked(t, http.MethodPost, "/tokenbuddy/members", `{"name":"ada"}`); status != http.StatusOK {
		t.Fatal(status, said)
	}
	for keep, want := range map[string]bool{"0s": false, "1h": true} {
		status, said := asked(t, http.MethodPost, "/tokenbuddy/members/ada/rotate", `{"keep":"`+keep+`"}`)
		if status != http.StatusOK || strings.Contains(said, "keptUntil") != want {
			t.Errorf("keep %s: status %d, %s", keep, status, said)
		}
	}
}
