package ledger

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/dgraph-io/badger/v4"
	"go.uber.org/zap"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger/archive"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger/store"
)

// ErrArchive is in the error of whatever needs entries that are in an archive file, and the file is missing or was changed.
var ErrArchive = archive.ErrUnusable

// Archive is a file that the entries of a month were moved into. Its record is durable before the first of them leaves the store, and
// from then on the file is where they are read. It needs no entry in the journal: the chain goes through it, as the entry after it has
// the hash of the last entry in it.
type Archive struct {
	File         string    `json:"file"`          // its name
	Dir          string    `json:"dir,omitempty"` // where it was put, absolute; empty: beside the ledger's directory
	Month        string    `json:"month"`         // 2006-01, UTC
	First        uint64    `json:"first"`         // sequence number of its first entry
	Last         uint64    `json:"last"`
	Entries      uint64    `json:"entries"`
	From         time.Time `json:"from"` // of its first entry
	To           time.Time `json:"to"`   // of its last entry
	LastID       string    `json:"lastId"`
	PreviousHash string    `json:"previousHash"` // of the entry before its first
	Hash         string    `json:"hash"`         // of its last entry
	Bytes        int64     `json:"bytes"`
	SHA256       string    `json:"sha256"`
	Trailer      string    `json:"trailer"` // SHA-256 of its trailer, which has that of each block
	Made         time.Time `json:"made"`
	Removed      uint64    `json:"removed"` // up to which entry they have left the store
}

func archiveKey(first uint64) string {
	return string(store.NumberedKey(archivePrefix, first))
}

// besides is where archive files are kept where nothing else is said.
func besides(dir string) string {
	if dir == "" {
		return ""
	}
	return filepath.Clean(dir) + ".archive"
}

// loadArchives reads the records of archive files, oldest first.
func loadArchives(txn *badger.Txn) (all []Archive, err error) {
	err = each(txn, archivePrefix, func(_ string, a *Archive) error {
		all = append(all, *a)
		return nil
	})
	return all, err
}

// archivedTo is the newest entry that is read in a file.
func archivedTo(all []Archive) uint64 {
	if len(all) == 0 {
		return 0
	}
	return all[len(all)-1].Last
}

// pathOf is where a file is: where it was put, or, where it is not there, beside the ledger.
func (l *Ledger) pathOf(a *Archive) string {
	beside := filepath.Join(l.archives, a.File)
	if a.Dir == "" {
		return beside
	}
	put := filepath.Join(a.Dir, a.File)
	if _, err := os.Stat(put); errors.Is(err, fs.ErrNotExist) && l.archives != "" {
		if _, err := os.Stat(beside); err == nil {
			return beside
		}
	}
	return put
}

// openArchive opens the file, if it is the one that was made. What is read of it then is what was written.
func (l *Ledger) openArchive(a *Archive) (*archive.File, error) {
	path := l.pathOf(a)
	f, err := archive.Open(path)
	if err != nil {
		return nil, fmt.Errorf("ledger: entries %d to %d (%s): %w", a.First, a.Last, a.Month, err)
	}
	if f.TrailerSum != a.Trailer {
		f.Close()
		return nil, fmt.Errorf("ledger: entries %d to %d (%s): %w", a.First, a.Last, a.Month,
			&archive.Error{Path: path, Problem: "is not the one that was made of them"})
	}
	return f, nil
}

// checkArchive reads all of the file, and tells whether it is to the byte the one that was made, and sealed by this ledger's key.
func (l *Ledger) checkArchive(a *Archive) error {
	path := l.pathOf(a)
	size, sum, err := archive.SumFile(path)
	if err == nil && (size != a.Bytes || sum != a.SHA256) {
		err = &archive.Error{Path: path, Problem: fmt.Sprintf("was changed: it has %d bytes and the SHA-256 %s; it had %d and %s", size, sum, a.Bytes, a.SHA256)}
	}
	if err != nil {
		return fmt.Errorf("ledger: entries %d to %d (%s): %w", a.First, a.Last, a.Month, err)
	}
	f, err := l.openArchive(a)
	if err != nil {
		return err
	}
	defer f.Close()
	if l.seal != nil && !f.Sealed(l.seal) {
		return fmt.Errorf("ledger: entries %d to %d (%s): %w", a.First, a.Last, a.Month,
			&archive.Error{Path: path, Problem: "is not sealed with this ledger's key"})
	}
	return nil
}

// raw calls f with each entry from a sequence number on, as it was stored: from the archive files, then from the store. The bytes are
// good during the call only.
func (v *view) raw(first uint64, f func(seq uint64, raw []byte) error) error {
	for i := range v.archives {
		a := &v.archives[i]
		if first > a.Last {
			continue
		}
		if err := v.archived(a, first, f); err != nil {
			return err
		}
	}
	stored := v.stored(max(first, archivedTo(v.archives)+1))
	defer stored.Close()
	for {
		seq, raw, err := stored.Next()
		if err != nil || raw == nil {
			return err
		}
		if err := v.alive(); err != nil {
			return err
		}
		if err := f(seq, raw); err != nil {
			return err
		}
	}
}

// stored reads the entries that are in the store, from a sequence number on.
func (v *view) stored(first uint64) *store.NumberedReader {
	return store.ReadNumbered(v.txn, string(v.keys()), first)
}

// readable looks whether the files are there, and have their ends, that entries from a sequence number on and until a time (zero: no
// bound) are in.
func (v *view) readable(first uint64, to time.Time) error {
	for i := range v.archives {
		a := &v.archives[i]
		if a.Last < first || !to.IsZero() && !a.From.Before(to) {
			continue
		}
		in, err := v.ledger.openArchive(a)
		if err != nil {
			return err
		}
		in.Close()
	}
	return nil
}

// archived calls f with each entry of a file from a sequence number on.
func (v *view) archived(a *Archive, first uint64, f func(seq uint64, raw []byte) error) error {
	in, err := v.ledger.openArchive(a)
	if err != nil {
		return err
	}
	defer in.Close()
	err = in.Entries(first, func(seq uint64, raw []byte) error {
		if err := v.alive(); err != nil {
			return err
		}
		return f(seq, raw)
	})
	if errors.Is(err, ErrArchive) { // who has asked may have got half of it, and no reason
		v.ledger.log.Error("ledger.archive.unreadable", zap.Error(err))
	}
	return err
}

// find gives the sequence number of the first entry that is good, where those after a good one are so too. Over tells that of an archive
// file's last entry.
func (v *view) find(over func(a *Archive) bool, good func(e *Entry) bool) (uint64, error) {
	for i := range v.archives {
		a := &v.archives[i]
		if !over(a) {
			continue
		}
		in, err := v.ledger.openArchive(a)
		if err != nil {
			return 0, err
		}
		defer in.Close()
		return in.Find(func(raw []byte) (bool, error) {
			e, err := readEntry(a.First, raw)
			return err == nil && good(e), err
		})
	}
	return v.search(archivedTo(v.archives), good)
}

// stub is what is left in the store of an entry that has booked a settlement: by it one that comes again is known, also where it is that
// of the same request, without reading a file.
type stub [16]byte

func stubKey(seq uint64) []byte { return store.NumberedKey(stubPrefix, seq) }

func newStub(seller, settlementID, idempotencyKey string) (s stub) {
	settlement := sha256.Sum256([]byte(names("", seller, settlementID)))
	key := sha256.Sum256([]byte(idempotencyKey))
	copy(s[:8], settlement[:])
	copy(s[8:], key[:])
	return s
}

// books tells whether it is of an entry that books the settlement.
func (s stub) books(seller, settlementID string) bool {
	other := newStub(seller, settlementID, "")
	return [8]byte(s[:8]) == [8]byte(other[:8])
}

// covers tells whether it is of an entry about a request of that idempotency key.
func (s stub) covers(idempotencyKey string) bool {
	other := newStub("", "", idempotencyKey)
	return idempotencyKey != "" && [8]byte(s[8:]) == [8]byte(other[8:])
}

func getStub(txn *badger.Txn, seq uint64) (s stub, err error) {
	return readStub(get(txn, string(stubKey(seq))))
}

func readStub(raw []byte, err error) (s stub, _ error) {
	if err == nil && len(raw) != len(s) {
		err = errors.New("the rest of an entry can't be read")
	}
	copy(s[:], raw)
	return s, err
}

// ArchiveState is how an archive file stands.
type ArchiveState struct {
	Archive
	Path    string `json:"path"`
	Problem string `json:"problem,omitempty"` // it is missing, or not what it was
}

// Archives says of every archive file how it stands, oldest first. A file is read when it is asked about first, and again when its size or time
// has changed: reading is a second for a gigabyte.
func (l *Ledger) Archives(ctx context.Context) (all []ArchiveState, err error) {
	err = l.view(ctx, func(v *view) error {
		for i := range v.archives {
			a := &v.archives[i]
			state := ArchiveState{Archive: *a, Path: l.pathOf(a)}
			if err := l.seen.check(state.Path, func() error { return l.checkArchive(a) }); err != nil {
				state.Problem = err.Error()
			}
			all = append(all, state)
			if err := v.alive(); err != nil {
				return err
			}
		}
		return nil
	})
	return all, err
}

// seenFiles remembers what was found of files, for as long as they look the same.
type seenFiles struct {
	mu    sync.Mutex
	found map[string]seenFile
}

type seenFile struct {
	size int64
	time time.Time
	err  error
}

func (s *seenFiles) check(path string, read func() error) error {
	info, err := os.Stat(path)
	if err != nil {
		return read()
	}
	s.mu.Lock()
	seen, ok := s.found[path]
	s.mu.Unlock()
	if ok && seen.size == info.Size() && seen.time.Equal(info.ModTime()) {
		return seen.err
	}
	err = read()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.found == nil {
		s.found = map[string]seenFile{}
	}
	s.found[path] = seenFile{info.Size(), info.ModTime(), err}
	return err
}
