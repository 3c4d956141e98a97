package ledger

import (
	"errors"
	"io"
	"time"

	"github.com/dgraph-io/badger/v4"
	"go.uber.org/zap"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger/store"
)

// StoreOptions gives the options that Badger is opened with.
func StoreOptions(dir string) badger.Options {
	return store.BadgerOptions(store.Options{Dir: dir, Log: zap.NewNop()})
}

// Unsynced gives options of a ledger that acknowledges what is not on disk.
func Unsynced(o Options) Options {
	o.unsynced = true
	return o
}

// Lagging gives options of a ledger that syncs what may be late with what comes next alone.
func Lagging(o Options) Options {
	o.lag = time.Hour
	return o
}

// ReadInBackground gives options of a ledger that opens before it has read its tables of entries and settlements.
func ReadInBackground(o Options) Options {
	o.readFirst = 1
	return o
}

// Day is a day of a calendar, as tests look at it.
type Day struct {
	Date         string
	Begins, Ends time.Time
}

// Day gives the day that a time is in.
func (c Calendar) Day(t time.Time) Day {
	s := c.at(t)
	return Day{s.keys[daily], s.begins[daily], s.ends[daily]}
}

// Stepping gives options of a ledger that calls step before it goes on to move entries into a file; an error ends it there.
func Stepping(o Options, step func(string) error) Options {
	o.step = step
	return o
}

// ReadBackupHeader gives the first line of a backup.
func ReadBackupHeader(r io.Reader) (header BackupHeader, err error) {
	stop := errors.New("enough")
	err = readBackup(r, func(h BackupHeader) (func(key, value []byte) error, error) {
		header = h
		return nil, stop
	})
	if errors.Is(err, stop) {
		err = nil
	}
	return header, err
}

// Waiting gives options of a ledger that waits by after to archive again.
func Waiting(o Options, after func(time.Duration) <-chan time.Time) Options {
	o.after = after
	return o
}
