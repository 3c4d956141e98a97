#!/usr/bin/env bash
# Restored from a full and an incremental Badger backup, a key that was deleted between the two may be there again.
#
# Seen 2026-11-27 with github.com/dgraph-io/badger/v4 4.9.6 (Go 1.26).
# An incremental backup holds what is newer than the last one, deletions included, as long as their markers are still
# there. Compaction drops a marker when nothing is left below for it to hide. Then the incremental backup is empty, nothing
# says so, and when both are loaded, without an error, the key is there with its old value. So whether a backup is right
# depends on what the compactor did meanwhile. For tokens and holds, which are deleted when they are spent, only full
# backups will do.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
export GOMODCACHE=$tmp/modules GOFLAGS='-modcacherw -trimpath'
cat >main.go <<'GO'
package main

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/dgraph-io/badger/v4"
)

func must(errs ...error) {
	if err := errors.Join(errs...); err != nil {
		panic(err)
	}
}

func open(name string, compactOnClose bool) *badger.DB {
	db, err := badger.Open(badger.DefaultOptions(name).WithLogger(nil).WithCompactL0OnClose(compactOnClose))
	must(err)
	return db
}

func has(db *badger.DB) (there bool) {
	must(db.View(func(txn *badger.Txn) error {
		_, err := txn.Get([]byte("token"))
		there = err == nil
		return nil
	}))
	return there
}

func main() {
	for _, compact := range []bool{false, true} {
		name := fmt.Sprint("source-", compact)
		db := open(name, false)
		must(db.Update(func(txn *badger.Txn) error { return txn.Set([]byte("token"), []byte("not spent")) }))
		var full, later bytes.Buffer
		since, err := db.Backup(&full, 0)
		must(err, db.Update(func(txn *badger.Txn) error { return txn.Delete([]byte("token")) }))
		for range 2 { // the first writes a table, the second may compact it; both happen under load without a restart
			must(db.Close())
			db = open(name, compact)
		}
		_, err = db.Backup(&later, since)
		must(err)
		restored := open(name+"-restored", false)
		bytesLater := later.Len()
		must(restored.Load(&full, 16), restored.Load(&later, 16))
		fmt.Printf("compacted between: %v; incremental backup empty: %v; deleted key in the source: %v, in the restored: %v\n",
			compact, bytesLater == 0, has(db), has(restored))
		must(db.Close(), restored.Close())
	}
}
GO
go mod init probe 2>go.log && go get github.com/dgraph-io/badger/v4@v4.9.6 2>>go.log || { cat go.log; exit 1; }
go list -m github.com/dgraph-io/badger/v4
go run . | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
compacted between: false; incremental backup empty: false; deleted key in the source: false, in the restored: false
compacted between: true; incremental backup empty: true; deleted key in the source: false, in the restored: true
SEEN
