package market

import (
	"slices"
	"sync"
	"sync/atomic"
)

// running are what the running configs hold of one kind, each until it lets go of it, the newest last. To look at them takes no lock.
type running[T any] struct {
	mu  sync.Mutex           // held while one comes or goes
	all atomic.Pointer[[]*T] // the slice never changes
}

// hold adds what a config holds, until release is called.
func (r *running[T]) hold(held *T) (release func()) {
	r.edit(func(all []*T) []*T { return append(all, held) })
	return func() {
		r.edit(func(all []*T) []*T { return slices.DeleteFunc(all, func(o *T) bool { return o == held }) })
	}
}

func (r *running[T]) edit(change func([]*T) []*T) {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := change(slices.Clone(r.now()))
	r.all.Store(&all)
}

// now gives all of them, which are not to be changed.
func (r *running[T]) now() []*T {
	if all := r.all.Load(); all != nil {
		return *all
	}
	return nil
}

// newest gives what came last; nil: nothing is held.
func (r *running[T]) newest() *T {
	all := r.now()
	if len(all) == 0 {
		return nil
	}
	return all[len(all)-1]
}
