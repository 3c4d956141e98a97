package routing

import (
	"sync"
	"sync/atomic"
	"time"
)

// RefusedAccount is an account of the operator's that its provider takes no more.
type RefusedAccount struct {
	Since  time.Time `json:"since"`           // nothing was served since then
	Status int       `json:"status"`          // of the last answer that said so
	Funds  bool      `json:"funds,omitempty"` // no money is left there, it says
}

// refusedAccounts are those of a pool, by seller. Nearly always there is none, and then nobody looks.
type refusedAccounts struct {
	of sync.Map // SellerKey -> *RefusedAccount
	n  atomic.Int64
}

func (r *refusedAccounts) note(k SellerKey, now RefusedAccount) {
	if before, there := r.of.Load(k); there {
		now.Since = before.(*RefusedAccount).Since
	}
	if _, there := r.of.Swap(k, &now); !there {
		r.n.Add(1)
	}
}

func (r *refusedAccounts) end(k SellerKey) {
	if r.n.Load() == 0 {
		return
	}
	if _, there := r.of.LoadAndDelete(k); there {
		r.n.Add(-1)
	}
}

// find gives what a seller refuses; nil: nothing, for all that is known.
func (r *refusedAccounts) find(k SellerKey) *RefusedAccount {
	found, there := r.of.Load(k)
	if !there {
		return nil
	}
	return found.(*RefusedAccount)
}

// refuses notes that what a request was paid by has been refused.
func (s *State) refuses(at int64, o Outcome) {
	s.pool.refused.note(s.key, RefusedAccount{s.pool.time(at).UTC(), o.Status, o.Kind == InsufficientFunds})
}

// serves notes that good content has come.
func (s *State) serves(at int64) {
	s.lastSuccess.Store(at)
	s.pool.refused.end(s.key)
}
