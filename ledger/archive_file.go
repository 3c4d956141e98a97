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
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/atomicfile"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger/archive"
)

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
	stored := v.stored(a.First)
	defer stored.Close()
	err = in.Entries(0, func(seq uint64, raw []byte) error {
		if seq != next || seq > a.Last {
			return bad
		}
		is, value, err := stored.Next()
		if err != nil || is != seq || string(value) != string(raw) {
			return errors.Join(bad, err)
		}
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
