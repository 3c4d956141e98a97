// Package store owns the ledger's directory: it opens, inspects, locks, seals and measures it, keeps a journal before its tables, and the
// anchor beside it. What the records in it say is the ledger's.
package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"
	"go.uber.org/zap"

	"github.com/tokenbuddy/caddy-tokenbuddy/atomicfile"
)

const (
	lockPatience = 2 * time.Second
	lockRetry    = 50 * time.Millisecond
)

// MaxRecord is the size of the largest record that a store takes, in bytes.
const MaxRecord = 1 << 20

// Options say how a store is opened.
type Options struct {
	Dir       string   // made, for its owner alone, where it does not exist
	ReadOnly  bool     // nothing is made where there is no store
	InMemory  bool     // nothing is on disk, for tests
	Bulk      []string // prefixes of keys of which there are many, and which the start does not go by
	ReadFirst int64    // how many bytes of them are checked before the store opens; zero: 64 MiB
	Witness   string   // the key of a record that each commit changes: a journal that is left must have led to what it is. Empty: there is none
	Unsynced  bool     // for a test that has to lose what was acknowledged
	Space     Space    // of the disk; nil: the system is asked
	Log       *zap.Logger

	// Step is called between what is done to files, with its lock held, for tests: an error ends the writing there.
	Step func(string) error
}

// Store is an open store.
type Store struct {
	*badger.DB
	dir     string
	place   os.FileInfo // the directory itself, whatever is under its name by now
	log     *zap.Logger
	space   Space // nil: in memory
	witness string
	memory  *memory       // nil: in memory
	unread  []storedTable // not yet checked
	crashed bool

	logs   sync.Mutex // protects active and growth
	active activeLog
	growth growth
	filled atomic.Int64 // as active has it
	ahead  atomic.Bool  // there is a next log

	pending *pending        // nil: no journal
	direct  bool            // something was written past the journal, and is not synced
	own     map[string]span // of the one who commits, as what follows
	record  []byte          // that a batch is written into
}

// Crashed tells whether the process before this one has not closed the store, or its files are not those that it had then.
func (s *Store) Crashed() bool { return s.crashed }

// Unread tells whether there are tables that were not checked before the store opened: ReadRest does.
func (s *Store) Unread() int { return len(s.unread) }

// BadgerOptions are small and quiet, and check what is read. Badger syncs each commit where the store does not.
//
// Most of what a large ledger costs is to merge its tables, new ones each time with all of the next level that lies between their first key and
// their last. Entries lie outside, since they stand first; all else is written in all places at once. So many new tables are merged at a time,
// into a level that holds more before it is merged with the next, and tables are compressed, by half, in less time than it takes to write that half.
func BadgerOptions(o Options) badger.Options {
	dir := o.Dir
	if o.InMemory {
		dir = ""
	}
	with := badger.DefaultOptions(dir)
	// Tables are made in buffers of twice their size, of which a dozen are filled at once while tables are merged. So they
	// are small, and no larger at the levels that only a large ledger has.
	with.BaseTableSize, with.TableSizeMultiplier = tableSize, 1
	// Of a record that is larger than a table's block Badger makes that block anew, and once more for what ends it, and keeps the room of all three
	// until the table is written.
	with.BlockSize = tableBlock
	return with.
		WithInMemory(o.InMemory).
		WithSyncWrites(!o.InMemory && !o.Unsynced && !allocates).
		WithCompression(options.Snappy).
		WithNumLevelZeroTables(newTables).
		WithNumLevelZeroTablesStall(2 * newTables).
		WithBaseLevelSize(firstLevel).
		WithChecksumVerificationMode(options.OnBlockRead).
		WithMemTableSize(memTableSize).
		WithValueThreshold(MaxRecord).  // nothing goes to the value log: it would need a collector, and its reads are not checked
		WithValueLogFileSize(16 << 20). // a sparse file of twice that is there even when nothing is in it
		WithNumMemtables(2).
		WithNumCompactors(2).
		WithBlockCacheSize(8 << 20).
		WithIndexCacheSize(4 << 20).
		WithCompactL0OnClose(true).
		WithDetectConflicts(false).
		WithMetricsEnabled(false).
		WithLogger(storeLog{o.Log.Named("store").Sugar()})
}

// Open inspects and opens the store in o.Dir, or makes one where it may write. It waits up to two seconds for a directory that is
// in use, as it is for a moment while a config is reloaded.
func Open(o Options) (*Store, error) {
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
	if o.ReadFirst == 0 {
		o.ReadFirst = defaultReadFirst
	}
	if o.Space == nil {
		o.Space = diskSpace
	}
	if !o.InMemory {
		if err := prepareDir(o); err != nil {
			return nil, err
		}
	}
	for patience := time.Now().Add(lockPatience); ; time.Sleep(lockRetry) { //nolint:forbidigo // Open has no context, and its two seconds are soon over
		s, err := openBadger(o)
		switch {
		case err == nil:
			return s, nil
		case halfMade(err) && time.Now().Before(patience): // the next try finds it whole
		case errors.Is(err, ErrNoRoom):
			return nil, err
		case errors.Is(err, fs.ErrPermission):
			return nil, notOurs("open "+o.Dir, err)
		case errors.Is(err, ErrDamaged):
			return nil, fmt.Errorf("ledger: open %s: %w", o.Dir, err)
		case !locked(err):
			return nil, fmt.Errorf("ledger: the store in %s does not open; restore a backup of the directory, or move it away "+
				"to begin with an empty ledger (the credit in it is lost then): %w", o.Dir, err)
		case time.Now().After(patience):
			return nil, fmt.Errorf("ledger: %s is in use by another process; a ledger directory belongs to one process: stop the "+
				"other, or name another directory with the ledger subdirective: %w", o.Dir, errors.Join(ErrInUse, err))
		}
	}
}

// prepareDir makes the directory of a new ledger. To be read only, there has to be one.
func prepareDir(o Options) error {
	if err := roomToOpen(o.Dir, o.Space); err != nil && !hasReserve(o.Dir) {
		return err
	}
	if !o.ReadOnly {
		if err := os.MkdirAll(o.Dir, 0o700); err != nil {
			return fmt.Errorf("ledger: cannot make its directory: %w", err)
		}
		return nil
	}
	if _, err := os.Stat(filepath.Join(o.Dir, badger.ManifestFilename)); err != nil {
		return fmt.Errorf("ledger: %w in %s: name the directory of one: %w", ErrNoLedger, o.Dir, err)
	}
	return nil
}

// openBadger inspects the files, and then lets Badger have them. What Badger stumbles over nevertheless is an error.
func openBadger(o Options) (s *Store, err error) {
	s = &Store{dir: o.Dir, log: o.Log, witness: o.Witness, active: activeLog{never: o.Unsynced}}
	var left *leftJournal
	if !o.InMemory {
		if left, err = s.look(o); err != nil {
			return nil, err
		}
	}
	defer func() {
		if r := recover(); r != nil {
			err = Damaged("the store stumbles over it: %v", r)
		}
	}()
	if s.DB, err = openTables(o); err != nil || o.InMemory {
		return s, err
	}
	if err := s.start(left, o); err != nil {
		return nil, err
	}
	return s, nil
}

// look inspects the files, while others must not write, and gives the journal that a process before this one has left.
func (s *Store) look(o Options) (*leftJournal, error) {
	unlock, err := lock(o.Dir)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if err := accessible(o.Dir); err != nil {
		return nil, err
	}
	if err := clearAhead(o.Dir); err != nil {
		return nil, err
	}
	if err := roomToOpen(o.Dir, o.Space); err != nil {
		return nil, err
	}
	if err := s.inspect(o); err != nil {
		return nil, err
	}
	return readJournal(o.Dir)
}

// openTables has Badger open the directory, with as much memory as its log wants.
func openTables(o Options) (*badger.DB, error) {
	with := BadgerOptions(o)
	if o.InMemory || !hasOlderLog(o.Dir) {
		return badger.Open(with)
	}
	older := with.WithMemTableSize(olderMemTable)
	if o.ReadOnly {
		return badger.Open(older)
	}
	if err := openOnce(older); err != nil { // its log becomes tables
		return nil, err
	}
	return badger.Open(with)
}

// start begins what goes on beside Badger: its growth is watched, and what is committed goes into a journal. After an error all is closed.
func (s *Store) start(left *leftJournal, o Options) error {
	s.memory = watchMemory(s.DB, o.Dir)
	err := atomicfile.SyncDir(o.Dir) // Badger makes a new log, and leaves it to the file system when its name is on disk
	if err == nil {
		s.place, err = os.Stat(o.Dir)
	}
	if err != nil {
		s.memory.end()
		return errors.Join(err, s.DB.Close())
	}
	s.space = o.Space
	if err := s.startGrowth(); err != nil {
		return errors.Join(err, s.Close())
	}
	s.crashed = s.crashed || left != nil && len(left.records) > 0
	if left != nil || allocates {
		if err := s.startJournal(left, o); err != nil {
			return errors.Join(err, s.Close())
		}
	}
	return nil
}

// hasOlderLog tells whether there is a log of a version that wrote larger ones, or one that a start which was killed has cut at its end
// and which may have been larger: it would not fit into the memory of one of now.
func hasOlderLog(dir string) bool {
	logs, err := filesWith(dir, logExt)
	return err == nil && slices.ContainsFunc(logs, func(log string) bool { return size(log) != 2*memTableSize })
}

func openOnce(with badger.Options) error {
	db, err := badger.Open(with)
	if err != nil {
		return err
	}
	return db.Close()
}

// ErrDamaged goes in front of what is wrong with a store that opens but does not hold together.
var ErrDamaged = errors.New("the ledger is damaged; restore a backup of it (caddy tokenbuddy restore), or move its directory " +
	"away to begin with an empty ledger (the credit in it is lost then)")

// Damaged says what does not hold.
func Damaged(format string, v ...any) error {
	return fmt.Errorf("%w: %s", ErrDamaged, fmt.Sprintf(format, v...))
}

// ErrNoLedger is in the error of Open with ReadOnly when there is nothing to read.
var ErrNoLedger = errors.New("there is no ledger")

// ErrInUse is in the error of Open when another process has the directory.
var ErrInUse = errors.New("directory in use")

// errLocked is what lock gives when another process has the directory.
var errLocked = errors.New("the directory is locked")

// locked tells whether we or Badger were refused the directory's lock; Badger has no error value for it.
func locked(err error) bool {
	s := err.Error()
	return errors.Is(err, errLocked) ||
		strings.Contains(s, "Cannot acquire directory lock") || strings.Contains(s, "Cannot create lock file")
}

// halfMade tells whether Badger came upon a file of its own that is empty: a process was killed between making it and giving
// it its size. Badger completes the file and yet refuses to open, once; it has no error value for that.
func halfMade(err error) bool { return strings.HasSuffix(err.Error(), "Create a new file") }

// storeLog passes Badger's log on, one level lower where it is chatter.
type storeLog struct{ log *zap.SugaredLogger }

func (s storeLog) Errorf(format string, v ...any)   { s.log.Error(line(format, v)) }
func (s storeLog) Warningf(format string, v ...any) { s.log.Warn(line(format, v)) }
func (s storeLog) Infof(format string, v ...any)    { s.log.Debug(line(format, v)) }
func (s storeLog) Debugf(string, ...any)            {}

func line(format string, v []any) string { return strings.TrimSpace(fmt.Sprintf(format, v...)) }
