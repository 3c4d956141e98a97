package routing

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestFileCache(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "registry.cache")
	cache := FileCache(path)
	if body, etag, err := cache.Load(); body != nil || etag != "" || err != nil {
		t.Fatalf("before the first save: %q, %q, %v", body, etag, err)
	}
	for _, saved := range [][2]string{{sellers("a"), `W/"1"`}, {"{\n\"sellers\":[]}\n", ""}, {"\n", `"3"`}} {
		if err := cache.Save([]byte(saved[0]), saved[1]); err != nil {
			t.Fatal(err)
		}
		body, etag, err := FileCache(path).Load()
		if string(body) != saved[0] || etag != saved[1] || err != nil {
			t.Errorf("%q came back as %q, %q, %v", saved, body, etag, err)
		}
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 1 {
		t.Errorf("files: %v, %v", entries, err)
	}
}

func TestFileCacheDamaged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "registry.cache")
	cache := FileCache(path)
	if err := cache.Save([]byte(sellers("a")), `"1"`); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	flipped := append([]byte{}, whole...)
	flipped[len(flipped)-5] ^= 1
	for name, damaged := range map[string][]byte{
		"empty": {}, "cut": whole[:len(whole)-1], "flipped": flipped, "no head": whole[strings.Index(string(whole), "\n")+1:],
		"etag with line ends": []byte(strings.Replace(string(whole), `\"1\"`, `\r\n\r\n`, 1)),
	} {
		if err := os.WriteFile(path, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		if body, etag, err := cache.Load(); err == nil || body != nil || etag != "" {
			t.Errorf("%s: %q, %q, %v", name, body, etag, err)
		}
	}
	if err := cache.Save([]byte(sellers("b")), ""); err != nil {
		t.Fatal(err)
	}
	if body, _, err := cache.Load(); string(body) != sellers("b") || err != nil {
		t.Errorf("after a new save: %q, %v", body, err)
	}
}

func TestFileCacheNoRoom(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := FileCache(filepath.Join(dir, "file", "registry.cache")).Save([]byte("{}"), ""); err == nil {
		t.Error("saved below a file")
	}
}
