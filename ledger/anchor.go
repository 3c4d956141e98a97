package ledger

import (
	"errors"

	"go.uber.org/zap"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger/store"
)

// checkAnchor compares the books, as they were opened, with what the anchor file says they have been.
func (l *Ledger) checkAnchor(path string) error {
	s := l.state
	was, found, err := store.LastPoint(path)
	if err != nil {
		return err
	}
	if !found {
		l.unanchored = s.head.Sequence > 0
		if l.unanchored && !l.reads {
			l.log.Warn("ledger.anchor.missing", zap.String("file", path), zap.Uint64("entries", s.head.Sequence))
		}
		return nil
	}
	switch {
	case was.Commits == 0:
		return nil
	case s.head.Sequence < was.Sequence:
		return store.AnchorError(path, "it has %d entries, and there have been %d: its end is missing, or an older copy was put in "+
			"its place", s.head.Sequence, was.Sequence)
	case s.identity != was.Ledger:
		return store.AnchorError(path, "it is another ledger than the one that was here")
	case s.head.Commits < was.Commits:
		return store.AnchorError(path, "the newest %d of its writes are missing: its end is, or an older copy was put in its place",
			was.Commits-s.head.Commits)
	case was.Sequence == 0:
		return nil
	}
	return l.viewCommitted(func(v *view) error {
		e, err := v.entryAt(was.Sequence)
		switch {
		case err == nil && e != nil && e.Hash == was.Hash:
			return nil
		case errors.Is(err, ErrArchive): // the entry after the file has the hash of the last one in it
			l.log.Warn("ledger.archive.missing", zap.Error(err))
			return nil
		}
		return store.AnchorError(path, "entry %d is not the one that was there: another copy of the ledger was put in its place",
			was.Sequence)
	})
}

// Anchored tells whether the books had no anchor file when they were opened, though there are entries in them, and what keeps
// the file from being written now.
func (l *Ledger) Anchored() (missing bool, err error) {
	return l.unanchored, l.anchor.Err()
}
