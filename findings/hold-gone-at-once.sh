#!/usr/bin/env bash
# A Badger entry that should live for 0.9 s may be over before its commit returns, and one of 1.9 s may live for one.
#
# Seen 2026-11-27 with github.com/dgraph-io/badger/v4 4.9.6 (Go 1.26).
# The end of an entry is kept in whole seconds, cut and not rounded up, and an entry whose second has begun is over. So up
# to a second is missing of every time to live: of 0.9 s all, where the entry is written in the first tenth of a second by
# the clock, and of 1.9 s nearly half. The option takes a time.Duration, and there is no error. Leases and holds that must
# live for T have to be given T + 1 s.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
export GOMODCACHE=$tmp/modules GOFLAGS='-modcacherw -trimpath'
cat >main.go <<'GO'
package main

import (
	"fmt"
	"log"
	"time"

	"github.com/dgraph-io/badger/v4"
)

func main() {
	db, err := badger.Open(badger.DefaultOptions("").WithInMemory(true).WithLogger(nil))
	if err != nil {
		log.Fatal(err)
	}
	there := func() bool {
		return nil == db.View(func(txn *badger.Txn) error {
			_, err := txn.Get([]byte("hold"))
			return err
		})
	}
	for _, ttl := range []time.Duration{900 * time.Millisecond, 1900 * time.Millisecond} {
		time.Sleep(time.Until(time.Now().Truncate(time.Second).Add(time.Second))) // the beginning of a second
		start := time.Now()
		err := db.Update(func(txn *badger.Txn) error {
			return txn.SetEntry(badger.NewEntry([]byte("hold"), []byte("1 USD")).WithTTL(ttl))
		})
		if err != nil {
			log.Fatal(err)
		}
		seen := there()
		for there() {
			time.Sleep(5 * time.Millisecond)
		}
		fmt.Printf("told to live for %v: error %v, seen after the commit: %v, lived for less than %v: %v\n",
			ttl, err, seen, ttl-500*time.Millisecond, time.Since(start) < ttl-500*time.Millisecond)
	}
}
GO
go mod init probe 2>go.log && go get github.com/dgraph-io/badger/v4@v4.9.6 2>>go.log || { cat go.log; exit 1; }
go list -m github.com/dgraph-io/badger/v4
go run . | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
told to live for 900ms: error <nil>, seen after the commit: false, lived for less than 400ms: true
told to live for 1.9s: error <nil>, seen after the commit: true, lived for less than 1.4s: true
SEEN
