package ledger

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"

	"github.com/dgraph-io/badger/v4"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger/store"
)

// Order is what an entry says of something that an operator has changed at run time, about a member or about the entry's seller.
type Order struct {
	Order  string `json:"order"`            // add, set, rotate, disable, enable, remove, raise; pause, resume
	By     string `json:"by"`               // who gave it, as far as that is known
	From   string `json:"from,omitempty"`   // the address from where
	Member string `json:"member,omitempty"` // whom it is about
	// Record is the SHA-256 in hex of what is kept since then; empty: nothing is.
	Record string `json:"record,omitempty"`
}

// record is the key of what is kept, by an order about a member or about a seller.
func (o *Order) record(seller string) string {
	if o.Member != "" {
		return names(memberPrefix, o.Member)
	}
	return names(pausedPrefix, seller)
}

// order keeps a record as an operator has ordered it, or none, and books that. The note says what of it is another.
func (b *batch) order(o Order, seller, note string, is any) error {
	key := o.record(seller)
	if o.Record = ""; is == nil {
		b.delete(key)
	} else {
		raw, err := json.Marshal(is)
		if err != nil {
			return err
		}
		o.Record = digest(raw)
		b.put(key, json.RawMessage(raw))
	}
	b.book(&Entry{Kind: KindOrder, Seller: seller, Order: &o, Note: note})
	b.keepBeside(key, is)
	return nil
}

func digest(raw []byte) string {
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:])
}

// kept reads a record that orders are about into v, the changes of this batch included, and tells whether there is one.
func (b *batch) kept(key string, v any) (bool, error) {
	is, changed := b.dirty[key]
	if !changed {
		return b.getJSON(key, v)
	}
	raw, ok := is.(json.RawMessage)
	if !ok {
		return false, nil
	}
	return true, json.Unmarshal(raw, v)
}

// ordered checks that the records of members and of paused sellers are what the last order has left of each. Sellers that were paused
// before that was an entry have none.
func (c *checker) ordered() error {
	for _, prefix := range []string{memberPrefix, pausedPrefix} {
		err := scan(c.txn, prefix, prefix, func(rest, value []byte) error {
			key := prefix + string(rest)
			want, told := c.orders[key]
			if told && want != digest(bytes.TrimSpace(value)) || !told && prefix == memberPrefix {
				return store.Damaged("record %s is not what the orders about it say", key)
			}
			return c.alive()
		})
		if err != nil {
			return err
		}
	}
	for key, want := range c.orders {
		if want == "" {
			continue
		}
		if _, err := get(c.txn, key); errors.Is(err, badger.ErrKeyNotFound) {
			return store.Damaged("record %s is missing, the orders about it say that it is there", key)
		} else if err != nil {
			return err
		}
	}
	return nil
}
