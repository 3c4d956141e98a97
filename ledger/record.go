package ledger

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/dgraph-io/badger/v4"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger/store"
)

// get reads one record; badger.ErrKeyNotFound when there is none.
func get(txn *badger.Txn, key string) ([]byte, error) {
	item, err := txn.Get([]byte(key))
	if err != nil {
		return nil, err
	}
	return item.ValueCopy(nil)
}

// getJSON reads one record into v, and tells whether there is one.
func getJSON(txn *badger.Txn, key string, v any) (bool, error) {
	raw, err := get(txn, key)
	return decode(raw, err, key, v)
}

// decode decodes what was read of a record, and tells whether there is one.
func decode(raw []byte, err error, key string, v any) (bool, error) {
	if errors.Is(err, badger.ErrKeyNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if err := json.Unmarshal(raw, v); err != nil {
		return false, store.Damaged("record %s can't be read", key)
	}
	return true, nil
}

// scan calls f with the rest of the key and the value of each record under prefix, beginning at from, in order. The
// slices are good during the call only.
func scan(txn *badger.Txn, prefix, from string, f func(rest, value []byte) error) error {
	o := badger.DefaultIteratorOptions
	o.Prefix = []byte(prefix)
	o.PrefetchSize = 32
	it := txn.NewIterator(o)
	defer it.Close()
	for it.Seek([]byte(from)); it.Valid(); it.Next() {
		item := it.Item()
		err := item.Value(func(v []byte) error { return f(item.Key()[len(prefix):], v) })
		if err != nil {
			return err
		}
	}
	return nil
}

// each calls f with each record under prefix, decoded.
func each[T any](txn *badger.Txn, prefix string, f func(id string, v *T) error) error {
	return eachFrom(txn, prefix, prefix, f)
}

func eachFrom[T any](txn *badger.Txn, prefix, from string, f func(id string, v *T) error) error {
	return scan(txn, prefix, from, func(rest, value []byte) error {
		v := new(T)
		if err := json.Unmarshal(value, v); err != nil {
			return store.Damaged("record %s%s can't be read", prefix, rest)
		}
		if err := f(string(rest), v); err != nil {
			return fmt.Errorf("record %s%s: %w", prefix, rest, err)
		}
		return nil
	})
}

// firstKey is the first key of the store, empty when it has none.
func firstKey(txn *badger.Txn) (string, error) {
	o := badger.DefaultIteratorOptions
	o.PrefetchValues = false
	it := txn.NewIterator(o)
	defer it.Close()
	if it.Rewind(); !it.Valid() {
		return "", nil
	}
	return string(it.Item().KeyCopy(nil)), nil
}
