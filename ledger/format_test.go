package ledger_test

import (
	"bytes"
	"fmt"
	"maps"
	"path/filepath"
	"testing"

	"github.com/dgraph-io/badger/v4"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
)

// older makes a closed ledger be as the versions before have written it: of format 1, with its entries among the other records.
func older(t *testing.T, dir string) {
	t.Helper()
	moved := map[string][]byte{}
	tamper(t, dir, func(txn *badger.Txn) error {
		o := badger.DefaultIteratorOptions
		o.Prefix = []byte("\x01/")
		it := txn.NewIterator(o)
		defer it.Close()
		for it.Rewind(); it.Valid(); it.Next() {
			value, err := it.Item().ValueCopy(nil)
			if err != nil {
				return err
			}
			moved[string(it.Item().Key()[2:])] = value
		}
		return nil
	})
	tamper(t, dir, func(txn *badger.Txn) error {
		for seq, value := range moved {
			if err := txn.Delete([]byte("\x01/" + seq)); err != nil {
				return err
			}
			if err := txn.Set([]byte("e/"+seq), value); err != nil {
				return err
			}
		}
		return txn.Set([]byte("m/format"), []byte("1"))
	})
}

// TestOlderFormat goes on with a ledger that an older version has written: its entries stay where they are, and those to come are with them,
// so that the older version can go on with it too, until it is archived. A backup of it restores into the newest format.
func TestOlderFormat(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "ledger")
	l := months(t, ledger.Options{Dir: dir}, 20)
	before := show(t, l)
	closed(t, l)
	older(t, dir)

	l = open(t, ledger.Options{Dir: dir})
	if after := show(t, l); !maps.Equal(after.exports, before.exports) || fmt.Sprint(after.summaries) != fmt.Sprint(before.summaries) {
		t.Error("the books are others than they were")
	}
	buy(t, l, "t2", "best", 5_000)
	mustVerify(t, l)
	before = show(t, l)
	format := func(want string) {
		t.Helper()
		tamper(t, dir, func(txn *badger.Txn) error {
			item, err := txn.Get([]byte("m/format"))
			if err != nil {
				return err
			}
			return item.Value(func(is []byte) error {
				if string(is) != want {
					t.Errorf("its format is %s, want %s", is, want)
				}
				return nil
			})
		})
	}
	closed(t, l)
	format("1")
	if entries := int(before.report.Entries); stored(t, dir, "\x01/") != 0 || stored(t, dir, "e/") != entries {
		t.Errorf("%d and %d entries, of %d", stored(t, dir, "\x01/"), stored(t, dir, "e/"), entries)
	}

	l = open(t, ledger.Options{Dir: dir})
	done := mustArchive(t, l, "2026-03-15")
	kept := backup(t, l)
	if after := show(t, l); !maps.Equal(after.exports, before.exports) {
		t.Error("with an archive the books are others than they were")
	}
	mustVerify(t, l)
	closed(t, l)
	format("2")

	elsewhere := filepath.Join(filepath.Dir(dir), "restored")
	o := ledger.Options{Dir: elsewhere, Key: testKey, Archives: dir + ".archive"}
	r, err := ledger.Restore(t.Context(), o, bytes.NewReader(kept))
	if err != nil || !r.OK {
		t.Fatalf("restore: %+v, %v", r, err)
	}
	dir = elsewhere
	format("3")
	if stored(t, dir, "e/") != 0 || stored(t, dir, "\x01/") != int(r.Entries-done.Entries) {
		t.Errorf("%d and %d entries", stored(t, dir, "e/"), stored(t, dir, "\x01/"))
	}
}
