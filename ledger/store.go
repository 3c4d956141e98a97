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
)

const (
	lockPatience = 2 * time.Second
	lockRetry    = 50 * time.Millisecond
)

// openStore opens Badger with options that are small, quiet, synced at each commit, and that turn rotten bits into errors.
func openStore(o Options) (*badger.DB, error) {
	opts := badger.DefaultOptions(o.Dir).WithValueThreshold(64 << 10)
	if o.InMemory { // there is no value log then: all has to be below the threshold
		opts = badger.DefaultOptions("").WithInMemory(true).WithValueThreshold(1 << 20)
	} else if err := prepareDir(o); err != nil {
		return nil, err
	}
	opts = opts.
		WithSyncWrites(!o.InMemory).
		WithCompression(options.None).
		WithChecksumVerificationMode(options.OnTableRead).
		WithMemTableSize(16 << 20).
		WithNumMemtables(2).
		WithNumCompactors(2).
		WithBlockCacheSize(8 << 20).
		WithIndexCacheSize(4 << 20).
		WithCompactL0OnClose(true).
		WithDetectConflicts(false).
		WithMetricsEnabled(false).
		WithLogger(storeLog{o.Logger.Named("store").Sugar()})

	for patience := time.Now().Add(lockPatience); ; time.Sleep(lockRetry) {
		db, err := badger.Open(opts)
		switch {
		case err == nil:
			return db, nil
		case halfMade(err) && time.Now().Before(patience): // the next try finds it whole
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

// ErrInUse is in the error of Open when another process has the directory.
var ErrInUse = errors.New("directory in use")

// locked tells whether Badger was refused its directory lock; it has no error value for it.
func locked(err error) bool {
	s := err.Error()
	return strings.Contains(s, "Cannot acquire directory lock") || strings.Contains(s, "Cannot create lock file")
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
