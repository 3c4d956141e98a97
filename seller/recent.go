package seller

import "container/list"

// recent is a map that keeps the newest entries, up to a limit.
type recent[K comparable, V any] struct {
	limit   int
	entries map[K]*list.Element
	order   list.List // of pair[K, V], newest first
}

type pair[K comparable, V any] struct {
	key   K
	value V
}

func newRecent[K comparable, V any](limit int) *recent[K, V] {
	return &recent[K, V]{limit: limit, entries: make(map[K]*list.Element)}
}

// put adds an entry, or makes it the newest, and forgets the oldest past the limit.
func (r *recent[K, V]) put(k K, v V) {
	if e, ok := r.entries[k]; ok {
		e.Value = pair[K, V]{k, v}
		r.order.MoveToFront(e)
		return
	}
	r.entries[k] = r.order.PushFront(pair[K, V]{k, v})
	if r.order.Len() > r.limit {
		delete(r.entries, r.order.Remove(r.order.Back()).(pair[K, V]).key)
	}
}

func (r *recent[K, V]) get(k K) (v V, ok bool) {
	e, ok := r.entries[k]
	if !ok {
		return v, false
	}
	return e.Value.(pair[K, V]).value, true
}

func (r *recent[K, V]) has(k K) bool {
	_, ok := r.entries[k]
	return ok
}

// oldestFirst calls f for each entry.
func (r *recent[K, V]) oldestFirst(f func(K, V)) {
	for e := r.order.Back(); e != nil; e = e.Prev() {
		p := e.Value.(pair[K, V])
		f(p.key, p.value)
	}
}
