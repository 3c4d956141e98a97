package ledger

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger/store"
)

// A backup is zstd, whose checksum tells a cut or rotten one, over a line of JSON, then every record of the store as it is
// there: the length of its key, the key, the length of its value, the value. What is sealed in the store is sealed in it.

// BackupHeader is the first line of a backup.
type BackupHeader struct {
	Backup  int       `json:"backup"` // version of the layout
	Format  int       `json:"format"` // of the records
	Ledger  string    `json:"ledger"` // identity
	Entries uint64    `json:"entries"`
	Head    string    `json:"head"` // hash of the newest entry
	Made    time.Time `json:"made"`

	// Archives are the files that the oldest of the entries are in. They are no part of the backup, and belong to it.
	Archives []BackupArchive `json:"archives,omitempty"`
}

// BackupArchive is an archive file that a backup belongs to.
type BackupArchive struct {
	File   string `json:"file"`
	SHA256 string `json:"sha256"`
	Bytes  int64  `json:"bytes"`
}

const backupVersion = 1

// Backup writes the books as they are at one moment, while others go on to write. It needs no more memory for a large ledger
// than for a small one. Nobody can spend what is in it without the key.
func (l *Ledger) Backup(ctx context.Context, w io.Writer) error {
	return l.view(ctx, func(v *view) error {
		z, err := zstd.NewWriter(w, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1))
		if err != nil {
			return fmt.Errorf("ledger: backup: %w", err)
		}
		header := BackupHeader{Backup: backupVersion, Format: l.state.format, Ledger: l.state.identity, Entries: v.head.Sequence, Head: v.head.Hash, Made: l.now().UTC()}
		if len(v.archives) > 0 && header.Format == formatAmong {
			header.Format = formatArchived
		}
		for _, a := range v.archives {
			header.Archives = append(header.Archives, BackupArchive{a.File, a.SHA256, a.Bytes})
		}
		if err = errors.Join(v.dump(z, header), z.Close()); err != nil {
			return fmt.Errorf("ledger: backup: %w", err)
		}
		return nil
	})
}

func (v *view) dump(w io.Writer, header BackupHeader) error {
	line, err := json.Marshal(header)
	if err != nil {
		return err
	}
	if _, err := w.Write(append(line, '\n')); err != nil {
		return err
	}
	var length []byte
	return scan(v.txn, "", "", func(key, value []byte) error {
		for _, part := range [][]byte{key, value} {
			length = binary.AppendUvarint(length[:0], uint64(len(part)))
			if _, err := w.Write(length); err != nil {
				return err
			}
			if _, err := w.Write(part); err != nil {
				return err
			}
		}
		return v.alive()
	})
}

// maxRecord bounds what is read of one record: far above the largest that a ledger writes.
const maxRecord = 16 << 20

// errBackup is in front of what is wrong with a backup.
var errBackup = errors.New("the backup can't be used")

// readBackup gives the header of a backup, then each record to put.
func readBackup(r io.Reader, put func(BackupHeader) (func(key, value []byte) error, error)) error {
	z, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(64<<20))
	if err != nil {
		return fmt.Errorf("%w: %w", errBackup, err)
	}
	defer z.Close()
	b := bufio.NewReaderSize(z, 256<<10)
	line, err := b.ReadSlice('\n')
	var header BackupHeader
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, bufio.ErrBufferFull), errors.Is(err, zstd.ErrMagicMismatch),
		err == nil && (json.Unmarshal(line, &header) != nil || header.Backup == 0):
		return fmt.Errorf("%w: it is no backup of a ledger", errBackup)
	case err != nil:
		return cut(err)
	}
	if header.Backup != backupVersion || entriesIn(header.Format) == "" {
		return fmt.Errorf("%w: its layout is %d.%d, this program knows %d.%d: restore it with the version of the program that "+
			"has made it", errBackup, header.Backup, header.Format, backupVersion, formatNewest)
	}
	record, err := put(header)
	if err != nil {
		return err
	}
	for last := []byte(nil); ; {
		if _, err := b.Peek(1); errors.Is(err, io.EOF) {
			return nil
		}
		key, err := readPart(b)
		if err == nil && bytes.Compare(key, last) <= 0 { // a record without a key, or another backup behind the first, which may well be read as records
			err = cut(errors.New("its records are not in order"))
		}
		if err != nil {
			return err
		}
		last = key
		value, err := readPart(b)
		if err != nil {
			return err
		}
		if err := record(key, value); err != nil {
			return err
		}
	}
}

func cut(err error) error { return fmt.Errorf("%w: it is cut or damaged: %w", errBackup, err) }

func readPart(b *bufio.Reader) ([]byte, error) {
	length, err := binary.ReadUvarint(b)
	if err == nil && length > maxRecord {
		err = errors.New("a record is too large")
	}
	if err != nil {
		return nil, cut(err)
	}
	part := make([]byte, length)
	if _, err := io.ReadFull(b, part); err != nil {
		return nil, cut(err)
	}
	return part, nil
}

// fill writes the records of a backup into an empty store.
func fill(ctx context.Context, db *store.Store, r io.Reader) (header BackupHeader, err error) {
	batch := db.NewWriteBatch()
	defer batch.Cancel()
	err = readBackup(r, func(h BackupHeader) (func(key, value []byte) error, error) {
		header = h
		return func(key, value []byte) error {
			if err := ctx.Err(); err != nil {
				return err
			}
			return batch.Set(inNewestFormat(key, value))
		}, nil
	})
	if err != nil {
		return header, err
	}
	return header, batch.Flush()
}

// inNewestFormat gives a record as a new ledger has it: the entries of an older one stand among the others.
func inNewestFormat(key, value []byte) (newKey, newValue []byte) {
	if seq, ok := strings.CutPrefix(string(key), string(entriesAmong)); ok {
		return append([]byte(entriesFirst), seq...), value
	}
	if string(key) == metaFormat {
		return key, fmt.Append(nil, formatNewest)
	}
	return key, value
}
