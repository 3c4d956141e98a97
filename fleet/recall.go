package fleet

import (
	"context"
	"encoding/json"
	"maps"
	"time"
)

// A store that was restored from a dump, or has failed over, may have forgotten that a token has ended, or the token itself. A gateway that has seen it
// since puts that right: else what has ended is lent and wasted once more, and what was nobody's of what ends unseen is in no books.

// sight is how a shared token was in the store when this gateway has last seen it there, and when that was by the store's clock. It never changes.
type sight struct {
	*pool
	at time.Time
}

// beyond tells whether that was so after the store had it as in p, which is nil where it knows nothing of the token: as of one that was seen long ago,
// and may have been over for long since.
func (s sight) beyond(p *pool, now time.Time) bool {
	switch {
	case s.pool == nil:
		return false
	case p == nil:
		return s.Over == "" && now.Sub(s.at) < keepOver
	}
	return s.Over != "" && p.Over == ""
}

// joined is a token as it was seen, with the parts of gateways of which only p knows.
func (s sight) joined(p *pool) *pool {
	is := *s.pool
	is.Parts, is.Wants = make(map[string]*poolPart, len(s.Parts)), nil
	for _, from := range []*pool{p, s.pool} {
		if from != nil {
			for id, one := range from.Parts {
				is.Parts[id] = new(*one)
			}
		}
	}
	return &is
}

// recall has the store know again what this gateway has seen of shared tokens, and remembers how they are now.
func (t *Tokens) recall(ctx context.Context, all pools) {
	t.mu.Lock()
	seen := maps.Clone(t.seenAs)
	t.mu.Unlock()
	for id, was := range seen {
		now := t.now()
		switch {
		case all[id] == nil && (!was.kept(now.UnixNano()) || was.Over == "" && !was.beyond(nil, now)):
			t.mu.Lock()
			delete(t.seenAs, id)
			t.mu.Unlock()
			continue
		case !was.beyond(all[id], now):
			continue
		}
		var is *pool
		err := t.change(ctx, PoolKey(id), func(at Moment, old []byte) (next []byte, err error) {
			if is = nil; old != nil {
				is, err = readPool(old)
			}
			if err != nil || !was.beyond(is, at.Now) {
				return old, err
			}
			is = was.joined(is)
			return json.Marshal(is)
		})
		if err == nil && is != nil {
			all[id] = is
		} else {
			delete(all, id) // it is looked at the next time
		}
	}
	for id, p := range all {
		t.learn(id, p)
	}
}

// learn remembers a token as it is in the store.
func (t *Tokens) learn(id string, p *pool) {
	now := t.now()
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.seenAs[id].beyond(p, now) {
		t.seenAs[id] = sight{p, now}
	}
}

// known is what the store has of a token, nil: nothing, or what this gateway has seen of it since.
func (t *Tokens) known(id string, p *pool, now time.Time) *pool {
	t.mu.Lock()
	was := t.seenAs[id]
	t.mu.Unlock()
	if was.beyond(p, now) {
		return was.joined(p)
	}
	return p
}
