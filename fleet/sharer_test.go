package fleet

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// sharer is a gateway that shares tokens; spent is what it has of its sellers, by token.
type sharer struct {
	*Tokens
	*till
	link  *link
	epoch uint64
	spent map[string]money.Micros
}

func newSharer(store *fakeStore) *sharer {
	return &sharer{till: newTill(), link: store.link(), spent: map[string]money.Micros{}}
}

func (s *sharer) start(name string) {
	s.epoch++
	s.Tokens = NewTokens(TokensOptions{Store: s.link, Gateway: name, Boot: fmt.Sprint(s.epoch), Epoch: s.epoch, Purse: s.till})
}

// kill ends the process: what it held is booked in full when it starts again.
func (s *sharer) kill(name string) {
	for id, held := range s.held {
		if s.disk[id] != nil && held > 0 {
			s.spent[id] += held
			s.spend(id, held)
		}
	}
	clear(s.held)
	clear(s.retired)
	s.start(name)
}

// hold has a request take of a token, if there is one.
func (s *sharer) hold(amount money.Micros) {
	for _, id := range slices.Sorted(maps.Keys(s.disk)) {
		if s.free(id) >= amount {
			s.held[id] += amount
			s.used = time.Now()
			return
		}
	}
}

// settle ends a request.
func (s *sharer) settle(amount, cost money.Micros) {
	for _, id := range slices.Sorted(maps.Keys(s.held)) {
		if s.held[id] >= amount && s.disk[id] != nil {
			s.held[id] -= amount
			s.spent[id] += cost
			s.spend(id, cost)
			return
		}
	}
}

// drop books what is left of tokens that were retired, when nobody has them any more.
func (s *sharer) drop(ctx context.Context) {
	for _, id := range slices.Sorted(maps.Keys(s.disk)) {
		if s.retired[id] = s.retired[id] || !time.Now().Before(s.disk[id].Expires); !s.retired[id] || s.held[id] > 0 {
			continue
		}
		if s.End(ctx, id, "expired") == nil {
			s.dropToken(id)
		}
	}
}

// twoSharers are two gateways that share what they buy.
func twoSharers(t *testing.T, store *fakeStore) (one, other *sharer) {
	one, other = newSharer(store), newSharer(store)
	one.start("one")
	other.start("other")
	if !one.ready(t.Context()) || !other.ready(t.Context()) {
		t.Fatal("they share nothing")
	}
	return one, other
}

// sharers are so many gateways with the same key over one store.
func sharers(n int) (store *fakeStore, all []*sharer) {
	store = newFake()
	for i := range n {
		s := &sharer{till: newTill(), link: store.link()}
		s.start(fmt.Sprint("g", i))
		all = append(all, s)
	}
	return store, all
}
