package store

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"testing"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"
	"go.uber.org/zap"
)

// TestOlderTables: what an older version has written without compression is read, and is still there once it was merged with
// tables that are compressed.
func TestOlderTables(t *testing.T) {
	dir := t.TempDir()
	key := func(i int) []byte { return fmt.Appendf(nil, "k%05d", i) }
	value := func(i int) []byte { return bytes.Repeat(key(i), 200) }
	const older, newer = 2000, 4000
	old, err := badger.Open(BadgerOptions(Options{Dir: dir, Log: zap.NewNop()}).WithCompression(options.None))
	if err != nil {
		t.Fatal(err)
	}
	for i := range older {
		if err := old.Update(func(txn *badger.Txn) error { return txn.Set(key(i), value(i)) }); err != nil {
			t.Fatal(err)
		}
	}
	if err := old.Close(); err != nil {
		t.Fatal(err)
	}
	compressed := func() (kinds []options.CompressionType) {
		t.Helper()
		files, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		tables, err := manifest(dir, files)
		if err != nil {
			t.Fatal(err)
		}
		for _, table := range tables {
			kinds = append(kinds, table.compression)
		}
		return kinds
	}
	if kinds := compressed(); len(kinds) == 0 || slices.Contains(kinds, options.Snappy) {
		t.Fatalf("the older version's tables: %v", kinds)
	}
	there := func(s *Store, n int) {
		t.Helper()
		if err := s.View(func(txn *badger.Txn) error {
			for i := range n {
				item, err := txn.Get(key(i))
				if err != nil {
					return fmt.Errorf("%s: %w", key(i), err)
				}
				got, err := item.ValueCopy(nil)
				if err != nil {
					return err
				}
				if !bytes.Equal(got, value(i)) {
					return fmt.Errorf("%s is not what was written", key(i))
				}
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	s, err := Open(Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	there(s, older)
	for i := 1; i < newer; i++ {
		if i < older && i%2 == 0 { // these are the older version's to the end
			continue
		}
		if err := s.Update(func(txn *badger.Txn) error { return txn.Set(key(i), value(i)) }); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil { // which merges
		t.Fatal(err)
	}
	if kinds := compressed(); !slices.Contains(kinds, options.Snappy) || slices.Contains(kinds, options.None) {
		t.Errorf("tables after that: %v", kinds)
	}
	if s, err = Open(Options{Dir: dir}); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	there(s, newer)
}
