package routing

import (
	"sync"
	"sync/atomic"
)

// TableOptions is what a config says about sellers and models.
type TableOptions struct {
	// Pinned are the sellers named in the config, in its order, each id once. One of them hides the registry's seller of the same id.
	Pinned []*Seller
	// Aliases maps names that clients ask for to a model's id, or to an alias of a seller's.
	Aliases map[string]string
	// Methods are the payment methods that are configured, in order of preference. A seller that takes none of them is no
	// candidate.
	Methods []string
	// DefaultSeller is stronger than the registry's. Empty: the registry's.
	DefaultSeller string
}

// Table is one config's view of the sellers: it keeps the index up to date with the registry.
type Table struct {
	o     TableOptions
	mu    sync.Mutex
	index atomic.Pointer[Index]
}

// NewTable makes a table that knows the pinned sellers and waits for a document. The options are not to be changed
// afterwards.
func NewTable(o TableOptions) *Table {
	t := &Table{o: o}
	t.Update(nil)
	return t
}

// Update builds the index anew from a document (nil: none) and puts it in the old one's place. It takes its time with many
// sellers, and is for the background: [Registry.Watch] calls it.
func (t *Table) Update(doc *Document) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.index.Store(newIndex(&t.o, doc))
}

// Index gives the index as it is now. A request takes it once and keeps it to its end.
func (t *Table) Index() *Index { return t.index.Load() }
