package store

import (
	"reflect"
	"time"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/ristretto/v2/z"
)

// Badger takes memory that it does not give back while it is at work: of the buffers that tables are made in it keeps eight, each
// as large as the largest table it was ever used for (in v4.9.6 200 MB in all, with nothing to be set); and every page of a table
// that was written or read stays mapped, so that the process grows with the ledger. So both are given back for it.
const (
	memoryEvery = 250 * time.Millisecond // to merge tables takes seconds, and 200 MB of pages a second
	// largeBuffer is a buffer that a table was made in. What a Get of an empty pool makes is far smaller.
	largeBuffer = 64 << 10
	// mappedMore is by how much what a process has of its files in memory may grow before the tables' pages are given back: room for
	// the newest tables, which are merged soon.
	mappedMore = 16 << 20
	// mappedStep is by how much more is taken for the program's own each time that not so much was given back: while tables are
	// merged, their pages come back at once.
	mappedStep = 256 << 10
)

// memory gives back what the store does not need, until it is ended.
type memory struct {
	dir     string
	buffers *z.AllocatorPool // nil: this Badger has none of that name
	stop    chan struct{}
	ended   chan struct{}
}

// watchMemory begins to give back what the store of that directory does not need.
func watchMemory(db *badger.DB, dir string) *memory {
	m := &memory{dir: dir, buffers: buffersOf(db), stop: make(chan struct{}), ended: make(chan struct{})}
	go m.run()
	return m
}

// end comes before the store is closed: its buffers are gone then.
func (m *memory) end() {
	if m != nil {
		close(m.stop)
		<-m.ended
	}
}

func (m *memory) run() {
	defer close(m.ended)
	tick := time.NewTicker(memoryEvery)
	defer tick.Stop()
	rest := mapped() // of files in memory, without the tables: the program, mostly
	for {
		select {
		case <-m.stop:
			return
		case <-tick.C:
		}
		m.giveBuffersBack()
		if mapped() > rest+mappedMore {
			givePagesBack(m.dir)
			rest = min(mapped(), rest+mappedStep)
		}
	}
}

// giveBuffersBack empties the pool of those that nobody uses now.
func (m *memory) giveBuffersBack() {
	for m.buffers != nil {
		buffer := m.buffers.Get(1, "")
		large := buffer.Allocated() >= largeBuffer
		buffer.Release()
		if !large {
			return
		}
	}
}

// buffersOf gives the pool of buffers of a Badger. Its field has no other door; it is set when Badger opens, and read here, once.
func buffersOf(db *badger.DB) *z.AllocatorPool {
	field := reflect.ValueOf(db).Elem().FieldByName("allocPool")
	if !field.IsValid() || field.Type() != reflect.TypeFor[*z.AllocatorPool]() {
		return nil
	}
	return (*z.AllocatorPool)(field.UnsafePointer())
}
