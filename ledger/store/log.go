package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/dgraph-io/badger/v4"
)

// Badger can sync each commit itself. It then syncs two mappings: its log, and a log for values that is empty by our options, which
// costs as much. So where the system lets us, the log is synced here, by a descriptor of the same file: what is in a shared mapping of
// a file is in the file. It can be done later than the commit, too.
//
// The store begins another log where one is full. Only one of them may ever be unsynced: where the power fails and the older one loses
// its end, what is in the newer one must not be there. So the full one is synced before a commit that may begin another.
type activeLog struct {
	file     *os.File // what is committed goes to it; nil: Badger syncs, or nobody does
	id       int
	filled   int  // at the most, of the table that is made of it and of the file
	unsynced bool // something in it may not be on the disk
	never    bool // it is synced: for a test
}

const (
	logExt      = ".mem"
	valueLogExt = ".vlog"

	// A log begins with a header, and what a table in memory needs for itself; a record takes that much more than key and value there,
	// where most of it is a node of the greatest height, and less in the file.
	logHeader      = 4 << 10
	recordOverhead = 128
)

// openLogs syncs what a process before this one has left in its logs, and finds the one that is written to: the newest.
func (s *Store) openLogs() error {
	for _, ext := range []string{valueLogExt, logExt} {
		paths, err := filesWith(s.dir, ext)
		if err != nil {
			return err
		}
		for _, path := range paths {
			if err := s.openLog(path, ext == logExt); err != nil && !errors.Is(err, fs.ErrNotExist) { // it is a table by now
				return err
			}
		}
	}
	if s.active.file == nil {
		return fmt.Errorf("ledger: the store in %s has no log", s.dir)
	}
	s.active.filled, s.active.unsynced = logHeader, !s.active.never // what Badger itself has written
	return nil
}

func (s *Store) openLog(path string, writes bool) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return errors.Join(err, f.Close())
	}
	id, err := strconv.Atoi(strings.TrimSuffix(filepath.Base(path), logExt))
	if !writes || err != nil || s.active.file != nil && id < s.active.id {
		return f.Close()
	}
	if err := allocate(f, logBlocks); err != nil {
		return fmt.Errorf("ledger: %w: its log can't be given its blocks: %w", ErrNoRoom, errors.Join(err, f.Close()))
	}
	if s.active.file != nil {
		_ = s.active.file.Close()
	}
	s.active.file, s.active.id = f, id
	return nil
}

// commit commits a transaction of Badger's that writes so many records, with so many bytes of keys and values. It is durable once syncLog
// has returned.
func (s *Store) commit(txn *badger.Txn, records, bytes int) error {
	s.logs.Lock()
	defer s.logs.Unlock()
	if s.active.file == nil {
		return txn.Commit()
	}
	defer s.level()
	if s.active.filled >= memTableSize { // it may be full
		if err := s.syncActive(); err != nil {
			return err
		}
	}
	if err := txn.Commit(); err != nil {
		return err
	}
	if err := s.follow(); err != nil {
		return err
	}
	s.active.filled += bytes + records*recordOverhead
	s.active.unsynced = !s.active.never
	return nil
}

// follow finds out whether the store has begun another log.
func (s *Store) follow() error {
	next := s.growth.next
	if next == nil { // the disk had no room for one made ahead
		f, err := os.OpenFile(s.logPath(s.active.id+1), os.O_RDWR, 0)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		next = f
	} else if info, err := next.Stat(); err != nil || info.Size() == 0 {
		return err
	}
	_ = s.active.file.Close() // it is synced
	s.active = activeLog{file: next, id: s.active.id + 1, filled: logHeader, never: s.active.never}
	s.growth.next = nil
	return nil
}

func (s *Store) logPath(id int) string {
	return filepath.Join(s.dir, fmt.Sprintf("%05d%s", id, logExt))
}

// level says how full the log is, for Prepare. The lock is held.
func (s *Store) level() {
	s.filled.Store(int64(s.active.filled))
	s.ahead.Store(s.growth.next != nil)
}

// Unsynced tells whether something is committed that is not durable yet.
func (s *Store) Unsynced() bool {
	if s.pending == nil || s.direct {
		s.logs.Lock()
		defer s.logs.Unlock()
		if s.active.unsynced || s.pending == nil {
			return s.active.unsynced
		}
	}
	s.pending.mu.Lock()
	defer s.pending.mu.Unlock()
	return s.pending.journal.unsynced()
}

// Sync makes all durable that is committed. What has been in the journal alone for long enough is written to Badger then.
func (s *Store) Sync() error {
	p := s.pending
	if p == nil || s.direct {
		if err := s.syncLog(); err != nil || p == nil {
			return err
		}
		s.direct = false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err != nil {
		return p.err
	}
	if err := p.journal.sync(); err != nil {
		return p.fail(err)
	}
	if err := p.at("synced"); err != nil {
		return p.fail(err)
	}
	if len(p.frozen) == 0 && (p.weight > flushBytes || time.Since(p.flushed) > flushEvery) {
		s.freeze()
	}
	return nil
}

// syncLog makes durable what is in Badger.
func (s *Store) syncLog() error {
	s.logs.Lock()
	defer s.logs.Unlock()
	return s.syncActive()
}

func (s *Store) syncActive() error {
	if !s.active.unsynced || s.active.file == nil {
		return nil
	}
	if err := syncData(s.active.file); err != nil {
		return fmt.Errorf("ledger: sync %s: %w", s.active.file.Name(), err)
	}
	s.active.unsynced = false
	return nil
}
