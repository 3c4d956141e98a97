package ledger

import (
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/dgraph-io/badger/v4"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger/store"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// load reads the state from the store, and begins an empty one. It checks what can be checked without reading every entry.
func load(db *store.Store, seal *store.Sealer, readOnly bool) (*state, error) {
	s := newState()
	access := db.Update
	if readOnly {
		access = db.View
	}
	err := access(func(txn *badger.Txn) error {
		if err := s.loadMeta(txn, seal, readOnly); err != nil {
			return err
		}
		if err := s.loadHead(txn); err != nil {
			return err
		}
		return s.loadRecords(txn, seal)
	})
	if err != nil {
		return nil, err
	}
	if s.format >= formatBlocks {
		db.PutTogether(string(s.keys))
	}
	return s, s.check()
}

// sealCheck is sealed in each store; a key that opens it is the right one.
const sealCheck = "the key of this ledger"

func (s *state) loadMeta(txn *badger.Txn, seal *store.Sealer, readOnly bool) error {
	var version int
	found, err := getJSON(txn, metaFormat, &version)
	switch {
	case err != nil:
		return err
	case !found:
		if first, err := firstKey(txn); err != nil || first != "" {
			return errors.Join(err, store.Damaged("the record of its format is missing"))
		}
		if readOnly {
			return ErrNoLedger
		}
		s.identity, s.format, s.keys = rand.Text(), formatNewest, entriesFirst
		return errors.Join(
			txn.Set([]byte(metaFormat), fmt.Append(nil, formatNewest)),
			txn.Set([]byte(metaIdentity), []byte(s.identity)),
			txn.Set([]byte(metaSeal), seal.Seal(metaSeal, []byte(sealCheck))),
		)
	case entriesIn(version) == "":
		return fmt.Errorf("its format is %d, this program knows %d: run the version of the program that has written it", version, formatNewest)
	}
	s.format, s.keys = version, entriesIn(version)
	identity, err := get(txn, metaIdentity)
	if err != nil {
		return store.Damaged("the record of its identity is missing")
	}
	if s.identity = string(identity); seal == nil {
		return nil
	}
	raw, err := get(txn, metaSeal)
	if err != nil {
		return err
	}
	plain, err := seal.Open(metaSeal, raw)
	if err != nil || string(plain) != sealCheck {
		return fmt.Errorf("%w: it was written with another one; give the ledger its old key (the key file, or the key "+
			"subdirective), without it the tokens in it are lost", ErrWrongKey)
	}
	return nil
}

func (s *state) loadHead(txn *badger.Txn) error {
	if _, err := getJSON(txn, metaHead, &s.head); err != nil {
		return err
	}
	if _, err := s.keys.get(txn, s.head.Sequence+1); err == nil {
		return store.Damaged("there are entries after the newest one, %d", s.head.Sequence)
	}
	if s.head.Sequence == 0 {
		return nil
	}
	raw, err := s.keys.get(txn, s.head.Sequence)
	if err != nil {
		return store.Damaged("the newest entry, %d, is not there (%v)", s.head.Sequence, err)
	}
	e, err := decodeEntry(raw)
	if err != nil || e.Hash != s.head.Hash || !e.checkHash(raw) {
		return store.Damaged("the newest entry, %d, is not what it was", s.head.Sequence)
	}
	s.last = e.Time.UTC()
	return s.id.resume(e.ID)
}

func (s *state) loadRecords(txn *badger.Txn, seal *store.Sealer) error {
	return errors.Join(
		each(txn, accountPrefix, func(name string, m *money.Micros) error {
			s.accounts[name] = m
			return nil
		}),
		each(txn, spentPrefix, func(day string, m *money.Micros) error {
			s.spent[day] = m
			return nil
		}),
		eachToken(txn, seal, func(t *token) { s.tokens[t.ID] = t }),
		each(txn, endedPrefix, func(id string, e *ended) error {
			s.ended[id] = e
			return nil
		}),
		s.loadAnswers(txn),
		s.loadResponses(txn),
		s.loadTried(txn),
		each(txn, holdPrefix, func(id string, h *Hold) error {
			s.holds[id] = h
			if t := s.tokens[h.TokenID]; t != nil {
				t.holds++
			}
			return nil
		}),
		each(txn, purchasePrefix, func(id string, p *purchase) error {
			if p.CountedMicros != 0 {
				s.spentAt[sellerDay{p.Seller, p.CountedDay}] += p.CountedMicros
				s.spentBy[methodDay{p.Method, p.CountedDay}] += p.CountedMicros
			}
			if p.mayBePaid() {
				s.keepPayee(&p.Purchase)
			}
			if p.State == Granted {
				s.bought[shop{p.Seller, p.Origin}] = true
			}
			if p.State.Ended() {
				return nil
			}
			s.purchases[id] = p
			return p.sound(id, seal)
		}),
	)
}

// check finds damage that shows in the sums.
func (s *state) check() error {
	var total money.Micros
	credit := map[string]money.Micros{}
	for _, t := range s.tokens {
		credit[creditOf(t.Seller)] += t.BalanceMicros
	}
	for name, balance := range s.accounts {
		total += *balance
		if sum, ok := credit[name]; ok && sum != *balance {
			return store.Damaged("account %s is %s, its tokens sum to %s", name, *balance, sum)
		}
		delete(credit, name)
	}
	if total != 0 {
		return store.Damaged("the accounts sum to %s, not to zero", total)
	}
	for name, sum := range credit {
		if sum != 0 {
			return store.Damaged("there are tokens worth %s, but no account %s", sum, name)
		}
	}
	return nil
}
