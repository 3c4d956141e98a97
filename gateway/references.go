package gateway

import "sync/atomic"

// references are how many hold something that ends with the last of them. Who holds one may Add another.
type references struct{ atomic.Int64 }

// take takes one, unless the last one is gone.
func (r *references) take() bool {
	for {
		n := r.Load()
		if n == 0 {
			return false
		}
		if r.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// give gives one back, and tells whether it was the last.
func (r *references) give() (last bool) { return r.Add(-1) == 0 }
