package routing

import (
	"context"
	"errors"
	"time"
)

const (
	// MaxResponses is how many responses are remembered at most.
	MaxResponses = 100_000
	// responseLife is how long the maker of a response is remembered.
	responseLife = 30 * 24 * time.Hour
)

// Made says who made a response that later requests may build on.
type Made struct {
	Seller SellerKey
	Model  string // the id that the seller knows the model by
	// Tokens is what a request that goes on from the response has in its prompt beside what it shows: the response's own prompt,
	// with what that went on from, and its completion. 0: not known.
	Tokens int64
	Until  time.Time // forgotten then
	Owner  uint64    // the member that it was remembered for, as Put was told
}

// At is when it was made, where nothing else was said of how long it is remembered.
func (m *Made) At() time.Time { return m.Until.Add(-responseLife) }

// ResponseStore keeps over a restart what [Responses] remember. It holds no more than MaxResponses, and may forget what has
// expired. Keys are keyed hashes, and member is one too: nothing of a prompt or a name is in them.
type ResponseStore interface {
	// KeepResponse writes down who made a response, in the place of what was there. It does not wait for the disk: what was
	// written last may be missing after a crash.
	KeepResponse(key [16]byte, member uint64, m Made)
	// ForgetResponse takes it away, as the client has deleted the response.
	ForgetResponse(key [16]byte)
	// EachResponse calls for all that are kept, the oldest first. It is asked once, before anything is kept.
	EachResponse(visit func(key [16]byte, member uint64, m Made)) error
}

// ResponseFinder is a [ResponseStore] that may know of responses which other gateways have remembered.
type ResponseFinder interface {
	// FindResponse gives the maker of a response that is not remembered here, and whose it is, and keeps that. It may wait for a moment;
	// where the response may have been made just now, until another gateway can have told. The error is ErrUnmade, or says why nobody
	// can tell now.
	FindResponse(ctx context.Context, key [16]byte, justNow bool) (member uint64, m Made, err error)
}

// ErrUnmade says that nobody is known who has made a response.
var ErrUnmade = errors.New("nobody is known who has made it")

// Responses remember who made which response. They hold a bounded number, forget first those of members that have many, and
// take no lock. A key is a keyed hash of the member and the response's id together, so that nobody knows another's.
type Responses struct {
	made  memos[Made]
	store ResponseStore
}

// NewResponses makes a memory of as many responses as the capacity says, and fills it from the store (nil: none). After an
// error of the store it works without what could not be read.
func NewResponses(capacity int, store ResponseStore, now time.Time) (*Responses, error) {
	r := &Responses{made: newMemos[Made](capacity), store: store}
	if store == nil {
		return r, nil
	}
	return r, store.EachResponse(func(key [16]byte, member uint64, m Made) {
		if m.Until.After(now) {
			m.Owner = member
			r.made.put(key, member, m, now, m.Until)
		}
	})
}

// Get gives the maker of a response. A nil *Responses knows none.
func (r *Responses) Get(key [16]byte, now time.Time) (m Made, ok bool) {
	if r == nil {
		return Made{}, false
	}
	return r.made.get(key, now)
}

// Find is Get that also asks the store where that is a [ResponseFinder], and remembers what it says. justNow: it may have been made just now.
// The error is ErrUnmade, or says why the store can't tell now.
func (r *Responses) Find(ctx context.Context, key [16]byte, justNow bool, now time.Time) (Made, error) {
	if m, ok := r.Get(key, now); ok {
		return m, nil
	} else if r == nil {
		return Made{}, ErrUnmade
	}
	finder, may := r.store.(ResponseFinder)
	if !may {
		return Made{}, ErrUnmade
	}
	member, m, err := finder.FindResponse(ctx, key, justNow)
	switch {
	case err != nil:
		return Made{}, err
	case !m.Until.After(now):
		return Made{}, ErrUnmade
	}
	m.Owner = member
	r.made.put(key, member, m, now, m.Until)
	return m, nil
}

// Put remembers the maker of a member's response, for 30 days where m says nothing else. member is any number that is a
// member's own, over a restart too: a hash of the name.
func (r *Responses) Put(key [16]byte, member uint64, m Made, now time.Time) {
	if r == nil {
		return
	}
	if m.Until.IsZero() {
		m.Until = now.Add(responseLife)
	}
	m.Owner = member
	r.made.put(key, member, m, now, m.Until)
	if r.store != nil {
		r.store.KeepResponse(key, member, m)
	}
}

// Forget forgets a response: it was deleted.
func (r *Responses) Forget(key [16]byte, now time.Time) {
	if r == nil {
		return
	}
	if _, ok := r.made.get(key, now); ok {
		r.made.put(key, 0, Made{}, now, now.Add(-1))
	}
	if r.store != nil {
		r.store.ForgetResponse(key)
	}
}
