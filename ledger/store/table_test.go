package store

import (
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/dgraph-io/badger/v4/table"
	"github.com/dgraph-io/badger/v4/y"
	"go.uber.org/zap"
)

// TestTableRoom: a log of blocks of entries is made a table with room of some times its size, and no more.
func TestTableRoom(t *testing.T) {
	o := BadgerOptions(Options{Dir: t.TempDir(), Log: zap.NewNop()})
	block := make([]byte, 25<<10)
	random := rand.NewChaCha8([32]byte{})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	b := table.NewTableBuilder(table.Options{
		TableSize: uint64(o.BaseTableSize), BlockSize: o.BlockSize, BloomFalsePositive: o.BloomFalsePositive, Compression: o.Compression,
	})
	defer b.Close()
	for n := range uint64(memTableSize / len(block)) { // a log's, in one table
		random.Read(block)
		b.Add(y.KeyWithTs(NumberedKey("n/", n), n), y.ValueStruct{Value: block}, 0)
	}
	size := len(b.Finish())
	runtime.ReadMemStats(&after)
	if took := after.TotalAlloc - before.TotalAlloc; took > 6*uint64(size) {
		t.Errorf("%d kB were taken for a table of %d", took>>10, size>>10)
	}
}
