package fleet

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// State is how this gateway's part of the fleet stands, for metrics. Counters are since New.
type State struct {
	StoreUp        bool
	Fenced         bool         // another process speaks for this gateway: nothing is spent here
	StrandedMicros money.Micros // set aside for this gateway, and neither spent nor held: of each holder the budget with most
	Waiting        int          // requests that wait for a part of a budget

	Changes, Conflicts, Unknown, Forgotten, Waits, RefusedAway int64
}

// State gives how this gateway's part of the fleet stands. It asks nobody.
func (f *Fleet) State() State {
	c := &f.counts
	s := State{
		StoreUp: f.health.isUp(), Fenced: f.fenced.Load(),
		Changes: c.changes.Load(), Conflicts: c.conflicts.Load(), Unknown: c.unknown.Load(), Forgotten: c.forgotten.Load(),
		Waits: c.waits.Load(), RefusedAway: c.refusedAway.Load(),
	}
	for _, share := range f.all() {
		s.StrandedMicros += share.stranded()
		share.mu.Lock()
		s.Waiting += len(share.waiters)
		share.mu.Unlock()
	}
	return s
}

// Status is how a fleet stands, as its store has it. It may be a moment old.
type Status struct {
	Gateways []GatewayStatus `json:"gateways"` // by name, then identity
	Budgets  []BudgetStatus  `json:"budgets"`  // by key, then scope; of periods that are not over for all
	Session  Session         `json:"session"`
	Tokens   []TokenStatus   `json:"tokens,omitempty"` // that are shared and not over, by seller, then id
}

// TokenStatus is how a token stands whose credit gateways share.
type TokenStatus struct {
	Token   string                     `json:"token"`
	Seller  string                     `json:"seller"`
	Origin  string                     `json:"origin"`
	Credit  money.Micros               `json:"creditMicros"`
	Spent   money.Micros               `json:"spentMicros"` // as far as it was reported
	Aside   money.Micros               `json:"asideMicros"` // set aside, and not spent
	Free    money.Micros               `json:"freeMicros"`  // set aside for nobody
	Expires time.Time                  `json:"expires"`
	Parts   map[string]TokenPartStatus `json:"parts"` // by gateway
}

// TokenPartStatus is a gateway's part of a token.
type TokenPartStatus struct {
	Granted money.Micros `json:"grantedMicros"`
	Spent   money.Micros `json:"spentMicros"`
	Until   time.Time    `json:"until"` // what is not spent then is anybody's, unless the gateway has spoken
}

// tokenStatus gives how a token stands; false: it is over.
func tokenStatus(id string, value []byte) (s TokenStatus, ok bool, err error) {
	p, err := readPool(value)
	if err != nil || p.Over != "" {
		return s, false, err
	}
	s = TokenStatus{
		Token: id, Seller: p.Seller, Origin: p.Origin, Credit: p.Credit, Free: max(0, p.free()), Expires: time.Unix(0, p.Expires).UTC(),
		Parts: make(map[string]TokenPartStatus, len(p.Parts)), Aside: p.idle(""),
	}
	for gateway, one := range p.Parts {
		s.Spent += one.Spent
		s.Parts[gateway] = TokenPartStatus{one.Granted, one.Spent, time.Unix(0, one.Until).UTC()}
	}
	return s, true, nil
}

// GatewayStatus is how one gateway of a fleet stands.
type GatewayStatus struct {
	Gateway string `json:"gateway"` // the ledger's identity
	Beat
	Self           bool         `json:"self,omitempty"` // it is the one that was asked
	Silent         bool         `json:"silent,omitempty"`
	StrandedMicros money.Micros `json:"strandedMicros"` // set aside for it, and neither spent nor held: of each holder the budget with most
}

// BudgetStatus is how one budget stands in one period.
type BudgetStatus struct {
	Group  bool                   `json:"group,omitempty"` // a group's; else a member's
	Name   string                 `json:"name"`
	Scope  string                 `json:"scope"` // as ScopeOf gives it
	Limit  money.Micros           `json:"limitMicros"`
	Spent  money.Micros           `json:"spentMicros"`
	Held   money.Micros           `json:"heldMicros"`
	Free   money.Micros           `json:"freeMicros"`   // set aside, and neither spent nor held
	Remain money.Micros           `json:"remainMicros"` // set aside for nobody
	Leases map[string]LeaseStatus `json:"leases"`       // by gateway
}

// LeaseStatus is a gateway's part of a budget.
type LeaseStatus struct {
	Granted money.Micros `json:"grantedMicros"`
	Spent   money.Micros `json:"spentMicros"`
	Held    money.Micros `json:"heldMicros"`
	Over    bool         `json:"over,omitempty"` // its last report was made
}

// Status reads how the fleet stands.
func (f *Fleet) Status(ctx context.Context) (Status, error) {
	s := Status{Gateways: []GatewayStatus{}, Budgets: []BudgetStatus{}}
	stranded := map[string]money.Micros{}
	err := f.store.Load(ctx, func(key string, value []byte) (err error) {
		group, name, isBudget := HolderOf(key)
		id, isGateway := strings.CutPrefix(key, gatewayKeys)
		token, isToken := poolOf(key)
		switch {
		case key == SessionKey:
			s.Session, err = readSession(value)
		case isGateway:
			g := GatewayStatus{Gateway: unescape(id)}
			g.Self = g.Gateway == f.o.Gateway
			err = json.Unmarshal(value, &g.Beat)
			s.Gateways = append(s.Gateways, g)
		case isToken:
			var one TokenStatus
			var live bool
			if one, live, err = tokenStatus(token, value); live {
				s.Tokens = append(s.Tokens, one)
			}
		case isBudget:
			var parts []Part
			if parts, err = PartsOf(value); err == nil {
				s.add(parts, group, name, stranded)
			}
		}
		if err != nil {
			return fmt.Errorf("fleet: %s can't be read: %w", key, err)
		}
		return nil
	}, budgetKeys, gatewayKeys, SessionKey, poolKeys)
	if err != nil {
		return Status{}, err
	}
	slices.SortFunc(s.Tokens, func(a, b TokenStatus) int {
		return cmp.Or(cmp.Compare(a.Seller, b.Seller), cmp.Compare(a.Token, b.Token))
	})
	var now time.Time
	for _, g := range s.Gateways {
		if g.Seen.After(now) {
			now = g.Seen
		}
	}
	muted := f.health.muted()
	for i := range s.Gateways {
		g := &s.Gateways[i]
		g.Silent, g.StrandedMicros = g.Beat.Silent(now) && !muted && f.quiet(GatewayKey(g.Gateway), g.Beat), stranded[g.Gateway]
	}
	slices.SortFunc(s.Gateways, func(a, b GatewayStatus) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Gateway, b.Gateway))
	})
	return s, nil
}

// add adds the budgets of one holder.
func (s *Status) add(parts []Part, group bool, name string, stranded map[string]money.Micros) {
	most := map[string]money.Micros{}
	scopes := map[string]*BudgetStatus{}
	open := map[string]bool{}
	for _, p := range parts {
		b := scopes[p.Scope]
		if b == nil {
			b = &BudgetStatus{Group: group, Name: name, Scope: p.Scope, Leases: map[string]LeaseStatus{}}
			scopes[p.Scope] = b
		}
		free := max(0, p.Granted-p.Spent-p.Held)
		p.Held = min(p.Held, max(0, p.Granted-p.Spent)) // what waiting requests have asked for is in it, and nobody may have it
		b.Limit = max(b.Limit, p.Limit)
		b.Spent, b.Held, b.Free = b.Spent+p.Spent, b.Held+p.Held, b.Free+free
		b.Remain -= max(p.Granted, p.Spent)
		b.Leases[p.Gateway] = LeaseStatus{Granted: p.Granted, Spent: p.Spent, Held: p.Held, Over: p.Done}
		open[p.Scope] = open[p.Scope] || !p.Done
		most[p.Gateway] = max(most[p.Gateway], free)
	}
	for _, scope := range slices.Sorted(maps.Keys(scopes)) {
		if b := scopes[scope]; open[scope] {
			b.Remain = max(0, b.Remain+b.Limit)
			s.Budgets = append(s.Budgets, *b)
		}
	}
	for gateway, free := range most {
		stranded[gateway] += free
	}
}

// EachPart calls yield with each part of each holder's budgets in a store.
func EachPart(ctx context.Context, store Store, yield func(group bool, name string, p Part)) error {
	return store.Load(ctx, func(key string, value []byte) error {
		group, name, ok := HolderOf(key)
		if !ok {
			return nil
		}
		parts, err := PartsOf(value)
		if err != nil {
			return fmt.Errorf("fleet: %s can't be read: %w", key, err)
		}
		for _, p := range parts {
			yield(group, name, p)
		}
		return nil
	}, budgetKeys)
}
