package ledger

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"go.uber.org/zap"
)

// Entries of a month that is over move into a file, while others go on to book:
//
//  1. The file is written beside its place, and synced. It is read again, whole, and takes its place, durably.
//  2. Its record is committed: from then on the entries are read in the file, whether they are in the store or not.
//  3. The entries leave the store, some at a time, and with each step the record says how far that has come.
//
// A process that dies before 2 leaves a file that nothing refers to, and that the next try takes or replaces. One that dies after it
// goes on with 3 when it starts again, if the file is whole.

// ErrArchiving refuses a second Archive beside the first.
var ErrArchiving = errors.New("ledger: entries are being archived already: wait until that is done")

const (
	// The entries that leave the store in one step: a tenth of a millisecond's work for the committer.
	removeStep    = 128
	removedWeight = 160 // of a record that is deleted, and what is left of it
)

// archiving is what is known of moving entries into files.
type archiving struct {
	busy  sync.Mutex // held while entries are moved
	step  func(string) error
	after func(time.Duration) <-chan time.Time

	mu     sync.Mutex // protects all following fields
	done   Archiving
	retain time.Duration // zero: nothing is archived by itself
	again  chan struct{} // wakes who goes by it; nil: nobody does yet
}

// Archiving says what came of moving entries into files.
type Archiving struct {
	Files    int       `json:"files"`   // that there are
	Entries  uint64    `json:"entries"` // in them
	Bytes    int64     `json:"bytes"`   // of them
	Running  bool      `json:"running,omitempty"`
	Last     time.Time `json:"last,omitzero"`   // when it was last done; zero: not since the process started
	Failed   time.Time `json:"failed,omitzero"` // when it has failed; zero: it has not since it was last done
	Error    string    `json:"error,omitempty"` // of then
	Failures uint64    `json:"failures"`        // since the process started
}

// Archived is what Archive has moved.
type Archived struct {
	Files   []ArchiveState `json:"files"`
	Entries uint64         `json:"entries"`
	Bytes   int64          `json:"bytes"` // of the files
	// Until is the beginning of the oldest month that is still in the store.
	Until time.Time `json:"until,omitzero"`
}

// Archive moves the entries of months (UTC) that end at the time or before it into files, one for each, in the directory, or where
// that is empty beside the ledger's. A month is moved once it is over and a later one has entries. Sums, balances, tokens, purchases
// and booked settlements stay. It works in small steps while others book, and rests in between. Progress may be nil; it is told of
// each month's entries twice, as they are written and as they leave the store.
func (l *Ledger) Archive(ctx context.Context, before time.Time, dir string, progress Progress) (done Archived, err error) {
	done.Files = []ArchiveState{}
	switch {
	case l.reads:
		return done, ErrReadOnly
	case dir == "" && l.archives == "":
		return done, errors.New("ledger: it is in memory, and so are its entries: name a directory for them")
	case dir != "" && !filepath.IsAbs(dir):
		return done, fmt.Errorf("ledger: archive: %s is not an absolute path", dir)
	}
	if !l.archiving.busy.TryLock() {
		return done, ErrArchiving
	}
	defer l.archiving.busy.Unlock()
	l.archiving.begin()
	defer func() {
		l.archiving.end(l.now(), err)
		if err != nil && ctx.Err() == nil && !errors.Is(err, ErrClosed) {
			l.log.Error("ledger.archive.failed", zap.Error(err))
		}
	}()
	if err = l.finishRemovals(ctx, progress); err != nil {
		return done, err
	}
	if now := l.now(); before.After(now) {
		before = now
	}
	before = monthOf(before)
	for {
		a, err := l.archiveMonth(ctx, before, dir, progress)
		if err != nil || a == nil {
			done.Until, _ = l.oldestMonth(ctx)
			if len(done.Files) > 0 {
				err = errors.Join(err, l.shrink())
			}
			return done, err
		}
		done.Files = append(done.Files, ArchiveState{Archive: *a, Path: l.pathOf(a)})
		done.Entries += a.Entries
		done.Bytes += a.Bytes
	}
}

// Archiving says how it stands with moving entries into files.
func (l *Ledger) Archiving() Archiving {
	l.archiving.mu.Lock()
	defer l.archiving.mu.Unlock()
	return l.archiving.done
}

// count counts files that there are.
func (a *archiving) count(files ...Archive) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for i := range files {
		a.done.Files++
		a.done.Entries += files[i].Entries
		a.done.Bytes += files[i].Bytes
	}
}

func (a *archiving) uncount(file *Archive) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.done.Files--
	a.done.Entries -= file.Entries
	a.done.Bytes -= file.Bytes
}

func (a *archiving) begin() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.done.Running = true
}

func (a *archiving) end(now time.Time, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.done.Running = false
	switch {
	case err == nil:
		a.done.Last, a.done.Failed, a.done.Error = now, time.Time{}, ""
	case errors.Is(err, context.Canceled), errors.Is(err, ErrClosed): // the next one goes on
	default:
		a.done.Failed, a.done.Error = now, err.Error()
		a.done.Failures++
	}
}

// oldestMonth is the beginning of the oldest month of which the store has entries; zero: there are none.
func (l *Ledger) oldestMonth(ctx context.Context) (month time.Time, err error) {
	err = l.view(ctx, func(v *view) error {
		_, month, err = v.oldest()
		return err
	})
	return month, err
}

// oldest is the oldest entry that is in the store alone, and the beginning of its month.
func (v *view) oldest() (*Entry, time.Time, error) {
	seq := archivedTo(v.archives) + 1
	if seq > v.head.Sequence {
		return nil, time.Time{}, nil
	}
	e, err := v.storedEntry(seq)
	if err != nil {
		return nil, time.Time{}, err
	}
	return e, monthOf(e.Time), nil
}

// archiveMonth moves the oldest month, if it ends at that time or before. Nil: it does not, or a later one has no entries.
func (l *Ledger) archiveMonth(ctx context.Context, before time.Time, dir string, progress Progress) (*Archive, error) {
	var a *Archive
	err := l.view(ctx, func(v *view) (err error) {
		a, err = v.choose(before, dir)
		if err != nil || a == nil {
			return err
		}
		if err := os.MkdirAll(filepath.Dir(l.pathOf(a)), 0o700); err != nil {
			return fmt.Errorf("ledger: archive: %w", err)
		}
		return v.makeFile(a, progress)
	})
	if err != nil || a == nil {
		return nil, err
	}
	if err := l.at("file"); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	ctx = context.WithoutCancel(ctx) // what is begun is ended, unless the ledger closes
	err = l.submit(plainWeight, func(b *batch) error {
		if b.format == formatAmong {
			b.set([]byte(metaFormat), fmt.Append(nil, formatArchived))
		}
		record := *a
		b.put(archiveKey(a.First), &record)
		return nil
	}, nil).Wait(ctx)
	if err != nil {
		return nil, err
	}
	l.log.Info("ledger.archive.made", zap.String("file", l.pathOf(a)), zap.Uint64("first", a.First), zap.Uint64("last", a.Last),
		zap.Int64("bytes", a.Bytes), zap.String("sha256", a.SHA256))
	l.archiving.count(*a)
	if err := l.at("record"); err != nil {
		return nil, err
	}
	return a, l.remove(ctx, a, progress)
}

// at is where a test ends it.
func (l *Ledger) at(step string) error {
	if l.archiving.step == nil {
		return nil
	}
	return l.archiving.step(step)
}

// choose says which entries are next, and which file is theirs. The name has the last hash in it: where a ledger was restored and has
// gone another way, the months that differ have other files.
func (v *view) choose(before time.Time, dir string) (*Archive, error) {
	e, month, err := v.oldest()
	if err != nil || e == nil {
		return nil, err
	}
	end := month.AddDate(0, 1, 0)
	if end.After(before) {
		return nil, nil
	}
	first := archivedTo(v.archives) + 1
	next, err := v.search(first-1, func(e *Entry) bool { return !e.Time.Before(end) })
	if err != nil || next > v.head.Sequence { // the newest entry stays
		return nil, err
	}
	last, err := v.storedEntry(next - 1)
	if err != nil {
		return nil, err
	}
	if len(last.Hash) < 12 {
		return nil, &entryError{next - 1, "", "it can't be read"}
	}
	name := month.Format("2006-01")
	return &Archive{
		File: name + "-" + last.Hash[:12] + ".jsonl.zst", Dir: dir, Month: name, First: first, Last: next - 1, Entries: next - first,
		From: e.Time.UTC(), To: last.Time.UTC(), LastID: last.ID, PreviousHash: e.PreviousHash, Hash: last.Hash,
		Made: v.ledger.now().UTC(), Removed: first - 1,
	}, nil
}
