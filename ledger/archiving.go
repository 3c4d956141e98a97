package ledger

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/tokenbuddy/caddy-tokenbuddy/atomicfile"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger/archive"
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

// monthOf is the beginning of a time's month, in UTC.
func monthOf(t time.Time) time.Time {
	y, m, _ := t.UTC().Date()
	return time.Date(y, m, 1, 0, 0, 0, 0, time.UTC)
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
	raw, err := get(v.txn, string(entryKey(seq)))
	if err != nil {
		return nil, time.Time{}, &entryError{seq, "", "it can't be read"}
	}
	e, err := decodeEntry(raw)
	if err != nil {
		return nil, time.Time{}, &entryError{seq, "", err.Error()}
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
		b.set([]byte(metaFormat), fmt.Append(nil, archivedFormat))
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
	next, err := v.search(first-1, func(_ uint64, raw []byte) (bool, error) {
		e, err := decodeEntry(raw)
		return err == nil && !e.Time.Before(end), err
	})
	if err != nil || next > v.head.Sequence { // the newest entry stays
		return nil, err
	}
	raw, err := get(v.txn, string(entryKey(next-1)))
	if err != nil {
		return nil, &entryError{next - 1, "", "it can't be read"}
	}
	last, err := decodeEntry(raw)
	if err != nil || len(last.Hash) < 12 {
		return nil, &entryError{next - 1, "", "it can't be read"}
	}
	name := month.Format("2006-01")
	return &Archive{
		File: name + "-" + last.Hash[:12] + ".jsonl.zst", Dir: dir, Month: name, First: first, Last: next - 1, Entries: next - first,
		From: e.Time.UTC(), To: last.Time.UTC(), LastID: last.ID, PreviousHash: e.PreviousHash, Hash: last.Hash,
		Made: v.ledger.now().UTC(), Removed: first - 1,
	}, nil
}

// makeFile writes the file, reads it again, and puts it into its place. One that is there already, of a process that died, is taken if
// it is whole.
func (v *view) makeFile(a *Archive, progress Progress) error {
	path := v.ledger.pathOf(a)
	clearTemps(path)
	if f, err := archive.Open(path); err == nil {
		f.Close()
		if err := v.adopt(a, path); err == nil {
			return nil
		}
	}
	var w archive.Written
	err := atomicfile.Write(path, func(out io.Writer) (err error) {
		b := bufio.NewWriterSize(out, 64<<10)
		if w, err = v.writeFile(a, b, progress); err != nil {
			return err
		}
		if err := b.Flush(); err != nil {
			return err
		}
		return v.ledger.at("written")
	})
	if err != nil {
		return fmt.Errorf("ledger: archive %s: %w", path, err)
	}
	a.note(w)
	return v.readBack(a)
}

func (a *Archive) note(w archive.Written) {
	a.Bytes, a.SHA256, a.Trailer = w.Bytes, w.SHA256, w.TrailerSum
}

// writeFile writes the entries, each of which it checks.
func (v *view) writeFile(a *Archive, out io.Writer, progress Progress) (archive.Written, error) {
	w, err := archive.NewWriter(out, archive.Header{Ledger: v.ledger.state.identity, Month: a.Month, First: a.First, PreviousHash: a.PreviousHash})
	if err != nil {
		return archive.Written{}, err
	}
	previous, began := a.PreviousHash, time.Now()
	err = unstop(v.raw(a.First, func(seq uint64, raw []byte) error {
		if seq > a.Last {
			return errStop
		}
		if progress != nil && (seq-a.First)%progressStep == 0 {
			progress(seq-a.First, 2*a.Entries)
		}
		e, err := decodeEntry(raw)
		if err != nil || e.PreviousHash != previous || !e.checkHash(raw) {
			return &entryError{seq, "", "it is not what it was, or does not follow the one before it"}
		}
		previous = e.Hash
		for _, p := range e.Postings {
			w.Moved(p.Account, p.AmountMicros)
		}
		full, err := w.Add(archive.Entry{Hash: e.Hash, Time: e.Time, Raw: raw})
		if err == nil && full {
			err = v.ledger.breathe(v.ctx, time.Since(began))
			began = time.Now()
		}
		return err
	}))
	if err != nil {
		return archive.Written{}, err
	}
	var seal archive.Seal
	if v.ledger.seal != nil {
		seal = v.ledger.seal
	}
	return w.Close(seal)
}

// breathe waits as long as the work before it took: half of a core is enough for what nobody waits for.
func (l *Ledger) breathe(ctx context.Context, worked time.Duration) error {
	t := time.NewTimer(worked)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-l.reading.Done():
		return ErrClosed
	}
}

// adopt takes a file that is there, if it has these entries in it.
func (v *view) adopt(a *Archive, path string) error {
	size, sum, err := archive.SumFile(path)
	if err != nil {
		return err
	}
	f, err := archive.Open(path)
	if err != nil {
		return err
	}
	f.Close()
	a.Bytes, a.SHA256, a.Trailer = size, sum, f.TrailerSum
	if err := v.readBack(a); err != nil {
		return err
	}
	return atomicfile.SyncDir(filepath.Dir(path)) // who has put it there may have died before that
}

// readBack reads the file as it is on the disk, and compares each entry with what is in the store: it will be gone from there.
func (v *view) readBack(a *Archive) error {
	l := v.ledger
	if err := l.checkArchive(a); err != nil {
		return err
	}
	in, err := l.openArchive(a)
	if err != nil {
		return err
	}
	defer in.Close()
	bad := &archive.Error{Path: in.Path(), Problem: "has other entries than the ledger"}
	next, began := a.First, time.Now()
	stored := v.txn.NewIterator(entryIteration())
	defer stored.Close()
	stored.Seek(entryKey(a.First))
	err = in.Entries(0, func(seq uint64, raw []byte) error {
		if seq != next || seq > a.Last || !stored.Valid() {
			return bad
		}
		item := stored.Item()
		same := string(item.Key()) == string(entryKey(seq))
		err := item.Value(func(value []byte) error {
			same = same && string(value) == string(raw)
			return nil
		})
		if err != nil || !same {
			return errors.Join(bad, err)
		}
		stored.Next()
		if next++; next%1024 == 0 {
			err = l.breathe(v.ctx, time.Since(began))
			began = time.Now()
		}
		return err
	})
	if err == nil && next != a.Last+1 {
		err = bad
	}
	return err
}

// clearTemps removes what a process that died has left of a file that it was writing.
func clearTemps(path string) {
	dir, name := filepath.Split(path)
	files, _ := os.ReadDir(dir)
	for _, f := range files {
		if strings.HasPrefix(f.Name(), "."+name+".") {
			_ = os.Remove(filepath.Join(dir, f.Name())) // the worst is that it stays
		}
	}
}
