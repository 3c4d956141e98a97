#!/usr/bin/env bash
# With SyncWrites each commit of Badger syncs two files, and one of them is an empty log of 2 GiB.
#
# Seen 2026-11-27 with github.com/dgraph-io/badger/v4 4.9.6 (Go 1.26) under strace (Debian's 6.1), Linux.
# Values under the threshold (1 MiB by default) never go to the value log, so it stays empty. A hundred small transactions
# are two hundred msync calls all the same: a hundred for the memtable's log, and a hundred for the whole mapping of the
# value log, 2,147,483,646 bytes, which has nothing to write but costs the call. No option turns the second one off but
# that which turns off the first. For a ledger with one sync a request that is half of its system calls to the disk.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
export GOMODCACHE=$tmp/modules GOFLAGS='-modcacherw -trimpath'
mkdir -p lists/partial cache/archives/partial
apt=(apt-get -qq -o "Dir::State::lists=$tmp/lists" -o "Dir::Cache=$tmp/cache" -o APT::Sandbox::User=root)
"${apt[@]}" update
"${apt[@]}" download strace=6.1-0.1 libunwind8
for package in ./*.deb; do dpkg -x "$package" root; done
cat >main.go <<'GO'
package main

import (
	"fmt"
	"log"
	"os"

	"github.com/dgraph-io/badger/v4"
)

func main() {
	db, err := badger.Open(badger.DefaultOptions("db").WithLogger(nil).WithSyncWrites(true))
	if err != nil {
		log.Fatal(err)
	}
	for i := range 100 {
		entry := fmt.Sprint("entry ", i)
		if err := db.Update(func(txn *badger.Txn) error { return txn.Set([]byte(entry), make([]byte, 300)) }); err != nil {
			log.Fatal(err)
		}
	}
	os.Exit(0) // not closed: only the commits are counted
}
GO
go mod init probe 2>go.log && go get github.com/dgraph-io/badger/v4@v4.9.6 2>>go.log || { cat go.log; exit 1; }
go list -m github.com/dgraph-io/badger/v4
go build -o probe .
LD_LIBRARY_PATH=$(dirname "$(find "$tmp/root" -name 'libunwind.so.8')") \
	root/usr/bin/strace -f -e trace=msync -o trace ./probe
sed -n 's/.*msync(0x[0-9a-f]*, \([0-9]*\), MS_SYNC).*/\1/p' trace | sort -n | uniq -c |
	while read -r times size; do echo "100 commits: $times msync of $size bytes"; done | tee seen
od -An -tx1 -v -j 20 -N 1000000 db/000001.vlog | tr -d ' \n0' | wc -c |
	sed 's/^/bytes other than 0 in the value log behind its header: /' | tee -a seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
100 commits: 100 msync of 134217728 bytes
100 commits: 100 msync of 2147483646 bytes
bytes other than 0 in the value log behind its header: 0
SEEN
