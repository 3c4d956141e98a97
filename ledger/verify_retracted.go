package ledger

import (
	"maps"
	"slices"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger/store"
)

// takenBack checks that it is known of each entry that was taken back, and of no other: else it could be once more, or not at all.
func (c *checker) takenBack() error {
	err := scan(c.txn, retractedPrefix, retractedPrefix, func(rest, _ []byte) error {
		if id := string(rest); !c.retracted[id] {
			return store.Damaged("entry %s counts as taken back, and no entry says that it was", id)
		}
		delete(c.retracted, string(rest))
		return c.alive()
	})
	if err != nil {
		return err
	}
	for _, id := range slices.Sorted(maps.Keys(c.retracted)) {
		return store.Damaged("entry %s was taken back, and does not count as that", id)
	}
	return nil
}
