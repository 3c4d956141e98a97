package fleet

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"maps"
	"strings"
	"sync"
	"time"
)

// Note is what operators have said to the fleet under one key, such as of a member: what all gateways go by, and no money hangs on.
type Note struct {
	Change string    `json:"change"`          // random, of the change that has made it
	At     time.Time `json:"at"`              // by the store's clock
	By     string    `json:"by,omitempty"`    // who has given the order, as far as that is known
	From   string    `json:"from,omitempty"`  // the address from where
	Order  string    `json:"order,omitempty"` // the word of the order
	Text   string    `json:"text,omitempty"`  // what is another by it
	// Is is what is so since then; null: it was removed. A note stays, as one that is not there was never written.
	Is json.RawMessage `json:"is"`
}

// Gone tells whether what the note was about was removed.
func (n *Note) Gone() bool { return len(n.Is) == 0 || string(n.Is) == "null" }

// Notes are the notes of a fleet. A store that has failed over, or was restored from a dump, may have forgotten what operators have said, and opens doors
// again that were shut: who knows better puts it right.
type Notes struct {
	store  Store
	every  time.Duration
	forgot func(key string)

	mu    sync.Mutex
	known map[string]written // the newest that this process has read or written
}

// written is a note as it is in the store: there may be more in it than this release knows.
type written struct {
	Note
	raw []byte
}

// noteTime is between two looks at the notes; noteAgain between two tries of a change whose fate is not known.
const (
	noteTime  = 5 * time.Second
	noteAgain = 200 * time.Millisecond
)

// NewNotes gives the notes in a store. forgot is told of each that the store had forgotten, once it has it again; nil: nobody is.
func NewNotes(s Store, forgot func(key string)) *Notes {
	if forgot == nil {
		forgot = func(string) {}
	}
	return &Notes{store: s, every: noteTime, forgot: forgot, known: make(map[string]written)}
}

// NoteKey is the key of the note about a member that was added at run time; PausedKey and SelectionKey are those of the notes
// about the sellers that are paused, and about the selection policy.
func NoteKey(member string) string { return noteKeys + escape(member) }

// NoteMember is the member whose key a note has.
func NoteMember(key string) (name string, ok bool) {
	name, ok = strings.CutPrefix(key, noteKeys)
	return unescape(name), ok
}

// The keys of notes.
const (
	PausedKey    = "paused"
	SelectionKey = "selection"

	noteKeys = "n/"
)

// Edit has a note say something else: edit is given what it says, nil where there is none, and gives what it is to say, which Edit
// dates: later than what was said before, whatever the store's clock says. It may be called again, as others may have been quicker; where the answer of the store was lost the change is still made once.
// An error of edit changes nothing, and is given back as it is.
func (n *Notes) Edit(ctx context.Context, key string, edit func(was *Note) (Note, error)) (is Note, err error) {
	change := rand.Text()
	unknown := false
	for {
		var next []byte
		err := n.store.Change(ctx, key, func(at Moment, old []byte) ([]byte, error) {
			was, err := readNote(old)
			if err != nil {
				return nil, err
			}
			if was != nil && was.Change == change {
				is, next = *was, bytes.Clone(old)
				return old, nil
			}
			if known, ok := n.newest(key); ok && (was == nil || was.At.Before(known.At)) {
				was = &known.Note
			}
			if is, err = edit(was); err != nil {
				return nil, err
			}
			is.Change, is.At = change, at.Now.UTC()
			if was != nil && !was.At.Before(is.At) {
				is.At = was.At.Add(1)
			}
			next, err = json.Marshal(is)
			return next, err
		})
		if err == nil {
			n.learn(key, written{is, next})
		}
		unknown = unknown || errors.Is(err, ErrUnknown)
		if err == nil || !unknown || !errors.Is(err, ErrAway) && !errors.Is(err, ErrUnknown) {
			return is, err
		}
		if !pause(ctx, noteAgain) {
			return is, errors.Join(ErrUnknown, err)
		}
	}
}

// newest is the newest note that is known of a key.
func (n *Notes) newest(key string) (written, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	is, ok := n.known[key]
	return is, ok
}

func (n *Notes) learn(key string, is written) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !is.At.Before(n.known[key].At) {
		n.known[key] = is
	}
}

// Older tells whether a note is older than what is known under its key by now. One that was never written is.
func (n *Notes) Older(key string, is Note) bool {
	known, ok := n.newest(key)
	return ok && is.At.Before(known.At)
}

func readNote(raw []byte) (*Note, error) {
	if raw == nil {
		return nil, nil
	}
	n := new(Note)
	if err := json.Unmarshal(raw, n); err != nil {
		return nil, errors.New("fleet: a note can't be read: it may be of a newer release")
	}
	return n, nil
}

// Watch looks at the notes every few seconds, until the context ends, and calls changed with all of them, by key, at first and whenever
// one is another. Where it gives an error it is called again the next time. away is told, once until they can be, why the notes can't be read.
func (n *Notes) Watch(ctx context.Context, changed func(ctx context.Context, all map[string]Note) error, away func(error)) {
	look := time.NewTicker(n.every)
	defer look.Stop()
	var last map[string][]byte
	told := false
	for {
		now, err := n.read(ctx)
		if err == nil && (last == nil || !maps.EqualFunc(now, last, bytes.Equal)) {
			var all map[string]Note
			if all, err = readNotes(now); changed(ctx, all) == nil {
				last = now
			}
		}
		if err != nil && !told && ctx.Err() == nil {
			away(err)
		}
		told = err != nil
		select {
		case <-ctx.Done():
			return
		case <-look.C:
		}
	}
}

// All gives all notes, by key.
func (n *Notes) All(ctx context.Context) (map[string]Note, error) {
	now, err := n.read(ctx)
	if err != nil {
		return nil, err
	}
	return readNotes(now)
}

// readNotes gives those that can be read, and says of one that can't.
func readNotes(raw map[string][]byte) (map[string]Note, error) {
	var failed error
	all := make(map[string]Note, len(raw))
	for key, raw := range raw {
		note, err := readNote(raw)
		if err != nil {
			failed = err
			continue
		}
		all[key] = *note
	}
	return all, failed
}

// read gives the notes in the store, once that has again what it had forgotten.
func (n *Notes) read(ctx context.Context) (map[string][]byte, error) {
	all := make(map[string][]byte)
	if err := n.store.Load(ctx, func(key string, value []byte) error {
		all[key] = bytes.Clone(value)
		return nil
	}, noteKeys, PausedKey, SelectionKey); err != nil {
		return nil, err
	}
	for key, raw := range all {
		if note, err := readNote(raw); err == nil {
			n.learn(key, written{*note, raw})
		}
	}
	n.mu.Lock()
	known := maps.Clone(n.known)
	n.mu.Unlock()
	for key, is := range known {
		if older(all[key], is.Note) {
			now, err := n.remind(ctx, key, is)
			if err != nil {
				return nil, err
			}
			all[key] = now
		}
	}
	return all, nil
}

// older tells whether what the store has is older than a note. What can't be read is not.
func older(raw []byte, is Note) bool {
	was, err := readNote(raw)
	return err == nil && (was == nil || was.At.Before(is.At))
}

// remind has the store know a note again, as it was, unless it has a newer one by now, and gives what it has.
func (n *Notes) remind(ctx context.Context, key string, is written) (now []byte, err error) {
	forgotten := false
	err = n.store.Change(ctx, key, func(_ Moment, old []byte) ([]byte, error) {
		if now, forgotten = old, older(old, is.Note); forgotten {
			now = is.raw
		}
		return now, nil
	})
	if err == nil && forgotten {
		n.forgot(key)
	}
	return bytes.Clone(now), err
}
