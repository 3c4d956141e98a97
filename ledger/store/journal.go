package store

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"

	"github.com/tokenbuddy/caddy-tokenbuddy/atomicfile"
)

// What is committed goes into a journal first, at once, and into Badger a little later, with all that was overwritten or deleted meanwhile
// left out. The journal is one file. It begins with two slots for a header that are written in turn, then come its records, one for each
// commit. When it is full, all that is in it is synced in Badger, and it begins anew under another header: what is left in it
// of before is no record of that.
//
// A record has its length, a checksum over the header's random number and all that follows, its number, the number of the newest record that was
// synced before it was written, and the keys and values. Where the power fails, what was not synced may be there in part. So a record
// that is not whole is the end, if none comes after it that was written when it was synced: that one says that there is damage.
const (
	journalName  = "JOURNAL"
	journalSize  = 16 << 20
	journalMagic = "tokenbuddy journal 1\n"
	recordsAt    = 2 * slotSize
	recordHead   = 24
	recordAlign  = 8
	// zeroAhead is how far it is written before records are: to overwrite a block takes less of a sync than to add one.
	zeroAhead = 256 << 10
)

var (
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
	zeros      [zeroAhead]byte
)

// journalHeader is what the records of a journal belong to.
type journalHeader struct {
	turn    uint64
	nonce   [16]byte
	witness [sha256.Size]byte // of a record of the store that each commit changes, as it was when the journal began
}

// journal is one that is written to.
type journal struct {
	journalHeader
	file    *os.File
	at      int64  // where the next record goes
	zeroed  int64  // the file is written up to there
	seq     uint64 // of the newest record
	synced  uint64 // the newest that is durable
	never   bool   // it is synced: for a test
	scratch [slotSize]byte
}

// makeJournal makes the file, or takes the one that is there: what is in it must be in Badger, durably.
func makeJournal(dir string, last journalHeader, never bool) (*journal, error) {
	f, err := os.OpenFile(filepath.Join(dir, journalName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	j := &journal{journalHeader: last, file: f, never: never}
	info, err := f.Stat()
	if err == nil {
		j.zeroed = min(info.Size(), journalSize)
		err = allocate(f, journalSize)
	}
	if err == nil {
		err = j.zeroTo(recordsAt + zeroAhead)
	}
	if err == nil {
		err = atomicfile.SyncDir(dir)
	}
	if err != nil {
		return nil, fmt.Errorf("ledger: %w: the journal can't be given its blocks: %w", ErrNoRoom, errors.Join(err, f.Close()))
	}
	return j, nil
}

// begin begins it anew: what is in it must be in Badger, durably.
func (j *journal) begin(witness [sha256.Size]byte) error {
	j.turn++
	j.witness = witness
	rand.Read(j.nonce[:]) // never fails
	clear(j.scratch[:])
	raw := append(j.scratch[:0], journalMagic...)
	raw = binary.LittleEndian.AppendUint64(raw, j.turn)
	raw = append(append(raw, j.nonce[:]...), j.witness[:]...)
	sum := sha256.Sum256(raw)
	_ = append(raw, sum[:]...)
	if _, err := j.file.WriteAt(j.scratch[:], int64(j.turn%2)*slotSize); err != nil {
		return fmt.Errorf("ledger: write %s: %w", j.file.Name(), err)
	}
	j.at, j.seq, j.synced = recordsAt, 0, 0
	return j.syncFile()
}

// fits tells whether there is room for a record.
func (j *journal) fits(record []byte) bool { return j.at+int64(len(record))+recordAlign <= journalSize }

// append writes a record, of which the first bytes are left for its head.
func (j *journal) append(record []byte) error {
	end := j.at + int64(len(record)+recordAlign-1)/recordAlign*recordAlign
	if err := j.zeroTo(min(end, journalSize)); err != nil {
		return err
	}
	binary.LittleEndian.PutUint32(record, uint32(len(record)))
	binary.LittleEndian.PutUint64(record[8:], j.seq+1)
	binary.LittleEndian.PutUint64(record[16:], j.synced)
	binary.LittleEndian.PutUint32(record[4:], recordSum(&j.nonce, record))
	if _, err := j.file.WriteAt(record, j.at); err != nil {
		return fmt.Errorf("ledger: write %s: %w", j.file.Name(), err)
	}
	j.seq++
	j.at = end
	return nil
}

func recordSum(nonce *[16]byte, record []byte) uint32 {
	sum := crc32.Update(0, castagnoli, nonce[:])
	return crc32.Update(crc32.Update(sum, castagnoli, record[:4]), castagnoli, record[8:])
}

// zeroTo writes the file up to there, and further.
func (j *journal) zeroTo(end int64) error {
	for j.zeroed < end {
		n := min(zeroAhead, journalSize-j.zeroed)
		if _, err := j.file.WriteAt(zeros[:n], j.zeroed); err != nil {
			return fmt.Errorf("ledger: write %s: %w", j.file.Name(), err)
		}
		j.zeroed += n
	}
	return nil
}

func (j *journal) unsynced() bool { return j.synced < j.seq && !j.never }

func (j *journal) sync() error {
	if !j.unsynced() {
		return nil
	}
	if err := j.syncFile(); err != nil {
		return err
	}
	j.synced = j.seq
	return nil
}

func (j *journal) syncFile() error {
	if j.never {
		return nil
	}
	if err := syncData(j.file); err != nil {
		return fmt.Errorf("ledger: sync %s: %w", j.file.Name(), err)
	}
	return nil
}

// remove ends it for good: what is in it must be in Badger, durably.
func (j *journal) remove() error {
	return errors.Join(j.file.Close(), os.Remove(j.file.Name()), atomicfile.SyncDir(filepath.Dir(j.file.Name())))
}

// appendWrite appends what is written under a key to a record; without put it is deleted.
func appendWrite(record, key, value []byte, put bool) []byte {
	length := uint64(0)
	if put {
		length = uint64(len(value)) + 1
	}
	record = binary.AppendUvarint(record, uint64(len(key)))
	record = binary.AppendUvarint(record, length)
	record = append(record, key...)
	return append(record, value...)
}
