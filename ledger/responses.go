package ledger

import (
	"bytes"
	"cmp"
	"container/list"
	"slices"
	"sync"
	"time"

	"github.com/dgraph-io/badger/v4"
)

// Response says who made a response that a seller keeps: what goes on from it goes there, and its tokens are part of that prompt.
type Response struct {
	Member string    `json:"member"`
	Seller string    `json:"seller"`
	Origin string    `json:"origin"`
	Tokens int64     `json:"tokens,omitempty"` // prompt and answer together, as far as is known
	At     time.Time `json:"at"`
}

// ResponseKey is what a response is remembered under: a hash of its id, and of what else the caller tells responses apart by.
type ResponseKey [16]byte

const (
	responseLife = 30 * 24 * time.Hour
	maxResponses = 100_000
	// sweptResponses is how many old ones go with each new one: more than come.
	sweptResponses = 4
)

// responses is the memory of who made which response. It is no part of the books: nothing is lost with it but that a conversation has
// to begin anew.
type responses struct {
	mu     sync.RWMutex // protects all following fields
	made   map[ResponseKey]*list.Element
	oldest *list.List // of remembered, the oldest first
	names  map[string]string
}

type remembered struct {
	key ResponseKey
	Response
}

func newResponses() *responses {
	return &responses{made: map[ResponseKey]*list.Element{}, oldest: list.New(), names: map[string]string{}}
}

// Response gives who made a response, as far as that is known: for 30 days, of the newest 100,000. It waits for no disk.
func (l *Ledger) Response(key ResponseKey) (Response, bool) {
	r := l.state.responses
	r.mu.RLock()
	defer r.mu.RUnlock()
	e := r.made[key]
	if e == nil {
		return Response{}, false
	}
	made := e.Value.(*remembered).Response
	return made, l.now().Sub(made.At) < responseLife
}

// PutResponse remembers who made a response: at once, and over a restart once the next commit is through. It waits for nothing. A
// zero At is now.
func (l *Ledger) PutResponse(key ResponseKey, made Response) {
	if made.At.IsZero() {
		made.At = l.now().UTC().Truncate(time.Second)
	}
	if len(made.Member)+len(made.Seller)+len(made.Origin) > maxName {
		return
	}
	gone := l.state.responses.put(key, made, l.now())
	l.submit(plainWeight, func(b *batch) error {
		b.put(responseKey(key), made)
		for _, key := range gone {
			b.delete(responseKey(key))
		}
		return nil
	}, nil)
}

// DropResponse forgets a response that its maker has deleted.
func (l *Ledger) DropResponse(key ResponseKey) {
	l.state.responses.drop(key)
	l.submit(plainWeight, func(b *batch) error {
		b.delete(responseKey(key))
		return nil
	}, nil)
}

func responseKey(key ResponseKey) string { return responsePrefix + string(key[:]) }

// put remembers a response, and forgets a few that are too old or too many.
func (r *responses) put(key ResponseKey, made Response, now time.Time) (gone []ResponseKey) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.add(key, made)
	for range sweptResponses {
		e := r.oldest.Front()
		old := e.Value.(*remembered)
		if r.oldest.Len() <= maxResponses && now.Sub(old.At) < responseLife || old.key == key {
			break
		}
		gone = append(gone, old.key)
		delete(r.made, old.key)
		r.oldest.Remove(e)
	}
	return gone
}

func (r *responses) add(key ResponseKey, made Response) {
	made.Member, made.Seller, made.Origin = r.name(made.Member), r.name(made.Seller), r.name(made.Origin)
	if e := r.made[key]; e != nil {
		r.oldest.Remove(e)
	}
	r.made[key] = r.oldest.PushBack(&remembered{key, made})
}

// name gives the one copy of a name that is kept: there are few of them.
func (r *responses) name(s string) string {
	if kept, ok := r.names[s]; ok {
		return kept
	}
	if len(r.names) < maxResponses {
		r.names[s] = s
	}
	return s
}

func (r *responses) drop(key ResponseKey) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if e := r.made[key]; e != nil {
		r.oldest.Remove(e)
		delete(r.made, key)
	}
}

// loadResponses reads what was remembered before.
func (s *state) loadResponses(txn *badger.Txn) error {
	var all []remembered
	err := each(txn, responsePrefix, func(rest string, made *Response) error {
		if len(rest) == len(ResponseKey{}) {
			all = append(all, remembered{ResponseKey([]byte(rest)), *made})
		}
		return nil
	})
	slices.SortFunc(all, func(a, b remembered) int { return cmp.Or(a.At.Compare(b.At), bytes.Compare(a.key[:], b.key[:])) })
	for _, m := range all {
		s.responses.add(m.key, m.Response)
	}
	return err
}
