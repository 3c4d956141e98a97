package ledger

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"slices"
	"time"

	"github.com/dgraph-io/badger/v4"

	"github.com/tokenbuddy/caddy-tokenbuddy/billing"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// tried is what a seller has settled of a client's request that may be tried again: all tries there are one charge, so that it has paid for one that is cut
// later, whichever of the seller's tokens that has. Where the seller charges for it all the same, the next balance of its token tells.
type tried struct {
	// BilledMicros is what the seller has taken; 0: it has settled two tries, each by itself, and takes no heed of the key, or knows it by the token alone.
	BilledMicros money.Micros `json:"billedMicros"`
	Until        time.Time    `json:"until"` // it is not kept any longer
}

const (
	// triedLife is how long that is known, by the clock alone: a key that comes again after that may be another request.
	triedLife = 24 * time.Hour
	// maxTried is how many are kept, the newest.
	maxTried = 100_000
)

// tryKey is a hash of what all tries of a request at one seller have in common.
type tryKey [16]byte

func tryKeyOf(in *Inference) (key tryKey) {
	sum := sha256.Sum256([]byte(names("", in.Seller, in.Origin, in.IdempotencyKey, in.Path, in.PromptHash)))
	copy(key[:], sum[:])
	return key
}

func triedKey(key tryKey) string { return triedPrefix + string(key[:]) }

// noteTried keeps that the seller has settled a try, where another one may follow.
func (b *batch) noteTried(in *Inference, c *billing.Charge, wasted bool) {
	if c.Settled == nil || c.Billed == 0 || in.IdempotencyKey == "" || !in.Repeatable && !wasted {
		return
	}
	key := tryKeyOf(in)
	t := tried{c.Billed, b.wall.Add(triedLife).UTC()}
	if before, again := b.billed[key]; again && b.wall.Before(before.Until) {
		t.BilledMicros = 0
	}
	b.billed[key] = t
	b.put(triedKey(key), t)
	if in.Repeatable { // else no other gateway has a try of it
		told := Tried{sharedTry(in.TokenID, in.IdempotencyKey, in.Path, in.PromptHash), t.BilledMicros, t.Until}
		b.news = append(b.news[max(0, len(b.news)-maxNews+1):], triedNews{told, in.TokenID, b.tokens[in.TokenID].Shared, b.now})
	}
	for _, old := range b.tried.put(key, t.Until, b.wall) {
		delete(b.billed, old)
		b.delete(triedKey(old))
	}
}

// billedBefore is what the seller has taken already of the one charge that a try without a settlement is a part of.
func (b *batch) billedBefore(in *Inference) money.Micros {
	if in.IdempotencyKey == "" || len(b.billed) == 0 {
		return 0
	}
	if t := b.billed[tryKeyOf(in)]; b.wall.Before(t.Until) {
		return t.BilledMicros
	}
	return 0
}

// loadTried reads what was kept before.
func (s *state) loadTried(txn *badger.Txn) error {
	err := each(txn, triedPrefix, func(rest string, t *tried) error {
		if len(rest) == len(tryKey{}) {
			s.billed[tryKey([]byte(rest))] = *t
		}
		return nil
	})
	type kept struct {
		key   tryKey
		until time.Time
	}
	all := make([]kept, 0, len(s.billed))
	for key, t := range s.billed {
		all = append(all, kept{key, t.Until})
	}
	slices.SortFunc(all, func(a, b kept) int {
		return cmp.Or(a.until.Compare(b.until), bytes.Compare(a.key[:], b.key[:]))
	})
	for _, k := range all {
		s.tried.add(k.key, k.until)
	}
	return err
}
