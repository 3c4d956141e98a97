package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"go.uber.org/zap"
)

// Booked tells what a gateway has booked for a holder in a scope, by its shipped entries.
type Booked func(group bool, name, scope string) money.Micros

// Forgot is what has come of forgetting a gateway.
type Forgot struct {
	Budgets int          `json:"budgets"`       // in how many a part was set aside for it
	Counted money.Micros `json:"countedMicros"` // taken for spent though it was not reported
	Freed   money.Micros `json:"freedMicros"`   // that others can spend now
}

// Forget ends a gateway whose disk is gone: no process is ever believed again that speaks for it. What was set aside for it counts as
// spent, or of budgets by its books what they say, which is too little where not all of its entries were shipped. A gateway that still speaks is not
// forgotten: stop it first. Repeat it after an error, which may have come in the middle.
func (f *Fleet) Forget(ctx context.Context, gateway string, byBooks bool) (total Forgot, err error) {
	var booked Booked
	if byBooks {
		if f.o.Booked == nil {
			return total, errors.New("fleet: no entries are shipped that tell what the gateway has spent: forget it without them")
		}
		if booked, err = f.o.Booked(ctx, gateway); err != nil {
			return total, fmt.Errorf("fleet: what the gateway has spent by its entries: %w", err)
		}
	}
	if gateway == f.o.Gateway {
		return total, errors.New("fleet: a gateway does not forget itself: ask another one")
	}
	if err := f.forgetBeat(ctx, gateway); err != nil {
		return total, err
	}
	if err := forgetLimits(ctx, f.store, gateway); err != nil {
		return total, fmt.Errorf("fleet: what the gateway has of limits: %w", err)
	}
	var keys []string
	err = f.store.Load(ctx, func(key string, value []byte) error {
		state, err := stateOf(value)
		if err == nil && state.Speakers[gateway] != nil {
			keys = append(keys, key)
		}
		return err
	}, budgetKeys)
	if err != nil {
		return total, fmt.Errorf("fleet: what is set aside for the gateway: %w", err)
	}
	for _, key := range keys {
		var one Forgot
		group, name, _ := HolderOf(key)
		err := f.store.Change(ctx, key, func(_ Moment, old []byte) ([]byte, error) {
			state, err := stateOf(old)
			if err != nil {
				return nil, err
			}
			one = forget(state, gateway, func(scope string) money.Micros { return booked(group, name, scope) }, byBooks)
			return json.Marshal(state)
		})
		if err != nil {
			return total, fmt.Errorf("fleet: what is set aside for the gateway under %s: %w", key, err)
		}
		total.Budgets, total.Counted, total.Freed = total.Budgets+one.Budgets, total.Counted+one.Counted, total.Freed+one.Freed
	}
	f.log.Warn("fleet.gateway.forgotten", zap.String("gateway", gateway), zap.Bool("by_books", byBooks),
		zap.Int64("counted_micros", int64(total.Counted)), zap.Int64("freed_micros", int64(total.Freed)))
	return total, nil
}

// forgetBeat fences whoever speaks for the gateway from now on.
func (f *Fleet) forgetBeat(ctx context.Context, gateway string) error {
	err := f.store.Change(ctx, GatewayKey(gateway), func(at Moment, old []byte) ([]byte, error) {
		if old == nil {
			return nil, fmt.Errorf("fleet: no gateway %s is known", gateway)
		}
		var b Beat
		if err := json.Unmarshal(old, &b); err != nil {
			return nil, err
		}
		ahead := b.Seen.After(at.Now.Add(silentFor)) // the store's clock was put back since
		switch {
		case b.gone() || b.Left:
		case !b.Silent(at.Now) && !ahead:
			return nil, fmt.Errorf("fleet: gateway %s has spoken %s ago: stop it, and ask again %s later", gateway,
				max(0, at.Now.Sub(b.Seen)).Round(time.Second), silentFor)
		case f.health.muted():
			return nil, fmt.Errorf("fleet: the store was away until a moment ago, so gateway %s may have had no way to speak: ask again %s later", gateway, silentFor)
		case !f.quiet(GatewayKey(gateway), b): // that clock alone may have jumped
			return nil, fmt.Errorf("fleet: gateway %s has not been seen to say nothing for long enough, as it has just spoken, or this gateway has just started: "+
				"ask again %s later", gateway, silentFor)
		}
		b.Epoch, b.Left = forgotten, true
		return json.Marshal(b)
	})
	if err != nil {
		return fmt.Errorf("fleet: the gateway is not forgotten: %w", err)
	}
	return nil
}

// forget has a state forget the gateway.
func forget(s *state, gateway string, booked func(scope string) money.Micros, byBooks bool) (f Forgot) {
	var spent map[string]money.Micros
	if byBooks {
		spent = map[string]money.Micros{}
	}
	var unreported money.Micros
	for name, sc := range s.Scopes {
		p := sc.Parts[gateway]
		if p == nil || p.Done {
			continue
		}
		f.Budgets++
		unreported += p.out() - p.Spent
		if byBooks {
			spent[name] = booked(name)
		}
	}
	f.Freed, _ = s.forget(gateway, spent)
	f.Counted = unreported - f.Freed
	return f
}

// forget ends a gateway's part for good, by an operator's word: what was set aside for it counts as spent, or, where spent is not nil,
// what its books are known to say, by scope. It is told what that gives back. A ghost of it is fenced for ever.
func (s *state) forget(gateway string, spent map[string]money.Micros) (back money.Micros, there bool) {
	me := s.Speakers[gateway]
	if me == nil {
		return 0, false
	}
	me.Epoch, me.Last = forgotten, Answer{}
	for name, sc := range s.Scopes {
		p := sc.Parts[gateway]
		if p == nil || p.Done {
			continue
		}
		there = true
		was, told := p.out(), p.Spent
		p.Spent = was
		if spent != nil {
			p.Spent = max(told, spent[name])
		}
		p.Granted, p.Held, p.Wanted, p.Done = p.Spent, 0, 0, true
		back += was - p.Spent
	}
	return back, there
}
