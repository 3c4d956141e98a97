//go:build linux

package store

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

// TestLogsAreSyncedInTurn: the store begins no log while the one before may be unsynced, whatever the records are like. Nothing here
// is synced but by Commit itself.
func TestLogsAreSyncedInTurn(t *testing.T) {
	for name, size := range map[string]func() int{
		"small":  func() int { return 0 },
		"real":   func() int { return rand.IntN(1_500) },
		"large":  func() int { return 100_000 + rand.IntN(100_000) },
		"varied": func() int { return 1 << rand.IntN(19) },
	} {
		t.Run(name, func(t *testing.T) {
			s, err := Open(Options{Dir: t.TempDir()})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			if err := s.Sync(); err != nil || s.Unsynced() {
				t.Fatal(err)
			}
			n, synced, most := 0, 0, 1+rand.IntN(500)
			for logs := 0; logs < 2; {
				txn := s.NewTransaction(true)
				records, bytes := 0, 0
				for records < most && bytes < 640<<10 {
					n++
					key, value := fmt.Appendf(nil, "%d", n), make([]byte, size())
					if err := txn.Set(key, value); err != nil {
						t.Fatal(err)
					}
					records++
					bytes += len(key) + len(value)
				}
				was, full, begun := s.active.file.Name(), s.active.filled >= memTableSize, s.active.id
				if err := s.Prepare(bytes); err != nil {
					t.Fatal(err)
				}
				if err := s.commit(txn, records, bytes); err != nil {
					t.Fatal(err)
				}
				if full {
					synced++
				}
				if s.active.id == begun {
					continue
				}
				logs++
				if !full {
					t.Errorf("after %s another log was begun, and it was not synced", was)
				}
			}
			logs, err := filepath.Glob(filepath.Join(s.dir, "*"+logExt))
			if err != nil || len(logs) == 0 || s.active.file.Name() != logs[len(logs)-1] {
				t.Errorf("of %v, %s is followed, %v", logs, s.active.file.Name(), err)
			}
			t.Logf("%d commits were synced because a log might be full", synced)
		})
	}
}

// TestCloseAfterAnImport: a store whose logs were filled past us closes, too.
func TestCloseAfterAnImport(t *testing.T) {
	s, err := Open(Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	batch := s.NewWriteBatch()
	for n := range 60 {
		if err := batch.Set(fmt.Append(nil, n), make([]byte, 900<<10)); err != nil {
			t.Fatal(err)
		}
	}
	if err := batch.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// TestDirectoryIsNoPattern: a store in a directory whose name would be a pattern finds its files, and removes what a process that was
// killed has made ahead.
func TestDirectoryIsNoPattern(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "books [2026]")
	for range 2 {
		s, err := Open(Options{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "00007"+logExt), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s, err := Open(Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := os.Stat(filepath.Join(dir, "00007"+logExt)); !os.IsNotExist(err) {
		t.Errorf("what was made ahead is still there: %v", err)
	}
}
