#!/usr/bin/env bash
# Loading an older backup into a Badger database that has gone on reports success and changes no key that is there.
#
# Seen 2026-11-27 with github.com/dgraph-io/badger/v4 4.9.6 (Go 1.26).
# Load writes each key with the version that it had, so what the database has since written stays on top: the old value
# goes under it, a key that has been deleted since stays deleted, and a key made since stays. Load returns nil, also in
# the next process everything is as before, and only an empty directory takes the backup's state. An operator who undoes a
# bad hour by loading last night's backup is told that it worked.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
export GOMODCACHE=$tmp/modules GOFLAGS='-modcacherw -trimpath'
cat >main.go <<'GO'
package main

import (
	"bytes"
	"fmt"
	"log"

	"github.com/dgraph-io/badger/v4"
)

func open(name string) *badger.DB {
	db, err := badger.Open(badger.DefaultOptions(name).WithLogger(nil))
	if err != nil {
		log.Fatal(err)
	}
	return db
}

func set(db *badger.DB, key, value string) {
	if err := db.Update(func(txn *badger.Txn) error { return txn.Set([]byte(key), []byte(value)) }); err != nil {
		log.Fatal(err)
	}
}

func show(what string, db *badger.DB) {
	_ = db.View(func(txn *badger.Txn) error {
		fmt.Print(what, ":")
		for _, key := range []string{"changed", "deleted", "new"} {
			value := "-"
			if item, err := txn.Get([]byte(key)); err == nil {
				_ = item.Value(func(v []byte) error { value = string(v); return nil })
			}
			fmt.Printf(" %s=%s", key, value)
		}
		fmt.Println()
		return nil
	})
}

func main() {
	db := open("live")
	set(db, "changed", "night")
	set(db, "deleted", "night")
	var backup bytes.Buffer
	if _, err := db.Backup(&backup, 0); err != nil {
		log.Fatal(err)
	}
	set(db, "changed", "morning")
	set(db, "new", "morning")
	if err := db.Update(func(txn *badger.Txn) error { return txn.Delete([]byte("deleted")) }); err != nil {
		log.Fatal(err)
	}
	show("before the load", db)
	fmt.Println("load:", db.Load(bytes.NewReader(backup.Bytes()), 16))
	show("after it", db)
	db.Close()
	show("opened again", open("live"))
	empty := open("empty")
	fmt.Println("load:", empty.Load(&backup, 16))
	show("into an empty directory", empty)
}
GO
go mod init probe 2>go.log && go get github.com/dgraph-io/badger/v4@v4.9.6 2>>go.log || { cat go.log; exit 1; }
go list -m github.com/dgraph-io/badger/v4
go run . | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
before the load: changed=morning deleted=- new=morning
load: <nil>
after it: changed=morning deleted=- new=morning
opened again: changed=morning deleted=- new=morning
load: <nil>
into an empty directory: changed=night deleted=night new=-
SEEN
