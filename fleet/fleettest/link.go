package fleettest

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/fleet"
)

// Loss is what the way to a store loses of a change.
type Loss int

// What may get lost. Who asks is told in both cases that it is not known what was made.
const (
	Nothing  Loss = iota
	Question      // the change is not made
	Answer        // it is made
)

// Link is one gateway's way to a store: it can be cut, slow, and lose questions and answers.
type Link struct {
	store fleet.Store

	mu    sync.Mutex
	away  bool
	delay time.Duration
	lose  func() Loss
}

var _ fleet.Store = (*Link)(nil)

// NewLink gives a way to a store that is as good as none.
func NewLink(store fleet.Store) *Link { return &Link{store: store} }

// Cut has the store be away, or not any more.
func (l *Link) Cut(away bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.away = away
}

// Delay has each call take so much longer, on its way there.
func (l *Link) Delay(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.delay = d
}

// Lose has lose say what is lost of each change from now on; nil: nothing. It is called by one goroutine at a time.
func (l *Link) Lose(lose func() Loss) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lose = lose
}

// pass is the way there: what will be lost, or an error.
func (l *Link) pass(ctx context.Context) (Loss, error) {
	l.mu.Lock()
	delay := l.delay
	l.mu.Unlock()
	if delay > 0 {
		select {
		case <-time.After(delay):
		case <-ctx.Done():
			return Nothing, fmt.Errorf("fleettest: %w: %w", fleet.ErrAway, ctx.Err())
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.away {
		return Nothing, fmt.Errorf("fleettest: the link is cut: %w", fleet.ErrAway)
	}
	if l.lose == nil {
		return Nothing, nil
	}
	return l.lose(), nil
}

// send makes a change at the end of the way, and back.
func (l *Link) send(ctx context.Context, change func() error) error {
	loss, err := l.pass(ctx)
	if err != nil {
		return err
	}
	if loss != Question {
		err = change()
	}
	if loss != Nothing && err == nil {
		return fmt.Errorf("fleettest: %w (%w)", fleet.ErrUnknown, fleet.ErrAway)
	}
	return err
}

// Change implements fleet.Store.
func (l *Link) Change(ctx context.Context, key string, f func(at fleet.Moment, old []byte) ([]byte, error)) error {
	return l.send(ctx, func() error { return l.store.Change(ctx, key, f) })
}

// Append implements fleet.Store.
func (l *Link) Append(ctx context.Context, gateway string, rows []fleet.Row) (out fleet.Appended, err error) {
	var made fleet.Appended
	err = l.send(ctx, func() (err error) {
		made, err = l.store.Append(ctx, gateway, rows)
		return err
	})
	if err != nil {
		return out, err
	}
	return made, nil
}

// Load implements fleet.Store. Nothing is lost of it that is not cut.
func (l *Link) Load(ctx context.Context, yield func(key string, value []byte) error, keys ...string) error {
	if err := l.reach(ctx); err != nil {
		return err
	}
	return l.store.Load(ctx, yield, keys...)
}

// Journal implements fleet.Store.
func (l *Link) Journal(ctx context.Context, gateway string, after uint64, yield func(fleet.Row) error) error {
	if err := l.reach(ctx); err != nil {
		return err
	}
	return l.store.Journal(ctx, gateway, after, yield)
}

// reach is the way there of what changes nothing.
func (l *Link) reach(ctx context.Context) error {
	l.mu.Lock()
	away, delay := l.away, l.delay
	l.mu.Unlock()
	if away {
		return fmt.Errorf("fleettest: the link is cut: %w", fleet.ErrAway)
	}
	if delay > 0 {
		select {
		case <-time.After(delay):
		case <-ctx.Done():
			return fmt.Errorf("fleettest: %w: %w", fleet.ErrAway, ctx.Err())
		}
	}
	return nil
}
