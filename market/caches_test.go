package market

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/routing"
)

// TestTidyCaches: what was kept of a registry or a list goes when nothing has named it for long, and nothing else in the directory does.
func TestTidyCaches(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "books")
	m := openMarket(t, dir)
	l, release := m.List(lister(t, "own", "https://own.example/v1", "/v1/models"), holds("sk-secret"))
	defer release()
	l.Keep([]string{"a"})
	_, releaseRegistry, err := m.Registry(routing.RegistryOptions{URL: "http://127.0.0.1:9/sellers.json", Refresh: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	defer releaseRegistry()
	running := filepath.Base(m.inUse()[0].file)
	now := time.Now()
	put := func(name string, age time.Duration) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte("{}"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, now.Add(-age), now.Add(-age)); err != nil {
			t.Fatal(err)
		}
		return name
	}
	old := 2 * keepCache
	own := put(filepath.Base(l.file), old) // as it is after a start
	put(running, old)
	gone := []string{put("models-0123456789abcdef.json", old), put("registry-0123456789abcdef.json", keepCache+time.Minute)}
	stay := []string{
		own, running, put("models-fedcba9876543210.json", keepCache-time.Minute), put("models-0123456789abcdef.json.bak", old),
		put("selection.json", old), put("models-short.json", old),
	}
	m.tidyCaches(now)
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	for _, name := range gone {
		if slices.Contains(names, name) {
			t.Errorf("%s is there still", name)
		}
	}
	for _, name := range stay {
		if !slices.Contains(names, name) {
			t.Errorf("%s is gone", name)
		}
	}
	for _, name := range []string{own, running} { // what is in use is as new
		if info, err := os.Stat(filepath.Join(dir, name)); err == nil && now.Sub(info.ModTime()) > time.Minute {
			t.Errorf("%s is of %s", name, info.ModTime())
		}
	}
}
