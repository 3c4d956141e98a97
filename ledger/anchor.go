package ledger

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/dgraph-io/badger/v4"
	"go.uber.org/zap"

	"github.com/tokenbuddy/caddy-tokenbuddy/atomicfile"
)

// anchorEvery is how often the newest entry is written into the anchor file at most: what is lost of the books later than
// that before their end can't be told from what was never written.
const anchorEvery = time.Second

// anchor keeps the newest entry's sequence number and hash, and the number of writes, in a small file outside the ledger's
// directory. Whatever the directory has lost since (its end, a file, all of it) or been replaced with (an older copy), the
// anchor tells.
//
// The file has two slots that are written in turn, so that one of them is whole whenever the process dies. What it says is
// durable in the store before it is written: the books may be ahead of their anchor, never behind.
type anchor struct {
	path  string
	log   *zap.Logger
	wake  chan struct{}
	done  chan struct{}
	ended chan struct{}

	mu     sync.Mutex // protects all following fields
	newest point
	failed time.Time // when a write last failed and was logged
	err    error     // of the last write
}

// point is what an anchor holds: a ledger, and how far it has come.
type point struct {
	Ledger string `json:"ledger"` // its identity
	head
}

// slot is a point as it is written, with what tells the newer of two and a torn one.
type slot struct {
	Turn uint64 `json:"turn"`
	point
	Sum string `json:"sum"` // over the others
}

// slotSize is a block of the disks that tear what they write at block ends.
const slotSize = 4096

func (s *slot) sum() string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%d %s %d %s %d", s.Turn, s.Ledger, s.Sequence, s.Hash, s.Commits))
	return hex.EncodeToString(sum[:])
}

// readAnchor gives the newest whole slot of the file; fs.ErrNotExist where there is no file.
func readAnchor(path string) (newest slot, err error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return newest, err
	}
	found := false
	for ; len(raw) > 0; raw = raw[min(slotSize, len(raw)):] {
		var s slot
		text := bytes.TrimRight(raw[:min(slotSize, len(raw))], "\x00")
		if json.Unmarshal(text, &s) == nil && s.Sum == s.sum() && (!found || s.Turn > newest.Turn) {
			newest, found = s, true
		}
	}
	if !found {
		return newest, errors.New("it can't be read")
	}
	return newest, nil
}

// checkPresence refuses to make a new ledger where the anchor file says that there was one.
func checkPresence(o Options) error {
	was, err := readAnchor(o.Anchor)
	switch {
	case errors.Is(err, fs.ErrNotExist), err == nil && was.Commits == 0:
		return nil
	case err != nil:
		return damagedAnchor(o.Anchor, err)
	}
	if _, err := os.Stat(filepath.Join(o.Dir, badger.ManifestFilename)); !errors.Is(err, fs.ErrNotExist) {
		return nil // there is something to look into
	}
	return anchorError(o.Anchor, "there is none, and there have been %d entries: is a disk not mounted?", was.Sequence)
}

// checkAnchor compares the books, as they were opened, with what the anchor file says they have been.
func (l *Ledger) checkAnchor(path string) error {
	s := l.state
	was, err := readAnchor(path)
	if errors.Is(err, fs.ErrNotExist) {
		l.adrift = s.head.Sequence > 0
		if l.adrift && !l.reads {
			l.log.Warn("ledger.anchor.missing", zap.String("file", path), zap.Uint64("entries", s.head.Sequence))
		}
		return nil
	}
	if err != nil {
		return damagedAnchor(path, err)
	}
	switch {
	case was.Commits == 0:
		return nil
	case s.head.Sequence < was.Sequence:
		return anchorError(path, "it has %d entries, and there have been %d: its end is missing, or an older copy was put in "+
			"its place", s.head.Sequence, was.Sequence)
	case s.identity != was.Ledger:
		return anchorError(path, "it is another ledger than the one that was here")
	case s.head.Commits < was.Commits:
		return anchorError(path, "the newest %d of its writes are missing: its end is, or an older copy was put in its place",
			was.Commits-s.head.Commits)
	case was.Sequence == 0:
		return nil
	}
	return l.db.View(func(txn *badger.Txn) error {
		raw, err := get(txn, string(entryKey(was.Sequence)))
		if err == nil {
			var e *Entry
			if e, err = decodeEntry(raw); err == nil && e.Hash == was.Hash {
				return nil
			}
		}
		return anchorError(path, "entry %d is not the one that was there: another copy of the ledger was put in its place",
			was.Sequence)
	})
}

// ErrNotAnchored is in the error of Open when the directory does not hold the books that were there.
var ErrNotAnchored = errors.New("the ledger is not whole")

func anchorError(path, format string, v ...any) error {
	return fmt.Errorf("%w: %w; restore a backup (caddy tokenbuddy restore), or, to go on with what is there and lose the rest, "+
		"remove the anchor file %s", ErrNotAnchored, fmt.Errorf(format, v...), path)
}

func damagedAnchor(path string, err error) error {
	return anchorError(path, "the anchor file is damaged: %w", err)
}

// Anchored tells whether the books had no anchor file when they were opened, though there are entries in them, and what keeps
// the file from being written now.
func (l *Ledger) Anchored() (missing bool, err error) {
	if a := l.anchor; a != nil {
		a.mu.Lock()
		defer a.mu.Unlock()
		err = a.err
	}
	return l.adrift, err
}

// startAnchor begins to follow the books, and writes down where they stand.
func (l *Ledger) startAnchor(path string) error {
	l.anchor = &anchor{
		path: path, log: l.log, wake: make(chan struct{}, 1), done: make(chan struct{}), ended: make(chan struct{}),
		newest: point{l.state.identity, l.state.head},
	}
	if err := l.anchor.write(); err != nil {
		l.anchor = nil
		return err
	}
	go l.anchor.follow()
	return nil
}

// move says that the books have come further, which is durable. It may be called on no anchor.
func (a *anchor) move(h head) {
	if a == nil {
		return
	}
	a.mu.Lock()
	moved := a.newest.head != h
	a.newest.head = h
	a.mu.Unlock()
	if moved {
		select {
		case a.wake <- struct{}{}:
		default:
		}
	}
}

// follow writes the newest point, now and then, until close.
func (a *anchor) follow() {
	defer close(a.ended)
	for {
		select {
		case <-a.wake:
		case <-a.done:
			return
		}
		timer := time.NewTimer(anchorEvery)
		select {
		case <-timer.C:
		case <-a.done: // close writes
			timer.Stop()
			return
		}
		a.writeOrSay()
	}
}

// close writes the last point. It may be called on no anchor.
func (a *anchor) close() error {
	if a == nil {
		return nil
	}
	close(a.done)
	<-a.ended
	return a.write()
}

// writeOrSay logs, not too often, what keeps the anchor from being written: the books are whole without it.
func (a *anchor) writeOrSay() {
	err := a.write()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.err = err
	if err != nil && time.Since(a.failed) > time.Minute {
		a.failed = time.Now()
		a.log.Error("ledger.anchor.failed", zap.Error(err))
	}
}

func (a *anchor) write() error {
	a.mu.Lock()
	newest := a.newest
	a.mu.Unlock()
	return writeAnchor(a.path, newest)
}

// writeAnchor writes a point into the slot whose turn it is, and makes it durable.
func writeAnchor(path string, p point) error {
	before, err := readAnchor(path)
	switch {
	case err == nil && before.point == p:
		return nil
	case errors.Is(err, fs.ErrNotExist):
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return fmt.Errorf("ledger: cannot make the anchor file: %w", err)
		}
	}
	next := slot{Turn: before.Turn + 1, point: p}
	next.Sum = next.sum()
	raw, err := json.Marshal(next)
	if err != nil {
		return err
	}
	block := make([]byte, slotSize)
	copy(block, append(raw, '\n'))
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err == nil {
		_, err = f.WriteAt(block, int64(next.Turn%2)*slotSize)
		err = errors.Join(err, f.Sync(), f.Close())
	}
	if err == nil && next.Turn == 1 {
		err = atomicfile.SyncDir(filepath.Dir(path))
	}
	if err != nil {
		return fmt.Errorf("ledger: cannot write the anchor file: %w", err)
	}
	return nil
}
