#!/usr/bin/env bash
# Badger keeps hundreds of megabytes of buffers while it is written to, whatever its memtables and caches are set to.
#
# Seen 2026-11-27 with github.com/dgraph-io/badger/v4 4.9.6 (Go 1.26), Linux. Tables are built in allocators that go back to a pool of
# eight. One that has grown keeps all of its parts (it is trimmed above 400 MB only), each of the eight grows to what the largest table
# has wanted, and the pool lets one go in two seconds in which nobody has taken any: under a steady load never. With memtables
# of 16 MiB, caches of 8 and 4 MiB and no compression, a heap whose largest table is 16 MiB holds more than ten times that. With 4 MiB
# it is a quarter of it: the size of the memtable is the only setting that counts, and it bounds the largest transaction too.
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
	"math/rand/v2"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"
)

// built is how much of the heap was allocated where tables are built, after a collection.
func built() (bytes int64) {
	runtime.GC()
	runtime.GC()
	records := make([]runtime.MemProfileRecord, 4096)
	n, _ := runtime.MemProfile(records, false)
	for _, r := range records[:n] {
		frames := runtime.CallersFrames(r.Stack())
		for more := true; more; {
			var f runtime.Frame
			if f, more = frames.Next(); strings.HasSuffix(f.Function, "z.Calloc") {
				bytes += r.InUseBytes()
				break
			}
		}
	}
	return bytes
}

func main() {
	runtime.MemProfileRate = 64 << 10
	for _, memtable := range []int64{16 << 20, 4 << 20} {
		dir, _ := os.MkdirTemp(".", "db")
		db, err := badger.Open(badger.DefaultOptions(dir).WithLogger(nil).WithMemTableSize(memtable).WithNumMemtables(2).
			WithValueThreshold(512 << 10).WithValueLogFileSize(16 << 20).WithCompression(options.None).WithNumCompactors(2).
			WithBlockCacheSize(8 << 20).WithIndexCacheSize(4 << 20).WithMetricsEnabled(false))
		if err != nil {
			log.Fatal(err)
		}
		random := rand.NewChaCha8([32]byte{})
		var most int64
		value := make([]byte, 1000)
		began := time.Now()
		for n := 0; most <= 10*memtable && time.Since(began) < time.Minute; { // a slow machine takes longer to get there
			if err := db.Update(func(txn *badger.Txn) error {
				for range 200 {
					n++
					_, _ = random.Read(value)
					if err := txn.Set(fmt.Appendf(nil, "%d/%d", random.Uint64()%16, n), append([]byte(nil), value...)); err != nil {
						return err
					}
				}
				return nil
			}); err != nil {
				log.Fatal(err)
			}
			if n%40_000 == 0 {
				most = max(most, built())
			}
		}
		tenfold := "no more than ten memtables"
		if most > 10*memtable {
			tenfold = "more than ten memtables"
		}
		fmt.Fprintf(os.Stderr, "memtable of %d MiB: %d MiB in the buffers of tables after %v\n", memtable>>20, most>>20, time.Since(began).Round(time.Second))
		fmt.Printf("memtable of %d MiB: %s in the buffers of tables\n", memtable>>20, tenfold)
		_ = db.Close()
		time.Sleep(100 * time.Millisecond)
	}
}
GO
go mod init probe 2>go.log && go get github.com/dgraph-io/badger/v4@v4.9.6 2>>go.log || { cat go.log; exit 1; }
go list -m github.com/dgraph-io/badger/v4
go build -o probe .
./probe | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
memtable of 16 MiB: more than ten memtables in the buffers of tables
memtable of 4 MiB: more than ten memtables in the buffers of tables
SEEN
