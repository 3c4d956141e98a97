//go:build linux

package store

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestReplacedDirectory moves a store's directory away while it is open, and puts another one in its place: the end leaves both as they are.
func TestReplacedDirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "ledger")
	s, err := Open(Options{Dir: dir, Witness: "head"})
	if err != nil {
		t.Fatal(err)
	}
	s.PutTogether("n/")
	b := books{}
	b.write(t, s, 20)
	if err := os.Rename(dir, dir+".old"); err != nil {
		t.Skipf("a directory that is in use can't be moved here: %v", err)
	}
	other := openAt(t, dir, nil)
	others := books{}
	others.write(t, other, 10)
	if err := s.Close(); err == nil || !strings.Contains(err.Error(), "another directory") {
		t.Errorf("its end: %v", err)
	}
	others.write(t, other, 10)
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
	for at, want := range map[string]books{dir: others, dir + ".old": b} {
		if got := read(t, openAt(t, copyDir(t, at), nil)); !maps.Equal(got, want) {
			t.Errorf("%s has %v, want %v", at, got, want)
		}
	}
}
