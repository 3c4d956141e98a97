package postgres_test

import (
	"fmt"
	"sync"
	"testing"
)

// BenchmarkChange is what one key bears, of several gateways at once. The disk is not synced: what is measured is the way there and back.
func BenchmarkChange(b *testing.B) {
	c := shared(b)
	for _, clients := range []int{1, 5} {
		b.Run(fmt.Sprint(clients), func(b *testing.B) {
			database := c.Database(b)
			s := open(b, c.Addr(), database)
			must(b, s.Change(b.Context(), "n", count))
			var all sync.WaitGroup
			b.ResetTimer()
			for i := range clients {
				all.Go(func() {
					for n := i; n < b.N; n += clients {
						if err := s.Change(b.Context(), "n", count); err != nil {
							b.Error(err)
						}
					}
				})
			}
			all.Wait()
		})
	}
}
