package store

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"slices"
	"strings"

	"github.com/dgraph-io/badger/v4"
	"github.com/klauspost/compress/s2"
)

// A numbered record has a prefix and a number, 8 bytes big-endian, for its key. The numbers count up, and a record stays as it was written.
// Those that the journal hands over together are put into blocks: a block is one record to Badger, which writes it into its log, a table and,
// as tables are merged, some more of them; and what a hundred records say alike is compressed to a third.
//
// The key of a block is the prefix, the number of its last record and that of its first. So a record is found under its own key, or in
// what comes next after that. What is in a block may stand by itself, too: after a crash the journal hands over once more what it has.
const (
	blockSize = 64 << 10 // at the least, before it is compressed, where there is so much
	fewest    = 32       // fewer records are no block
)

// NumberedKey is the key of a numbered record.
func NumberedKey(prefix string, n uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte(prefix), n)
}

// numbersIn reads what stands behind the prefix in the key of a numbered record, or of a block.
func numbersIn(rest []byte) (first, last uint64, block bool, err error) {
	switch len(rest) {
	case 8:
		n := binary.BigEndian.Uint64(rest)
		return n, n, false, nil
	case 16:
		last, first = binary.BigEndian.Uint64(rest), binary.BigEndian.Uint64(rest[8:])
		if first <= last && last-first < 2*MaxRecord {
			return first, last, true, nil
		}
	}
	return 0, 0, false, Damaged("the key of a numbered record can't be read")
}

// splitBlock gives the records of a block, in raw and records, which are used again.
func splitBlock(raw []byte, records [][]byte, block []byte, first, last uint64) ([]byte, [][]byte, error) {
	damaged := func() ([]byte, [][]byte, error) {
		return raw, records[:0], Damaged("the block of records %d to %d can't be read", first, last)
	}
	if n, err := s2.DecodedLen(block); err != nil || n > 2*MaxRecord {
		return damaged()
	}
	decoded, err := s2.Decode(raw[:cap(raw)], block)
	if err != nil {
		return damaged()
	}
	records = records[:0]
	for rest := decoded; len(rest) > 0; {
		length, n := binary.Uvarint(rest)
		if n <= 0 || length > uint64(len(rest)-n) {
			return damaged()
		}
		end := n + int(length)
		records, rest = append(records, rest[n:end:end]), rest[end:]
	}
	if uint64(len(records)) != last-first+1 {
		return damaged()
	}
	return decoded, records, nil
}

// Numbered gives a copy of a numbered record; badger.ErrKeyNotFound where there is none.
func Numbered(txn *badger.Txn, prefix string, n uint64) ([]byte, error) {
	r := ReadNumbered(txn, prefix, n)
	defer r.Close()
	found, value, err := r.Next()
	switch {
	case err != nil:
		return nil, err
	case found != n || value == nil:
		return nil, badger.ErrKeyNotFound
	}
	return bytes.Clone(value), nil
}

// NumberedReader reads numbered records in order.
type NumberedReader struct {
	it      *badger.Iterator
	prefix  string
	next    uint64   // what is before it was given, or not asked for
	raw     []byte   // of the newest block
	records [][]byte // in it
	left    [][]byte // of those
	number  uint64   // of the first of what is left
}

// ReadNumbered begins at the first record that has this number or a greater one.
func ReadNumbered(txn *badger.Txn, prefix string, from uint64) *NumberedReader {
	r := &NumberedReader{it: numberedIterator(txn, prefix), prefix: prefix, next: from, raw: []byte{}}
	r.it.Seek(NumberedKey(prefix, from))
	return r
}

// numberedIterator has no values fetched ahead: they stand with the keys.
func numberedIterator(txn *badger.Txn, prefix string) *badger.Iterator {
	o := badger.DefaultIteratorOptions
	o.Prefix, o.PrefetchValues = []byte(prefix), false
	return txn.NewIterator(o)
}

// Close ends it.
func (r *NumberedReader) Close() { r.it.Close() }

// Next gives the next record, which is good until it is called again; nil: there is none.
func (r *NumberedReader) Next() (n uint64, value []byte, err error) {
	for {
		for ; len(r.left) > 0; r.left, r.number = r.left[1:], r.number+1 {
			if r.number >= r.next {
				n, value, r.next = r.number, r.left[0], r.number+1
				return n, value, nil
			}
		}
		if !r.it.Valid() {
			return 0, nil, nil
		}
		if err := r.read(r.it.Item()); err != nil {
			return 0, nil, err
		}
		r.it.Next()
	}
}

// read takes the records of an item that are not before the next one.
func (r *NumberedReader) read(item *badger.Item) error {
	first, last, block, err := numbersIn(item.Key()[len(r.prefix):])
	if err != nil || last < r.next {
		return err
	}
	err = item.Value(func(value []byte) (err error) {
		if !block {
			r.raw = append(r.raw[:0], value...)
			r.records = append(r.records[:0], r.raw)
			return nil
		}
		r.raw, r.records, err = splitBlock(r.raw, r.records, value, first, last)
		return err
	})
	r.left, r.number = r.records, first
	return err
}

// EachNumberedKey calls f, in order, for each key of numbered records from a number on, of records by themselves and of blocks: with the
// numbers of the first and the last of its records. The key is good during the call only.
func EachNumberedKey(txn *badger.Txn, prefix string, from uint64, f func(key []byte, first, last uint64) error) error {
	it := numberedIterator(txn, prefix)
	defer it.Close()
	for it.Seek(NumberedKey(prefix, from)); it.Valid(); it.Next() {
		key := it.Item().Key()
		first, last, _, err := numbersIn(key[len(prefix):])
		if err == nil {
			err = f(key, first, last)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// numberedRecord is one that is to be written.
type numberedRecord struct {
	n     uint64
	value []byte
}

// isNumbered tells whether a record is one under the prefix; with none, no record is.
func isNumbered(prefix, key string, value []byte) bool {
	return prefix != "" && value != nil && len(key) == len(prefix)+8 && strings.HasPrefix(key, prefix)
}

// numberedAmong gives the numbered records among others, in order.
func numberedAmong(writes map[string]written, prefix string) (all []numberedRecord) {
	for key, is := range writes {
		if isNumbered(prefix, key, is.value) {
			all = append(all, numberedRecord{binary.BigEndian.Uint64([]byte(key[len(prefix):])), is.value})
		}
	}
	slices.SortFunc(all, func(a, b numberedRecord) int { return cmp.Compare(a.n, b.n) })
	return all
}

// nextBlock appends to raw what the next block has in it, and tells how many of the records these are: at least one. A large one is the
// only one, since a block must not be more than Badger keeps in its tables.
func nextBlock(raw []byte, all []numberedRecord) (_ []byte, count int) {
	for count < len(all) && all[count].n == all[0].n+uint64(count) && len(raw) < blockSize {
		value := all[count].value
		if count > 0 && len(value) > blockSize {
			break
		}
		raw = append(binary.AppendUvarint(raw, uint64(len(value))), value...)
		count++
	}
	return raw, count
}

// blockKey is the key of a block with records of these numbers.
func blockKey(prefix string, first, last uint64) []byte {
	return binary.BigEndian.AppendUint64(NumberedKey(prefix, last), first)
}
