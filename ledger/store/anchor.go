package store

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

// Anchor keeps the newest entry's sequence number and hash, and the number of writes, in a small file outside the ledger's
// directory. Whatever the directory has lost since (its end, a file, all of it) or been replaced with (an older copy), the
// anchor tells.
//
// The file has two slots that are written in turn, so that one of them is whole whenever the process dies. What it says is
// durable in the store before it is written: the books may be ahead of their anchor, never behind.
type Anchor struct {
	path  string
	log   *zap.Logger
	wake  chan struct{}
	done  chan struct{}
	ended chan struct{}

	mu     sync.Mutex // protects all following fields
	newest Point
	failed time.Time // when a write last failed and was logged
	err    error     // of the last write
}

// Head is how far the books have come: the newest entry of the chain, and how often something was written, since not
// everything that matters is an entry.
type Head struct {
	Sequence uint64 `json:"sequence"`
	Hash     string `json:"hash"`
	Commits  uint64 `json:"commits"`
}

// Point is what an anchor holds: a ledger, and how far it has come.
type Point struct {
	Ledger string `json:"ledger"` // its identity
	Head
}

// slot is a point as it is written, with what tells the newer of two and a torn one.
type slot struct {
	Turn uint64 `json:"turn"`
	Point
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

// LastPoint gives what the anchor file at path says; found is false where there is no file, or nothing was written yet.
func LastPoint(path string) (last Point, found bool, err error) {
	was, err := readAnchor(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return last, false, nil
	case errors.Is(err, fs.ErrPermission):
		return last, false, notOurs("the anchor file", err)
	case err != nil:
		return last, false, AnchorError(path, "the anchor file is damaged: %w", err)
	}
	return was.Point, true, nil
}

// CheckPresence refuses to make a new ledger in dir where the anchor file says that there was one.
func CheckPresence(path, dir string) error {
	was, found, err := LastPoint(path)
	if err != nil || !found || was.Commits == 0 {
		return err
	}
	if _, err := os.Stat(filepath.Join(dir, badger.ManifestFilename)); !errors.Is(err, fs.ErrNotExist) {
		return nil // there is something to look into
	}
	return AnchorError(path, "there is none, and there have been %d entries: is a disk not mounted?", was.Sequence)
}

// ErrNotAnchored is in the error of Open when the directory does not hold the books that were there.
var ErrNotAnchored = errors.New("the ledger is not whole")

// AnchorError says what of the books is not as the anchor file has it.
func AnchorError(path, format string, v ...any) error {
	return fmt.Errorf("%w: %w; restore a backup (caddy tokenbuddy restore), or, to go on with what is there and lose the rest, "+
		"remove the anchor file %s", ErrNotAnchored, fmt.Errorf(format, v...), path)
}

// StartAnchor begins to follow the books, and writes down where they stand.
func StartAnchor(path string, at Point, log *zap.Logger) (*Anchor, error) {
	a := &Anchor{
		path: path, log: log, wake: make(chan struct{}, 1), done: make(chan struct{}), ended: make(chan struct{}), newest: at,
	}
	if err := a.write(); err != nil {
		return nil, err
	}
	go a.follow()
	return a, nil
}

// Err is what keeps the file from being written. It may be called on no anchor.
func (a *Anchor) Err() error {
	if a == nil {
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.err
}

// Move says that the books have come further, which is durable. It may be called on no anchor.
func (a *Anchor) Move(h Head) {
	if a == nil {
		return
	}
	a.mu.Lock()
	moved := a.newest.Head != h
	a.newest.Head = h
	a.mu.Unlock()
	if moved {
		select {
		case a.wake <- struct{}{}:
		default:
		}
	}
}

// follow writes the newest Point, now and then, until Close.
func (a *Anchor) follow() {
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
		case <-a.done: // Close writes
			timer.Stop()
			return
		}
		a.writeOrSay()
	}
}

// Close writes the last point. It may be called on no anchor.
func (a *Anchor) Close() error {
	if a == nil {
		return nil
	}
	close(a.done)
	<-a.ended
	return a.write()
}

// writeOrSay logs, not too often, what keeps the anchor from being written: the books are whole without it.
func (a *Anchor) writeOrSay() {
	err := a.write()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.err = err
	if err != nil && time.Since(a.failed) > time.Minute {
		a.failed = time.Now()
		a.log.Error("ledger.anchor.failed", zap.Error(err))
	}
}

func (a *Anchor) write() error {
	a.mu.Lock()
	newest := a.newest
	a.mu.Unlock()
	return WriteAnchor(a.path, newest)
}

// WriteAnchor writes a point into the slot whose turn it is, and makes it durable.
func WriteAnchor(path string, p Point) error {
	before, err := readAnchor(path)
	switch {
	case err == nil && before.Point == p:
		return nil
	case errors.Is(err, fs.ErrNotExist):
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return fmt.Errorf("ledger: cannot make the anchor file: %w", err)
		}
	}
	next := slot{Turn: before.Turn + 1, Point: p}
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
