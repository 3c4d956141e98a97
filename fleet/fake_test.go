package fleet

import (
	"context"
	"errors"
	"sync"
	"time"
)

// fakeStore is a store in memory that can be away, for one gateway or all, and lose answers.
type fakeStore struct {
	mu     sync.Mutex
	values map[string][]byte
	n      int // changes that were made
}

// link is one gateway's way to a store.
type link struct {
	Store
	*fakeStore
	away bool
	lose int // how many answers get lost from now on
	lag  time.Duration
}

func newFake() *fakeStore { return &fakeStore{values: make(map[string][]byte)} }

func (s *fakeStore) link() *link { return &link{fakeStore: s} }

func (l *link) Change(ctx context.Context, key string, f func(Moment, []byte) ([]byte, error)) error {
	time.Sleep(l.lag)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.away {
		return ErrAway
	}
	next, err := f(Moment{Now: time.Now()}, l.values[key])
	if err != nil {
		return err
	}
	l.n++
	if next == nil {
		delete(l.values, key)
	} else {
		l.values[key] = next
	}
	if l.lose > 0 {
		l.lose--
		return errors.Join(ErrAway, ErrUnknown)
	}
	return ctx.Err()
}

func (l *link) cut(away bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.away = away
}

func (l *link) Load(_ context.Context, yield func(string, []byte) error, keys ...string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.away {
		return ErrAway
	}
	for _, k := range keys {
		if v := l.values[k]; v != nil {
			if err := yield(k, v); err != nil {
				return err
			}
		}
	}
	return nil
}

func (l *link) loseNext(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lose = n
}
