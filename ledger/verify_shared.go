package ledger

import "github.com/tokenbuddy/caddy-tokenbuddy/ledger/store"

// shared checks what was spent as a fleet is told, as far as that can be known: entries don't say in which periods their requests began.
func (c *checker) shared() error {
	return each(c.txn, sharedPrefix, func(rest string, r *sharedSpent) error {
		h, ok := holderOf(rest)
		if !ok {
			return store.Damaged("the key of what was spent in a fleet can't be read")
		}
		if err := r.sound(h.name); err != nil {
			return err
		}
		return c.alive()
	})
}
