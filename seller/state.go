package seller

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"go.uber.org/zap"
)

// state is the state file: what the books held at one moment. What has changed since is in the journal beside it. It holds no
// bearer token, order id or idempotency key in clear.
type state struct {
	Version    int    `json:"version"`
	Seller     string `json:"seller"`
	Generation uint64 `json:"generation,omitempty"` // of the journal that goes on from here
	change
}

// change is what of the books has changed, each as it is now: a line of the journal.
type change struct {
	Orders  []order    `json:"orders,omitempty"`
	Tokens  []token    `json:"tokens,omitempty"`
	Answers []answered `json:"answers,omitempty"`
	Charges []charge   `json:"charges,omitempty"` // oldest first
	// Responses are what an upstream keeps, oldest first.
	Responses []response `json:"responses,omitempty"`
}

// response is what an upstream has made and keeps: how long it is with all that it goes on from, in tokens.
type response struct {
	ID     digest `json:"id"`
	Tokens int64  `json:"tokens"`
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
		return b, b.alone()
	}
	if err != nil {
		return nil, fmt.Errorf("state: %w", err)
	}
	var st state
	if err := json.Unmarshal(data, &st); err != nil || st.Version != stateVersion {
		return nil, fmt.Errorf("state %s is damaged or from another version: move it away, and its journal, to begin with empty books", file)
	}
	if st.Seller != seller {
		return nil, fmt.Errorf("state %s belongs to seller %q: give each seller a file of its own", file, st.Seller)
	}
	b.restore(st.change)
	b.journal.generation = st.Generation
	changes, err := readJournal(journalOf(file), st.Generation)
	if err != nil {
		return nil, err
	}
	for _, c := range changes {
		b.restore(c)
	}
	return b, nil
}

// alone refuses a journal that has lost the file it goes on from.
func (b *Books) alone() error {
	if _, err := os.Stat(journalOf(b.file)); err == nil {
		return fmt.Errorf("state %s is missing, but its journal %s is there: put it back, or move the journal away to begin with empty books",
			b.file, journalOf(b.file))
	}
	return nil
}

// restore puts back what was written down. What is there already is replaced.
func (b *Books) restore(c change) {
	for _, t := range c.Tokens {
		if known := b.tokens[t.Hash]; known != nil {
			*known = t // charges point to it
			continue
		}
		b.tokens[t.Hash] = &t
	}
	for _, o := range c.Orders {
		b.orders[o.Hash] = &o
	}
	for _, a := range c.Answers {
		b.answers[a.Key] = &a
	}
	for _, r := range c.Responses {
		b.responses.put(r.ID, r.Tokens)
	}
	for _, c := range c.Charges {
		if c.token = b.tokens[c.TokenHash]; c.token == nil {
			continue
		}
		c.Settled, c.measured = true, true
		if known := b.settled(&c); known != nil {
			*known = c
			continue
		}
		if c.Key != (digest{}) {
			b.repeats.put(c.Key, &c)
		}
		b.record(&c)
	}
}

// settled finds a charge that was written down before, and has grown since.
func (b *Books) settled(c *charge) *charge {
	if known, ok := b.repeats.get(c.Key); ok && known.SettlementID == c.SettlementID {
		return known
	}
	for i := len(b.charges) - 1; i >= max(0, len(b.charges)-100); i-- { // without a key
		if b.charges[i].SettlementID == c.SettlementID {
			return b.charges[i]
		}
	}
	return nil
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
	b.responses.oldestFirst(func(id digest, tokens int64) { st.Responses = append(st.Responses, response{id, tokens}) })
	for _, c := range b.open {
		if c.Settled {
			st.Charges = append(st.Charges, *c)
		}
	}
	return st
}
