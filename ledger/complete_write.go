package ledger

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// write writes the records that have changed.
func (c *completion) write(epoch uint64) error {
	if c.entries > 0 {
		c.head.Commits++
	}
	var err error
	put := func(key string, record any) {
		raw, failed := json.Marshal(record)
		if err = errors.Join(err, failed); err == nil {
			err = c.out.Set([]byte(key), raw)
		}
	}
	sum := func(key string, add money.Micros) {
		var was money.Micros
		if _, failed := getJSON(c.txn, key, &was); failed != nil {
			err = errors.Join(err, failed)
		}
		put(key, was+add)
	}
	put(metaHead, &c.head)
	for name, add := range c.accounts {
		sum(accountPrefix+name, add)
	}
	for day, add := range c.spent {
		if day != "" {
			sum(spentPrefix+day, add)
		}
	}
	for key, r := range c.rollups {
		put(key, r)
	}
	for id := range c.touched { // what an estimate can have been wrong by is not known any more
		t := c.tokens[id]
		if t.BalanceMicros < 0 {
			err = errors.Join(err, fmt.Errorf("%w: a token of seller %s is worth less than nothing", errShipped, t.Seller))
		}
		put(balancePrefix+t.ID, t.rest())
	}
	err = errors.Join(err, each(c.txn, endedPrefix, func(id string, e *ended) error { // nor of one that has ended
		if c.corrected[e.PurchaseID] {
			return c.out.Delete([]byte(endedKey(id)))
		}
		return nil
	}))
	for method, w := range c.wallets {
		if *w != (Wallet{}) {
			put(names(walletPrefix, method), w)
		}
	}
	for _, all := range c.holds {
		for _, h := range all {
			put(holdPrefix+h.ID, h)
		}
	}
	if c.whole {
		put(metaShared, c.head.Sequence)
		for h, r := range c.shared {
			put(sharedKey(h), r)
		}
	}
	var had uint64
	if _, failed := getJSON(c.txn, metaEpoch, &had); failed != nil {
		err = errors.Join(err, failed)
	}
	put(metaEpoch, max(had, epoch))
	put(metaRestored, max(had, epoch))
	return err
}

// completedNote says in the journal what a backup was completed with.
func completedNote(c completed) (note string) {
	if c.entries > 0 {
		note = fmt.Sprintf(", and completed by the %d entries that its fleet has after those", c.entries)
	}
	if c.lost > 0 {
		note += fmt.Sprintf("; $%s more were spent, as the fleet was told, by entries that are lost: they count in budgets", c.lost)
	}
	return note
}
