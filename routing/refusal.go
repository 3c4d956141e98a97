package routing

import (
	"sync"
	"sync/atomic"
	"time"
)

// Refusal is that a seller takes the operator's account there no more.
type Refusal struct {
	Since  time.Time `json:"since"`           // nothing was served since then
	Status int       `json:"status"`          // of the last answer that said so
	Funds  bool      `json:"funds,omitempty"` // no money is left there, it says
}

// refusals are the sellers that refuse what their last request was paid by. Nearly always there is none, and then nobody looks.
type refusals struct {
	of sync.Map // SellerKey -> *Refusal
	n  atomic.Int64
}

func (r *refusals) note(k SellerKey, now Refusal) {
	if before, there := r.of.Load(k); there {
		now.Since = before.(*Refusal).Since
	}
	if _, there := r.of.Swap(k, &now); !there {
		r.n.Add(1)
	}
}

func (r *refusals) end(k SellerKey) {
	if r.n.Load() == 0 {
		return
	}
	if _, there := r.of.LoadAndDelete(k); there {
		r.n.Add(-1)
	}
}

// find gives what a seller refuses; nil: nothing, for all that is known.
func (r *refusals) find(k SellerKey) *Refusal {
	found, there := r.of.Load(k)
	if !there {
		return nil
	}
	return found.(*Refusal)
}

// refuses notes that what a request was paid by has been refused.
func (s *State) refuses(at int64, o Outcome) {
	s.pool.refusals.note(SellerKey{s.id, s.origin}, Refusal{s.pool.time(at).UTC(), o.Status, o.Kind == InsufficientFunds})
}

// serves notes that good content has come.
func (s *State) serves(at int64) {
	s.lastSuccess.Store(at)
	s.pool.refusals.end(SellerKey{s.id, s.origin})
}
