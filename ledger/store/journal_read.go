package store

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// leftJournal is what a process before this one has left in its journal.
type leftJournal struct {
	journalHeader
	records [][]byte // what is in them, in order
	used    bool     // something stands, or has stood, where records are
}

// readJournal reads a journal that nobody writes to, and looks whether it is whole. Nil: there is none.
func readJournal(dir string) (*leftJournal, error) {
	raw, err := os.ReadFile(filepath.Join(dir, journalName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	left := &leftJournal{used: len(bytes.TrimRight(raw[min(len(raw), recordsAt):], "\x00")) > 0}
	found := false
	for slot := range 2 {
		if h, ok := readHeader(raw, slot); ok && (!found || h.turn > left.turn) {
			left.journalHeader, found = h, true
		}
	}
	switch {
	case !found && left.used:
		return nil, Damaged("the head of its file %s can't be read", journalName)
	case !found: // it was never begun
		return left, nil
	}
	at := recordsAt
	for {
		record := recordIn(raw, at, &left.nonce)
		if record == nil || numberOf(record) != uint64(len(left.records))+1 {
			break
		}
		left.records = append(left.records, record[recordHead:])
		at += (len(record) + recordAlign - 1) / recordAlign * recordAlign
	}
	missing := uint64(len(left.records)) + 1
	for ; at+recordHead <= len(raw); at += recordAlign {
		if n := binary.LittleEndian.Uint64(raw[at+8:]); n < missing || n > missing+journalSize/recordHead {
			continue
		}
		if r := recordIn(raw, at, &left.nonce); r != nil && binary.LittleEndian.Uint64(r[16:]) >= missing {
			return nil, Damaged("record %d of its file %s is rotten", missing, journalName)
		}
	}
	return left, nil
}

func readHeader(raw []byte, slot int) (h journalHeader, ok bool) {
	const size = len(journalMagic) + 8 + len(h.nonce) + len(h.witness)
	at := slot * slotSize
	if len(raw) < at+size+sha256.Size || !bytes.HasPrefix(raw[at:], []byte(journalMagic)) {
		return h, false
	}
	text := raw[at : at+size]
	if sum := sha256.Sum256(text); !bytes.Equal(sum[:], raw[at+size:at+size+sha256.Size]) {
		return h, false
	}
	rest := text[len(journalMagic):]
	h.turn = binary.LittleEndian.Uint64(rest)
	copy(h.nonce[:], rest[8:])
	copy(h.witness[:], rest[8+len(h.nonce):])
	return h, true
}

// recordIn gives the record that begins there; nil: there is none that is whole.
func recordIn(raw []byte, at int, nonce *[16]byte) []byte {
	if at+recordHead > len(raw) {
		return nil
	}
	length := int(binary.LittleEndian.Uint32(raw[at:]))
	if length < recordHead || length > len(raw)-at {
		return nil
	}
	record := raw[at : at+length : at+length]
	if recordSum(nonce, record) != binary.LittleEndian.Uint32(record[4:]) {
		return nil
	}
	return record
}

func numberOf(record []byte) uint64 { return binary.LittleEndian.Uint64(record[8:]) }

// eachWrite calls f with what a record writes; without put the key is deleted.
func eachWrite(record []byte, f func(key, value []byte, put bool)) error {
	for len(record) > 0 {
		keyLength, n := binary.Uvarint(record)
		if n <= 0 {
			return errRecord
		}
		record = record[n:]
		length, n := binary.Uvarint(record)
		if n <= 0 {
			return errRecord
		}
		record = record[n:]
		put := length > 0
		if put {
			length--
		}
		if keyLength > uint64(len(record)) || length > uint64(len(record))-keyLength {
			return errRecord
		}
		f(record[:keyLength], record[keyLength:keyLength+length], put)
		record = record[keyLength+length:]
	}
	return nil
}

var errRecord = Damaged("a record of its file %s can't be read", journalName)

// merge gives all that the records write, each key once, and the witnesses that they have left on the way.
func (l *leftJournal) merge(witness string) (map[string]written, [][sha256.Size]byte, error) {
	writes, seen := map[string]written{}, [][sha256.Size]byte{l.witness}
	for _, r := range l.records {
		if err := eachWrite(r, func(key, value []byte, put bool) {
			if !put {
				value = nil
			} else if value == nil {
				value = []byte{}
			}
			writes[string(key)] = written{value: value}
			if string(key) == witness {
				seen = append(seen, sha256.Sum256(value))
			}
		}); err != nil {
			return nil, nil, err
		}
	}
	return writes, seen, nil
}
