#!/usr/bin/env bash
# Two Badger transactions each add up the holds, find room for one more, and both commit: of 10 dollars 12 are held, without a conflict.
#
# Seen 2026-11-29 with github.com/dgraph-io/badger/v4 4.9.6 (Go 1.26).
# Expected: transactions are serializable, as its description has it, and one that decided by what another has changed fails with
# ErrConflict. That goes by keys: each one that was read, also by an iterator, is compared with those written since. A key that wasn't
# there when the iterator came by has not been read. So whoever sums up "hold/ada/" and then puts a hold of his own beside the others
# conflicts with nobody who did the same, and the more who ask at once, the more is lent. A change of a hold that was there is noticed, and a
# test with a single key, the usual one, passes. What bounds a sum has to be in a key that every such transaction both reads and writes:
# a total, or an empty "guard", is enough.
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

	"github.com/dgraph-io/badger/v4"
)

const limit = 10

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func number(item *badger.Item) int {
	value, err := item.ValueCopy(nil)
	must(err)
	n, err := strconv.Atoi(string(value))
	must(err)
	return n
}

func sum(txn *badger.Txn) (total int) {
	holds := txn.NewIterator(badger.IteratorOptions{Prefix: []byte("hold/ada/")})
	defer holds.Close()
	for holds.Rewind(); holds.Valid(); holds.Next() {
		total += number(holds.Item())
	}
	return total
}

func put(txn *badger.Txn, key string, n int) { must(txn.Set([]byte(key), []byte(strconv.Itoa(n)))) }

func main() {
	ways := []struct {
		name string
		hold func(txn *badger.Txn, key string, n int)
	}{
		{"sum of the holds", func(txn *badger.Txn, key string, n int) {
			if sum(txn)+n <= limit {
				put(txn, key, n)
			}
		}},
		{"sum of the holds, and a guard", func(txn *badger.Txn, key string, n int) {
			guard, err := txn.Get([]byte("guard/ada"))
			must(err)
			if sum(txn)+n <= limit {
				put(txn, key, n)
				put(txn, "guard/ada", number(guard)+1)
			}
		}},
	}
	for _, way := range ways {
		db, err := badger.Open(badger.DefaultOptions("").WithInMemory(true).WithLogger(nil))
		must(err)
		must(db.Update(func(txn *badger.Txn) error {
			put(txn, "guard/ada", 0)
			put(txn, "hold/ada/0", 2)
			return nil
		}))
		first, second := db.NewTransaction(true), db.NewTransaction(true)
		way.hold(first, "hold/ada/1", 5)
		way.hold(second, "hold/ada/2", 5)
		fmt.Printf("%s: first %v, second %v, ", way.name, first.Commit(), second.Commit())
		must(db.View(func(txn *badger.Txn) error {
			fmt.Printf("%d of %d held\n", sum(txn), limit)
			return nil
		}))
		must(db.Close())
	}
}
GO
go mod init probe 2>go.log && go get github.com/dgraph-io/badger/v4@v4.9.6 2>>go.log || { cat go.log; exit 1; }
go list -m github.com/dgraph-io/badger/v4
go run . | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
sum of the holds: first <nil>, second <nil>, 12 of 10 held
sum of the holds, and a guard: first <nil>, second Transaction Conflict. Please retry, 7 of 10 held
SEEN
