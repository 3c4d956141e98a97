package store

import (
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/dgraph-io/badger/v4"
	"go.uber.org/zap"
)

// TestBuffers: Badger has the pool where it is looked for, and its large buffers are given back. A new release of Badger that
// has it elsewhere fails here.
func TestBuffers(t *testing.T) {
	s, err := Open(Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	s.memory.end()
	defer func() { s.memory = nil }()
	pool := s.memory.buffers
	if pool == nil {
		t.Fatal("this Badger has no pool of that name")
	}
	for range 3 {
		buffer := pool.Get(4<<20, "")
		defer func() { pool.Return(buffer) }()
	}
	large := pool.Get(4<<20, "")
	pool.Return(large)
	s.memory.giveBuffersBack()
	again := pool.Get(1, "")
	defer again.Release()
	if n := again.Allocated(); n >= largeBuffer {
		t.Errorf("a buffer of %d bytes is kept", n)
	}
}

// TestPages: the pages of tables leave the process, and what is in them is there as before.
func TestPages(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	const records = 300
	value := make([]byte, 100<<10)
	for i := range records {
		_, _ = rand.Read(value)
		if err := s.Prepare(len(value)); err != nil {
			t.Fatal(err)
		}
		if err := s.Update(func(txn *badger.Txn) error { return txn.Set(fmt.Appendf(nil, "k%06d", i), value) }); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Flatten(1); err != nil {
		t.Fatal(err)
	}
	before := mapped()
	if before == 0 {
		t.Skip("not known here")
	}
	givePagesBack(dir)
	if after := mapped(); after > before-5<<20 {
		t.Skipf("%d MB before, %d MB after: this kernel keeps them", before>>20, after>>20)
	}
	n := 0
	if err := s.View(func(txn *badger.Txn) error {
		it := txn.NewIterator(badger.DefaultIteratorOptions)
		defer it.Close()
		for it.Rewind(); it.Valid(); it.Next() {
			n++
			if size := it.Item().ValueSize(); size != int64(len(value)) {
				t.Errorf("a value of %d bytes", size)
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if n != records {
		t.Errorf("%d records, want %d", n, records)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestPagesGo: a store that is at work gives the pages of its tables back, however many there are.
func TestPagesGo(t *testing.T) {
	before := mapped()
	if before == 0 {
		t.Skip("not known here")
	}
	s, err := Open(Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	value := make([]byte, 100<<10)
	for i := range 1000 {
		_, _ = rand.Read(value)
		if err := s.Prepare(len(value)); err != nil {
			t.Fatal(err)
		}
		if err := s.Update(func(txn *badger.Txn) error { return txn.Set(fmt.Appendf(nil, "k%06d", i), value) }); err != nil {
			t.Fatal(err)
		}
	}
	const logs = 2 * logBlocks
	for patience := time.Now().Add(20 * time.Second); mapped() > before+logs+2*mappedMore; <-time.After(memoryEvery) {
		if time.Now().After(patience) {
			t.Fatalf("%d MB of files in memory, %d before", mapped()>>20, before>>20)
		}
	}
}

// TestTables: no table is much larger than another, though the ledger is large.
func TestTables(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	value := make([]byte, 1<<10)
	for range 60 {
		if err := s.Prepare(1 << 20); err != nil {
			t.Fatal(err)
		}
		if err := s.Update(func(txn *badger.Txn) error {
			for range 1 << 10 {
				_, _ = rand.Read(value)
				if err := txn.Set(append([]byte(nil), value[:16]...), append([]byte(nil), value...)); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Flatten(1); err != nil {
		t.Fatal(err)
	}
	for _, info := range s.Tables() {
		if info.Level > 0 && info.OnDiskSize > tableSize*3/2 {
			t.Errorf("a table of %d bytes at level %d", info.OnDiskSize, info.Level)
		}
	}
}

// TestLargerLog: a process of an older version has left a log of twice the size that is written now. It is read, also where a start that
// was killed has cut it at its end.
func TestLargerLog(t *testing.T) {
	for _, length := range []int64{2 * olderMemTable, 15 << 20} {
		t.Run(fmt.Sprint(length), func(t *testing.T) { openLargerLog(t, length) })
	}
}

func openLargerLog(t *testing.T, length int64) {
	was, now := t.TempDir(), t.TempDir()
	o := BadgerOptions(Options{Dir: was, Log: zap.NewNop()}).WithMemTableSize(olderMemTable).WithSyncWrites(false)
	db, err := badger.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	const records = 14 // of a megabyte: more than a log of now holds
	for i := range records {
		if err := db.Update(func(txn *badger.Txn) error { return txn.Set(fmt.Appendf(nil, "k%d", i), make([]byte, 1_000_000)) }); err != nil {
			t.Fatal(err)
		}
	}
	files, err := os.ReadDir(was)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files { // as a crash leaves them
		if f.Name() == "LOCK" {
			continue
		}
		text, err := os.ReadFile(filepath.Join(was, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if filepath.Ext(f.Name()) == logExt {
			text = text[:length]
		}
		if err := os.WriteFile(filepath.Join(now, f.Name()), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for try := range 2 {
		s, err := Open(Options{Dir: now})
		if err != nil {
			t.Fatal(err)
		}
		if got := s.Opts().MemTableSize; got != memTableSize {
			t.Errorf("try %d: logs of %d bytes", try, got)
		}
		for i := range records {
			if err := s.View(func(txn *badger.Txn) error {
				_, err := txn.Get(fmt.Appendf(nil, "k%d", i))
				return err
			}); err != nil {
				t.Errorf("try %d: record %d: %v", try, i, err)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
