package purchase

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// fakeJournal is a journal in memory.
type fakeJournal struct {
	mu         sync.Mutex
	steps      []ledger.Purchase
	open       []ledger.Purchase
	tokens     map[string]ledger.Token
	dropped    map[string]string // id: reason
	spent      money.Micros
	fail       ledger.PurchaseState // the state that can't be written
	over       ledger.PurchaseState // the state that would pass a limit
	overSeller bool                 // the seller's limit is passed
	overMethod string               // this method's own limit is passed
	spentAt    map[string]money.Micros
	hideAll    bool // Spent says nothing is spent
	stuck      bool // no token can be dropped
}

func newJournal() *fakeJournal {
	return &fakeJournal{tokens: make(map[string]ledger.Token), dropped: make(map[string]string)}
}

func (j *fakeJournal) Advance(ctx context.Context, p ledger.Purchase, limits ledger.Limits) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	if p.State == j.fail {
		return errors.New("disk full")
	}
	if p.State == j.over {
		return &ledger.LimitError{Limit: ledger.SessionLimit}
	}
	switch p.State {
	case ledger.Prepared:
		if j.overSeller {
			return &ledger.LimitError{Limit: ledger.SellerLimit, LimitMicros: limits.Seller, AmountMicros: p.AmountMicros, Resets: tomorrow()}
		}
		if p.Method == j.overMethod {
			return &ledger.LimitError{Limit: ledger.MethodLimit, LimitMicros: 4 * money.USD, AmountMicros: p.AmountMicros, Resets: tomorrow()}
		}
		if limits.Daily >= 0 && j.spent+p.AmountMicros > limits.Daily {
			return &ledger.LimitError{
				Limit: ledger.DailyLimit, LimitMicros: limits.Daily, SpentMicros: j.spent, AmountMicros: p.AmountMicros, Resets: tomorrow(),
			}
		}
		j.spent += p.AmountMicros
	case ledger.Granted:
		t := *p.Token
		t.PaidMicros = p.AmountMicros
		j.tokens[t.ID] = t
	}
	j.steps = append(j.steps, p)
	return nil
}

func tomorrow() time.Time { return time.Now().UTC().Truncate(24 * time.Hour).Add(24 * time.Hour) }

func (j *fakeJournal) Ready() error { return nil }

func (j *fakeJournal) OpenPurchases() []ledger.Purchase { return j.open }

func (j *fakeJournal) Tokens() []ledger.Token {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Collect(maps.Values(j.tokens))
}

func (j *fakeJournal) DropToken(_ context.Context, id, reason string) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.stuck {
		return errors.New("disk full")
	}
	if _, ok := j.tokens[id]; !ok {
		return ledger.ErrUnknownToken
	}
	delete(j.tokens, id)
	j.dropped[id] = reason
	return nil
}

func (j *fakeJournal) Spent() (day, session money.Micros) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.hideAll {
		return 0, 0
	}
	return j.spent, j.spent
}

func (j *fakeJournal) SpentAt(sellerID string) money.Micros {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.spentAt[sellerID]
}

func (j *fakeJournal) states() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	var s []string
	for _, p := range j.steps {
		s = append(s, string(p.State))
	}
	return strings.Join(s, " ")
}

func (j *fakeJournal) lastStep() ledger.Purchase {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.steps[len(j.steps)-1]
}

func (j *fakeJournal) reasons() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Sorted(maps.Values(j.dropped))
}
