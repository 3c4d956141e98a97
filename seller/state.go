package seller

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/tokenbuddy/caddy-tokenbuddy/atomicfile"
)

// saveDelay is how long charges may wait to be written down; a purchase is written down before it is answered.
const saveDelay = time.Second

// state is the state file. It holds no bearer token, order id or idempotency key in clear.
type state struct {
	Version int        `json:"version"`
	Seller  string     `json:"seller"`
	Orders  []order    `json:"orders"`
	Tokens  []token    `json:"tokens"`
	Answers []answered `json:"answers"`
	Charges []charge   `json:"charges"` // oldest first
}

const stateVersion = 1

// openBooks gives the books in file, or empty ones where there is none yet. It writes nothing.
func openBooks(seller, file string, logger *zap.Logger) (*Books, error) {
	b := newBooks(seller, file, logger)
	if file == "" {
		return b, nil
	}
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return b, nil
	}
	if err != nil {
		return nil, fmt.Errorf("state: %w", err)
	}
	var st state
	if err := json.Unmarshal(data, &st); err != nil || st.Version != stateVersion {
		return nil, fmt.Errorf("state %s is damaged or from another version: move it away to begin with empty books", file)
	}
	if st.Seller != seller {
		return nil, fmt.Errorf("state %s belongs to seller %q: give each seller a file of its own", file, st.Seller)
	}
	b.restore(st)
	return b, nil
}

func (b *Books) restore(st state) {
	for _, t := range st.Tokens {
		b.tokens[t.Hash] = &t
	}
	for _, o := range st.Orders {
		b.orders[o.Hash] = &o
	}
	for _, a := range st.Answers {
		b.answers[a.Key] = &a
	}
	for _, c := range st.Charges {
		if c.token = b.tokens[c.TokenHash]; c.token == nil {
			continue
		}
		c.Settled, c.measured = true, true
		b.repeats.put(c.Key, &c)
		b.record(&c)
	}
}

// snapshot copies what the state file holds. b.mu is held.
func (b *Books) snapshot() state {
	st := state{Version: stateVersion, Seller: b.seller}
	for _, o := range b.orders {
		kept := *o
		kept.Answers = slices.Clone(o.Answers)
		st.Orders = append(st.Orders, kept)
	}
	for _, t := range b.tokens {
		st.Tokens = append(st.Tokens, *t)
	}
	for _, a := range b.answers {
		st.Answers = append(st.Answers, *a) // never changed once it is there
	}
	b.repeats.oldestFirst(func(_ digest, c *charge) {
		if b.open[c.Key] == nil {
			st.Charges = append(st.Charges, *c)
		}
	})
	for _, c := range b.open {
		if c.Settled {
			st.Charges = append(st.Charges, *c)
		}
	}
	return st
}

// touch notes that the books have changed, and plans to write them down. b.mu is held.
func (b *Books) touch() {
	b.changed = true
	if b.file == "" || b.planned != nil {
		return
	}
	b.planned = time.AfterFunc(saveDelay, func() {
		if err := b.save(); err != nil {
			b.warn(err)
		}
	})
}

// save writes the state file, unless nothing has changed since it was written. When it returns without an error, all
// changes made before the call are on the disk.
func (b *Books) save() error {
	if b.file == "" {
		return nil
	}
	b.saving.Lock()
	defer b.saving.Unlock()
	b.mu.Lock()
	if b.planned != nil {
		b.planned.Stop()
		b.planned = nil
	}
	if !b.changed {
		b.mu.Unlock()
		return nil
	}
	st := b.snapshot()
	b.changed = false
	b.mu.Unlock()
	data, err := json.Marshal(st)
	if err == nil {
		err = errors.Join(os.MkdirAll(filepath.Dir(b.file), 0o700), atomicfile.Bytes(b.file, data))
	}
	if err != nil {
		b.mu.Lock()
		b.changed = true
		b.mu.Unlock()
		return fmt.Errorf("state: %w", err)
	}
	return nil
}

// Destruct writes down what is not yet; the pool calls it when nobody holds the books any more.
func (b *Books) Destruct() error { return b.save() }
