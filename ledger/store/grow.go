package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"go.uber.org/zap"

	"github.com/tokenbuddy/caddy-tokenbuddy/atomicfile"
)

// A store that is mapped into memory gets no error from a full disk: a write to a page without a block ends the process. So what it
// writes to has its blocks before.
//
//   - Its log is a file of 16 MiB, of which it uses half. It is given these blocks when the store opens, and the next one is made
//     ahead, empty but with its blocks: Badger takes an empty file of that name for a new one.
//   - When a log is full, a table is made of it, and now and then tables are merged. Badger makes these files itself, and writes to
//     them at once. So no log is filled up while there is less free than they need.
//   - A reserve on the disk is given up when it is needed for that, and for the tables that a close makes. Where it is not enough the
//     store is not closed, but left as a process that is killed leaves it.
const (
	memTableSize = 8 << 20
	logBlocks    = memTableSize + 2<<20 // a log is full once it has that size, by one transaction more at the most
	// olderMemTable is how large it was when logs were larger.
	olderMemTable = 16 << 20
	tableSize     = 1 << 20   // of one that was merged
	tableBlock    = 64 << 10  // is what a table is compressed and read by: blocks of entries are of 20 to 30 kB
	newTables     = 10        // are merged at a time
	firstLevel    = 64 << 20  // is what they are merged with at the most
	tableRoom     = 192 << 20 // is enough to make a table of a log, and to merge the newest tables
	reserveSize   = 64 << 20
	reserveName   = "RESERVE"
)

// growth is what the store does about its files before they grow. It belongs to the one who commits.
type growth struct {
	next    *os.File // the next log; nil: there is none
	reserve bool
}

// startGrowth gives the open log its blocks, and makes the next one ahead.
func (s *Store) startGrowth() error {
	if !allocates || s.space == nil {
		return nil
	}
	if err := s.openLogs(); err != nil {
		return err
	}
	s.makeReserve()
	err := s.makeNext()
	s.level()
	return err
}

// makeNext makes the next log.
func (s *Store) makeNext() error {
	path := s.logPath(s.active.id + 1)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if err = allocate(f, logBlocks); err == nil {
		err = atomicfile.SyncDir(s.dir)
	}
	if err != nil {
		return errors.Join(err, f.Close(), os.Remove(path))
	}
	s.growth.next = f
	return nil
}

// Prepare makes sure that a commit of about so many bytes finds room. It is called before each, by whoever commits. ErrNoRoom says
// that the store must not be written to now: there may be room later.
func (s *Store) Prepare(bytes int) error {
	if !allocates || s.space == nil {
		return nil
	}
	if p := s.pending; p != nil {
		p.mu.Lock()
		bytes += p.bytes
		p.mu.Unlock()
		if s.ahead.Load() && s.filled.Load()+int64(bytes) < memTableSize {
			return nil
		}
	}
	s.logs.Lock()
	defer s.logs.Unlock()
	defer s.level()
	g := &s.growth
	if g.next == nil {
		err := s.makeNext()
		if err == nil {
			s.makeReserve()
		} else if s.active.filled+bytes >= memTableSize {
			return s.noRoom(err)
		}
	}
	if s.active.filled+bytes >= memTableSize { // it may be full with that
		return s.needTableRoom()
	}
	return nil
}

// needTableRoom gives up the reserve where there is less free than a table takes, and says where that is not enough.
func (s *Store) needTableRoom() error {
	free, _, err := s.space(s.dir)
	if err == nil && free < tableRoom && s.dropReserve() {
		free, _, err = s.space(s.dir)
	}
	if err == nil && free < tableRoom {
		return s.noRoom(nil)
	}
	return nil // what can't be seen is taken for room
}

func (s *Store) noRoom(err error) error {
	if err != nil {
		return fmt.Errorf("ledger: %w: %w", ErrNoRoom, err)
	}
	return fmt.Errorf("ledger: %w for %s", ErrNoRoom, s.dir)
}

// makeReserve takes blocks for hard times, while times are good.
func (s *Store) makeReserve() {
	if free, _, err := s.space(s.dir); s.growth.reserve || err != nil || free < minRoom+reserveSize {
		return
	}
	f, err := os.OpenFile(filepath.Join(s.dir, reserveName), os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err == nil {
		err = errors.Join(allocate(f, reserveSize), f.Close())
	}
	if s.growth.reserve = err == nil; err != nil {
		s.log.Debug("ledger.disk.reserve", zap.Error(err)) // it does without
	}
}

// dropReserve gives up what was taken, and tells whether there was something.
func (s *Store) dropReserve() bool {
	s.growth.reserve = false
	return os.Remove(filepath.Join(s.dir, reserveName)) == nil
}

// Close closes the store. Where not even that has room, or the directory takes no file any more or is not the one that was opened, it stays
// open, and the error says so: what was committed is on the disk, and the next process finds it as after a crash.
func (s *Store) Close() error {
	s.memory.end()
	s.memory = nil
	if s.space == nil {
		return s.DB.Close()
	}
	err := s.needSameDir()
	if err == nil {
		s.dropReserve()
		if err = s.needTableRoom(); err == nil || !allocates {
			err = s.needDir()
		}
	}
	if err != nil {
		return fmt.Errorf("%w: it is left as after a crash, and keeps what is committed", errors.Join(err, s.leaveJournal(), s.syncLog()))
	}
	kept := s.endJournal()
	// Once the store is closed the directory, and whatever is in it under that name, may be another's.
	err = errors.Join(kept, s.dropNext(), s.DB.Close())
	if s.active.file != nil {
		err = errors.Join(err, s.active.file.Close())
	}
	giveBack(s.dir)
	return err
}

// needSameDir says where another directory is where that was which was opened: that may be another process's by now, and its files have the same names.
func (s *Store) needSameDir() error {
	if now, err := os.Stat(s.dir); err == nil && !os.SameFile(now, s.place) {
		return fmt.Errorf("ledger: another directory is in the place of %s, which was moved away or removed", s.dir)
	}
	return nil
}

// needDir says where no file can be made in the directory: it was removed, or is not to be written to any more. Badger would try to
// make its last table for ever.
func (s *Store) needDir() error {
	path := filepath.Join(s.dir, reserveName) // a start clears it away
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o600)
	if err == nil {
		err = errors.Join(f.Close(), os.Remove(path))
	}
	if err != nil {
		return fmt.Errorf("ledger: its directory takes no files any more: %w", err)
	}
	return nil
}

// dropNext removes the next log where the store has not taken it.
func (s *Store) dropNext() error {
	next := s.growth.next
	if next == nil {
		return nil
	}
	s.growth.next = nil
	info, err := next.Stat()
	if err == nil && info.Size() == 0 {
		if err = os.Remove(next.Name()); errors.Is(err, fs.ErrNotExist) { // it was a log, and is a table by now
			err = nil
		}
	}
	return errors.Join(err, next.Close())
}

// clearAhead removes what a process before this one has made ahead: it is empty. The directory must be locked.
func clearAhead(dir string) error {
	logs, err := filesWith(dir, logExt)
	if err != nil {
		return err
	}
	for _, path := range logs {
		if info, err := os.Stat(path); err == nil && info.Size() == 0 {
			if err := os.Remove(path); err != nil {
				return err
			}
		}
	}
	if err := os.Remove(filepath.Join(dir, reserveName)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// hasReserve tells whether a process that was killed has left something to give up.
func hasReserve(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, reserveName))
	return err == nil
}

// roomToOpen finds out whether there is room before the store is touched. The directory need not be there yet.
func roomToOpen(dir string, space Space) error {
	for at := filepath.Clean(dir); ; at = filepath.Dir(at) {
		if _, err := os.Stat(at); err != nil && at != filepath.Dir(at) {
			continue
		}
		free, _, err := space(at)
		if err != nil || free >= minRoom {
			return nil //nolint:nilerr // where the system does not say how much is free, the writing shows it
		}
		return fmt.Errorf("ledger: %w: %d MiB are left for %s and 256 are needed; make room", ErrNoRoom, free>>20, dir)
	}
}
