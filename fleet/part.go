package fleet

import (
	"cmp"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// wantedOf is what other gateways lack of a budget, by scope. What can't be read lacks nothing.
func wantedOf(value []byte, gateway string) map[string]money.Micros {
	s, err := stateOf(value)
	if err != nil {
		return nil
	}
	var newest int64 // near the store's own time
	for _, sp := range s.Speakers {
		newest = max(newest, sp.Seen)
	}
	all := make(map[string]money.Micros)
	for name, sc := range s.Scopes {
		for id, p := range sc.Parts {
			if id != gateway && p.wants(newest) > 0 {
				all[name] = all[name].Add(p.wants(newest))
			}
		}
	}
	return all
}

// Part is how a gateway's part of a budget stands in the store, to be shown and to be held against its books.
type Part struct {
	Scope, Gateway              string
	Limit, Granted, Spent, Held money.Micros
	Wanted                      money.Micros // 0: nothing
	Done                        bool         // nothing of it can change any more
	// Seen is when the gateway has last said so, by its own clock, which its entries go by: by the store's where an earlier release has.
	Seen time.Time
	// Entries is how many its ledger had then, at least those that say what is spent; 0: an earlier release has told it.
	Entries uint64
}

// PartsOf gives the parts of a budget, as it stands under a key that MemberKey or GroupKey gives.
func PartsOf(value []byte) ([]Part, error) {
	s, err := stateOf(value)
	if err != nil {
		return nil, err
	}
	var all []Part
	for name, sc := range s.Scopes {
		for id, p := range sc.Parts {
			one := Part{Scope: name, Gateway: id, Limit: p.Limit, Granted: p.Granted, Spent: p.Spent, Held: p.Held, Wanted: p.Wanted, Done: p.Done}
			if sp := s.Speakers[id]; sp != nil {
				one.Seen, one.Entries = time.UnixMilli(cmp.Or(sp.At, sp.Seen)), sp.Entries
			}
			all = append(all, one)
		}
	}
	return all, nil
}
