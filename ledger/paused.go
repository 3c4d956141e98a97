package ledger

import (
	"context"
	"time"

	"github.com/dgraph-io/badger/v4"
)

// pause is the record of a seller that an operator has paused.
type pause struct {
	Since time.Time `json:"since"`
}

// PauseSeller keeps over restarts that a seller, by its id, gets no requests, and books who has ordered it. It is durable when it
// returns without an error. One that is paused already stays so since then.
func (l *Ledger) PauseSeller(ctx context.Context, seller string, by Order) error {
	return l.submit(plainWeight, func(b *batch) error {
		paused, err := b.kept(names(pausedPrefix, seller), new(pause))
		if paused || err != nil {
			return err
		}
		by.Order, by.Member = "pause", ""
		return b.order(by, seller, "gets no requests", pause{b.wall.UTC().Truncate(time.Second)})
	}, nil).Wait(ctx)
}

// ResumeSeller ends that, durably.
func (l *Ledger) ResumeSeller(ctx context.Context, seller string, by Order) error {
	return l.submit(plainWeight, func(b *batch) error {
		paused, err := b.kept(names(pausedPrefix, seller), new(pause))
		if !paused || err != nil {
			return err
		}
		by.Order, by.Member = "resume", ""
		return b.order(by, seller, "gets requests again", nil)
	}, nil).Wait(ctx)
}

// PausedSellers gives the ids of the sellers that are paused, with the time since when.
func (l *Ledger) PausedSellers() (map[string]time.Time, error) {
	all := make(map[string]time.Time)
	err := l.db.View(func(txn *badger.Txn) error {
		return each(txn, pausedPrefix, func(name string, p *pause) error {
			for _, id := range splitNames(name) {
				all[id] = p.Since
			}
			return nil
		})
	})
	return all, err
}
