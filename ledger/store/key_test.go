package store_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger/store"
)

func TestLoadKey(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data", "tokenbuddy.key")
	made, err := store.LoadKey(path)
	if err != nil || len(made) != store.KeySize {
		t.Fatalf("made %d bytes, %v", len(made), err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	read, err := store.LoadKey(path)
	if err != nil || !bytes.Equal(made, read) {
		t.Errorf("the key that was read is another one, %v", err)
	}
	if files, _ := os.ReadDir(filepath.Dir(path)); len(files) != 1 {
		t.Errorf("files are left over: %v", files)
	}
}

func TestLoadKeyAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokenbuddy.key")
	keys := make([][]byte, 16)
	var wg sync.WaitGroup
	for i := range keys {
		wg.Go(func() {
			key, err := store.LoadKey(path)
			if err != nil {
				t.Error(err)
			}
			keys[i] = key
		})
	}
	wg.Wait()
	for _, key := range keys {
		if !bytes.Equal(key, keys[0]) {
			t.Fatal("two keys were made")
		}
	}
}

func TestLoadKeyRefuses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokenbuddy.key")
	for _, text := range []string{"", "not hex", strings.Repeat("ab", 31), strings.Repeat("ab", 33)} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := store.LoadKey(path); err == nil {
			t.Errorf("a key file with %q was taken", text)
		} else if text != "" && strings.Contains(err.Error(), text) {
			t.Errorf("the error shows what is in the file: %v", err)
		}
	}
	if _, err := store.LoadKey(t.TempDir()); err == nil {
		t.Error("a directory was taken for a key file")
	}
}

func TestLoadKeyOf(t *testing.T) {
	data := t.TempDir()
	dir, path := filepath.Join(data, "ledger"), filepath.Join(data, "tokenbuddy.key")
	made, err := store.LoadKeyOf(dir, path)
	if err != nil {
		t.Fatalf("of a new ledger: %v", err)
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "MANIFEST"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if read, err := store.LoadKeyOf(dir, path); err != nil || !bytes.Equal(made, read) {
		t.Errorf("of one that is there: the key that was read is another one, %v", err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, err := store.LoadKeyOf(dir, path); err == nil || !strings.Contains(err.Error(), "put it back") {
		t.Errorf("without its key file: %v", err)
	}
	if _, err := store.LoadKeyOf(filepath.Join(dir, "MANIFEST", "below"), path); err == nil {
		t.Error("of a directory of which nobody can tell whether there is a ledger in it: there is a key")
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("another key file was made")
	}
}

func TestKeyFromSecret(t *testing.T) {
	a, b := store.KeyFromSecret("a"), store.KeyFromSecret("b")
	if len(a) != store.KeySize || bytes.Equal(a, b) || !bytes.Equal(a, store.KeyFromSecret("a")) {
		t.Error("a secret must give the same key each time, and another secret another one")
	}
}
