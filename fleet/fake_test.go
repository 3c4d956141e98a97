package fleet

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// fakeStore is a store in memory that can be away, for one gateway or all, and lose answers.
type fakeStore struct {
	mu     sync.Mutex
	values map[string][]byte
	line   string // its history
	n      int    // changes that were made
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
	next, err := f(Moment{Now: time.Now(), Line: l.line}, l.values[key])
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
	for _, k := range slices.Sorted(maps.Keys(l.values)) {
		if slices.ContainsFunc(keys, func(want string) bool { return k == want || strings.HasSuffix(want, "/") && strings.HasPrefix(k, want) }) {
			if err := yield(k, l.values[k]); err != nil {
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
