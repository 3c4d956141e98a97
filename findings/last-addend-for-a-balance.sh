#!/usr/bin/env bash
# A balance that Badger's MergeOperator keeps is 15 to itself, and to every transaction and iterator the last 5 that was added.
#
# Seen 2026-11-29 with github.com/dgraph-io/badger/v4 4.9.6 (Go 1.26).
# Expected: what is added by the operator is what others read under the same key, if perhaps a little late; merge operators of other stores
# merge when a key is read, whoever reads it. Badger's writes each addend as a version of the key, and only its own Get adds them
# up. To a transaction, which has to read a balance together with other keys to decide by it, and to any export, the balance is the
# newest version. That is the whole sum only when the operator's background merge has run since the last Add, which it does every so often:
# a test that waits for it, or adds once, sees the right number. And an Add is a transaction of its own, so an entry and the balance that
# it changes can't be written together. So it will do for statistics; for money keep the sum in an ordinary key.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
export GOMODCACHE=$tmp/modules GOFLAGS='-modcacherw -trimpath'
cat >main.go <<'GO'
package main

import (
	"fmt"
	"strconv"
	"time"

	"github.com/dgraph-io/badger/v4"
)

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func sum(a, b []byte) []byte {
	x, err := strconv.Atoi(string(a))
	must(err)
	y, err := strconv.Atoi(string(b))
	must(err)
	return []byte(strconv.Itoa(x + y))
}

func main() {
	db, err := badger.Open(badger.DefaultOptions("").WithInMemory(true).WithLogger(nil))
	must(err)
	defer db.Close()
	key := []byte("balance/ada")
	balance := db.GetMergeOperator(key, sum, time.Hour) // how often it merges: not in this test
	show := func(when string) {
		own, err := balance.Get()
		must(err)
		must(db.View(func(txn *badger.Txn) error {
			item, err := txn.Get(key)
			must(err)
			read, err := item.ValueCopy(nil)
			must(err)
			all := txn.NewIterator(badger.DefaultIteratorOptions)
			defer all.Close()
			all.Rewind()
			iterated, err := all.Item().ValueCopy(nil)
			must(err)
			fmt.Printf("%s: operator %s, transaction %s, iterator %s\n", when, own, read, iterated)
			return nil
		}))
	}
	for _, when := range []string{"added once", "added twice", "added three times"} {
		must(balance.Add([]byte("5")))
		show(when)
	}
	often := db.GetMergeOperator([]byte("balance/bob"), sum, 10*time.Millisecond)
	must(often.Add([]byte("5")))
	must(often.Add([]byte("5")))
	merged := false
	for i := 0; i < 500 && !merged; i++ {
		<-time.After(10 * time.Millisecond)
		must(db.View(func(txn *badger.Txn) error {
			item, err := txn.Get([]byte("balance/bob"))
			must(err)
			value, err := item.ValueCopy(nil)
			merged = string(value) == "10"
			return err
		}))
	}
	fmt.Printf("another, merged in the background: transaction has the sum: %v\n", merged)
	often.Stop()
	balance.Stop()
}
GO
go mod init probe 2>go.log && go get github.com/dgraph-io/badger/v4@v4.9.6 2>>go.log || { cat go.log; exit 1; }
go list -m github.com/dgraph-io/badger/v4
go run . | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
added once: operator 5, transaction 5, iterator 5
added twice: operator 10, transaction 5, iterator 5
added three times: operator 15, transaction 5, iterator 5
another, merged in the background: transaction has the sum: true
SEEN
