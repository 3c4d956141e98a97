package ledger

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
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

// storeOptions are small and quiet, sync each commit, and check what is read.
func storeOptions(o Options) badger.Options {
	dir := o.Dir
	if o.InMemory {
		dir = ""
	}
	return badger.DefaultOptions(dir).
		WithInMemory(o.InMemory).
		WithSyncWrites(!o.InMemory && !o.unsynced).
		WithCompression(options.None).
		WithChecksumVerificationMode(options.OnBlockRead).
		WithMemTableSize(16 << 20).
		WithValueThreshold(2 * heaviest). // nothing goes to the value log: it would need a collector, and its reads are not checked
		WithValueLogFileSize(16 << 20).   // a sparse file of twice that is there even when nothing is in it
		WithNumMemtables(2).
		WithNumCompactors(2).
		WithBlockCacheSize(8 << 20).
		WithIndexCacheSize(4 << 20).
		WithCompactL0OnClose(true).
		WithDetectConflicts(false).
		WithMetricsEnabled(false).
		WithLogger(storeLog{o.Logger.Named("store").Sugar()})
}

// openStore inspects and opens the store, or makes one. It says what of it is still to be looked at.
func openStore(o Options) (db *badger.DB, rest unread, err error) {
	if !o.InMemory {
		if err := prepareDir(o); err != nil {
			return nil, rest, err
		}
	}
	for patience := time.Now().Add(lockPatience); ; time.Sleep(lockRetry) {
		db, rest, err = openBadger(storeOptions(o), o.readFirst)
		switch {
		case err == nil:
			return db, rest, nil
		case halfMade(err) && time.Now().Before(patience): // the next try finds it whole
		case errors.Is(err, errDamaged):
			return nil, rest, fmt.Errorf("ledger: open %s: %w", o.Dir, err)
		case !locked(err):
			return nil, rest, fmt.Errorf("ledger: the store in %s does not open; restore a backup of the directory, or move it away "+
				"to begin with an empty ledger (the credit in it is lost then): %w", o.Dir, err)
		case time.Now().After(patience):
			return nil, rest, fmt.Errorf("ledger: %s is in use by another process; a ledger directory belongs to one process: stop the "+
				"other, or name another directory with the ledger subdirective: %w", o.Dir, errors.Join(ErrInUse, err))
		}
	}
}

// prepareDir makes the directory of a new ledger. To be read only, there has to be one.
func prepareDir(o Options) error {
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
func openBadger(opts badger.Options, readFirst int64) (db *badger.DB, rest unread, err error) {
	if !opts.InMemory {
		unlock, err := lock(opts.Dir) // others must not write while they are inspected
		if err != nil {
			return nil, rest, err
		}
		rest, err = inspect(opts.Dir, readFirst)
		unlock()
		if err != nil {
			return nil, rest, err
		}
	}
	defer func() {
		if r := recover(); r != nil {
			err = damaged("the store stumbles over it: %v", r)
		}
	}()
	if db, err = badger.Open(opts); err != nil || opts.InMemory {
		return db, rest, err
	}
	if err := atomicfile.SyncDir(opts.Dir); err != nil { // Badger makes a new log, and leaves it to the file system when its name is on disk
		return nil, rest, errors.Join(err, db.Close())
	}
	return db, rest, nil
}

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
