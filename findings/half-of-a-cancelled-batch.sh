#!/usr/bin/env bash
# A WriteBatch of Badger's that was cancelled has written half of what was put into it, an entry and not the one that balances it.
#
# Seen 2026-11-29 with github.com/dgraph-io/badger/v4 4.9.6 (Go 1.26).
# Expected: a write batch is all or nothing, as the thing of that name is in LevelDB, RocksDB and Pebble, so that both sides of a booking can be
# put into it. Badger's is for speed: as soon as what has been put into it would be too much for a transaction, which goes by the
# memtable's size, it is committed without a word, and Set goes on into the next one. Cancel throws away only what has come since, and a crash
# does the same. With few entries, as in a test, it is atomic. An import or a restore by it that ends in the middle leaves books that
# do not balance, at a place that depends on the sizes of entries. Bookings belong into a transaction, whose
# Set says ErrTxnTooBig where the batch says nothing.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
export GOMODCACHE=$tmp/modules GOFLAGS='-modcacherw -trimpath'
cat >main.go <<'GO'
package main

import (
	"errors"
	"fmt"

	"github.com/dgraph-io/badger/v4"
)

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func main() {
	for _, entries := range []int{1_000, 60_000} {
		db, err := badger.Open(badger.DefaultOptions("").WithInMemory(true).WithLogger(nil).WithMemTableSize(16 << 20))
		must(err)
		count := func() (n int) {
			must(db.View(func(txn *badger.Txn) error {
				all := txn.NewIterator(badger.IteratorOptions{})
				defer all.Close()
				for all.Rewind(); all.Valid(); all.Next() {
					n++
				}
				return nil
			}))
			return n
		}
		txn := db.NewTransaction(true)
		set := error(nil)
		for i := 0; i < entries && set == nil; i++ {
			set = txn.Set(fmt.Appendf(nil, "entry/%06d", i), []byte("5 USD"))
		}
		txn.Discard()
		fmt.Printf("%d entries: a transaction is too big: %v, leaves %d; ", entries, errors.Is(set, badger.ErrTxnTooBig), count())

		batch := db.NewWriteBatch()
		for i := range entries {
			must(batch.Set(fmt.Appendf(nil, "entry/%06d", i), []byte("5 USD")))
		}
		batch.Cancel() // waits for what has been committed
		fmt.Printf("a cancelled batch leaves none: %v, all: %v\n", count() == 0, count() == entries)
		must(db.Close())
	}
}
GO
go mod init probe 2>go.log && go get github.com/dgraph-io/badger/v4@v4.9.6 2>>go.log || { cat go.log; exit 1; }
go list -m github.com/dgraph-io/badger/v4
go run . | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
1000 entries: a transaction is too big: false, leaves 0; a cancelled batch leaves none: true, all: false
60000 entries: a transaction is too big: true, leaves 0; a cancelled batch leaves none: false, all: false
SEEN
