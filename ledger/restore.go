package ledger

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/dgraph-io/badger/v4"
	"github.com/google/uuid"

	"github.com/tokenbuddy/caddy-tokenbuddy/atomicfile"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger/store"
)

// Restore makes the ledger in o.Dir from a backup, and checks all of it. The directory must be empty, or not be there: what
// is in the way is for the operator to move. The key must be the one that the backup's ledger had. Nothing is left when it
// fails.
//
// What happened after the backup was made is not in it: tokens may have been spent since. So none is trusted until its seller
// has served a request with it, and the journal says what was done. The anchor file is written anew.
func Restore(ctx context.Context, o Options, r io.Reader) (Report, error) {
	report, err := restore(ctx, o.withDefaults(), r)
	if err != nil {
		return report, fmt.Errorf("ledger: restore into %s: %w", o.Dir, err)
	}
	return report, nil
}

func restore(ctx context.Context, o Options, r io.Reader) (Report, error) {
	if err := vacant(o.Dir); err != nil {
		return Report{}, err
	}
	made := o
	made.Dir, made.Anchor, made.ReadOnly, made.restoring = filepath.Clean(o.Dir)+".restoring", "", false, true
	if err := os.RemoveAll(made.Dir); err != nil { // of an earlier try that was killed
		return Report{}, err
	}
	defer func() { _ = os.RemoveAll(made.Dir) }() // there is nothing where it has succeeded
	header, added, err := unpack(ctx, made, r)
	if err != nil {
		return Report{}, err
	}
	made.Shared = added.whole
	report, newest, err := takeOver(ctx, made, header, added)
	report.Completed, report.LostMicros = added.entries, added.lost
	if err != nil || !report.OK {
		return report, err
	}
	if o.Anchor != "" { // first: a ledger in its place that the anchor does not know would not open
		if err := os.Remove(o.Anchor); err != nil && !errors.Is(err, os.ErrNotExist) {
			return report, err
		}
		if err := store.WriteAnchor(o.Anchor, newest); err != nil {
			return report, err
		}
	}
	if err := os.Remove(o.Dir); err != nil && !errors.Is(err, os.ErrNotExist) {
		return report, err
	}
	if err := os.Rename(made.Dir, o.Dir); err != nil {
		return report, err
	}
	return report, atomicfile.SyncDir(filepath.Dir(filepath.Clean(o.Dir)))
}

func vacant(dir string) error {
	files, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil
	case err != nil:
		return err
	case len(files) > 0:
		return errors.New("there is something in it already: move it away first, and stop the gateway that uses it")
	}
	return nil
}

// unpack fills the directory with a backup's records, and with the entries that a fleet has after them, and tells what those are.
func unpack(ctx context.Context, o Options, r io.Reader) (header BackupHeader, added completed, err error) {
	if o.NewIdentity && o.Shipped != nil {
		return header, added, errors.New("what the fleet has of a ledger belongs to its identity: a new one is for a backup alone")
	}
	db, err := o.openStore()
	if err != nil {
		return header, added, err
	}
	header, err = fill(ctx, db, r)
	switch {
	case err != nil:
	case o.NewIdentity:
		err = reborn(db, header.Entries)
	case o.Shipped != nil:
		added, err = complete(ctx, db, header, o.Shipped)
	}
	return header, added, errors.Join(err, db.Close())
}

// reborn gives the ledger another identity, and notes how many of its entries the one that it was made from has too. As a gateway of a
// fleet it was never opened.
func reborn(db *store.Store, entries uint64) error {
	return db.Update(func(txn *badger.Txn) error {
		return errors.Join(
			txn.Set([]byte(metaIdentity), []byte(uuid.NewString())), txn.Set([]byte(metaReborn), fmt.Append(nil, entries)),
			txn.Delete([]byte(metaEpoch)), txn.Delete([]byte(metaShared)), txn.Delete([]byte(metaRestored)),
		)
	})
}

// takeOver opens what was unpacked, puts in order what was under way when the backup was made, and checks all of it.
func takeOver(ctx context.Context, o Options, header BackupHeader, added completed) (r Report, newest store.Point, err error) {
	l, err := Open(o)
	if err != nil {
		return r, newest, err
	}
	err = l.distrust(ctx, fmt.Sprintf(restoredNote+" of %d entries, made at %s", header.Entries,
		header.Made.UTC().Format(time.RFC3339))+completedNote(added), o.Shipped != nil)
	if err == nil {
		r, err = l.verify(ctx, nil, true)
	}
	err = errors.Join(err, l.Close())
	return r, store.Point{Ledger: l.state.identity, Head: l.state.head}, err
}

// distrust marks all tokens as not known to be worth what the books say, and open purchases as not known to be where the books say, and writes into
// the journal why. Those tokens that gateways share it forgets, unless the books are complete: what was spent of them since is not known then.
func (l *Ledger) distrust(ctx context.Context, note string, complete bool) error {
	for _, t := range l.Tokens() {
		if err := l.submit(plainWeight+correctionWeight, func(b *batch) error {
			b.distrustToken(b.tokens[t.ID], complete)
			return nil
		}, nil).Wait(ctx); err != nil {
			return err
		}
	}
	open := make(map[string]int) // by id: the weight
	if err := l.look(ctx, func(s *state) {
		for id, p := range s.purchases {
			open[id] = plainWeight + 2*len(p.Sealed)
		}
	}); err != nil {
		return err
	}
	for id, weight := range open { // one after another: what methods have laid down may be long
		if err := l.submit(weight, func(b *batch) error {
			if p := b.purchases[id]; p != nil {
				marked := *p
				marked.Restored = true
				b.purchases[id] = &marked
				b.put(purchasePrefix+id, &marked)
			}
			return nil
		}, nil).Wait(ctx); err != nil {
			return err
		}
	}
	return l.submit(plainWeight, func(b *batch) error {
		b.book(&Entry{Kind: KindAdjustment, Note: note})
		return nil
	}, nil).Wait(ctx)
}

// distrustToken does so with one token; nil: it is not there.
func (b *batch) distrustToken(t *token, complete bool) {
	switch {
	case t == nil:
	case t.Shared && !complete: // what was set aside here is the other gateways' by now, and what was spent since is not known
		if t.BalanceMicros > 0 {
			b.move(t, -t.BalanceMicros, "given back to the fleet: "+restoredNote)
		}
		t.dropped = "restored"
		b.removeDropped(t)
	default:
		t.Unconfirmed, t.untold = true, t.untold || !complete
		for i := range t.estimates { // the next balance tells of what was spent since, too, which is nobody's who is in the books
			t.estimates[i].Certain = t.estimates[i].Certain || !complete
		}
		b.putBalance(t)
	}
}
