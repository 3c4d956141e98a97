package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"time"

	"go.uber.org/zap"
)

const (
	seenEvery  = 10 * time.Second
	probeEvery = 500 * time.Millisecond // while the store is away
	silentFor  = 30 * time.Second
)

// Beat is what a gateway says of itself now and then, under GatewayKey.
type Beat struct {
	Name    string    `json:"name,omitempty"`
	Version string    `json:"version,omitempty"` // of the program, as it was built; empty: it was built without
	Epoch   uint64    `json:"epoch"`
	Boot    string    `json:"boot"`
	Seen    time.Time `json:"seen"`           // by the store's clock
	Left    bool      `json:"left,omitempty"` // it has said goodbye
	Head    uint64    `json:"head,omitempty"` // the last of its entries that were shipped
	Hash    string    `json:"hash,omitempty"` // of that entry
	// Due is the first of its entries that was shipped, and whose cost it takes back by one that was not; 0: there is none.
	Due uint64 `json:"due,omitempty"`
	// Own is the newest of its entries, and OwnHash its hash, of one that ships none.
	Own     uint64 `json:"own,omitempty"`
	OwnHash string `json:"ownHash,omitempty"`
	Digest  string `json:"digest,omitempty"` // of the limits in its config
}

// Silent tells whether the gateway has said nothing for a while, and no goodbye.
func (b Beat) Silent(now time.Time) bool { return !b.Left && now.Sub(b.Seen) > silentFor }

// Forgotten tells whether an operator has said that the gateway will not come back.
func (b Beat) Forgotten() bool { return b.Epoch == forgotten }

// gone tells whether nothing is to be heard of the gateway any more: it was forgotten, or the store does not know of it.
func (b Beat) gone() bool { return b.Seen.IsZero() || b.Forgotten() }

// GatewayKey is where a gateway says that it is there.
func GatewayKey(gateway string) string { return gatewayKeys + escape(gateway) }

const gatewayKeys = "g/"

// beatOn says now and then that the gateway is there. While the store is away it is the one that asks whether it is back.
func (f *Fleet) beatOn() {
	reclaimed := false
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-f.ctx.Done():
			return
		case <-timer.C:
		case <-f.health.probe:
			if !pause(f.ctx, 20*time.Millisecond) {
				return
			}
		}
		if f.fenced.Load() {
			return
		}
		next := seenEvery
		switch err := f.beat(f.ctx, false); {
		case err != nil:
			next = probeEvery
			drain(f.health.probe)
		case !f.closing.Load(): // else it is for those that still give back what they have
			f.listen()
			reclaimed = reclaimed || f.reclaim()
		}
		timer.Reset(next)
	}
}

func drain(c <-chan struct{}) {
	select {
	case <-c:
	default:
	}
}

// pause waits so long, and tells whether ctx has not ended.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// beat says that the gateway is there, or that it has left.
func (f *Fleet) beat(ctx context.Context, left bool) error {
	select {
	case f.beating <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	defer func() { <-f.beating }()
	if f.bye && !left {
		return nil // goodbye is the last word
	}
	f.bye = left
	b := Beat{Name: f.o.Name, Version: f.o.Version, Epoch: f.o.Epoch, Boot: f.o.Boot, Left: left}
	if f.o.Head != nil {
		b.Head, b.Hash = f.o.Head()
	}
	if f.o.Due != nil {
		b.Due = f.o.Due()
	}
	if f.o.Digest != nil {
		b.Digest = f.o.Digest()
	}
	ctx, cancel := context.WithTimeout(ctx, attemptTime)
	defer cancel()
	if f.o.Own != nil {
		var err error
		if b.Own, b.OwnHash, err = f.o.Own(ctx); err != nil {
			return err
		}
	}
	key := GatewayKey(f.o.Gateway)
	err := f.store.Change(ctx, key, func(at Moment, old []byte) ([]byte, error) {
		var before Beat
		if old != nil && json.Unmarshal(old, &before) == nil &&
			(before.Epoch > b.Epoch || before.Epoch == b.Epoch && before.Boot != b.Boot) {
			if before.Forgotten() {
				return nil, fmt.Errorf("%w: it was forgotten: to come back it begins with an empty ledger", ErrFenced)
			}
			return nil, fmt.Errorf("%w: it has started %d times here, and %d by the fleet", ErrFenced, b.Epoch, before.Epoch)
		}
		if f.o.Own != nil {
			if err := before.precedes(b.Own, b.OwnHash); err != nil {
				return nil, err
			}
		}
		b.Seen = at.Now
		return json.Marshal(b)
	})
	if errors.Is(err, ErrFenced) {
		f.fence(key, err)
	}
	return err
}

// goodbye says that the gateway has left, until it is heard or ctx ends: without it others would take it for silent.
func (f *Fleet) goodbye(ctx context.Context) (err error) {
	for !f.fenced.Load() {
		if err = f.beat(ctx, true); err == nil || errors.Is(err, ErrFenced) || !pause(ctx, probeEvery) {
			return err
		}
	}
	return err
}

// known is the newest of its entries that a gateway has said to have.
func (b Beat) known() (seq uint64, hash string) {
	if b.Own > b.Head {
		return b.Own, b.OwnHash
	}
	return b.Head, b.Hash
}

// precedes tells whether books with this head can be those of which the gateway has spoken before.
func (b Beat) precedes(head uint64, hash string) error {
	switch seq, had := b.known(); {
	case head < seq:
		return behind(seq, head, "--new-identity") // nothing was shipped of which the rest could come
	case head == seq && hash != had:
		return fmt.Errorf("%w: %w: entry %d is another one than it has spoken of", ErrFenced, ErrFork, seq)
	}
	return nil
}

// Precedes tells whether the gateway has spoken of no entry that its books do not have, of one that ships none. hashOf gives the hash of an
// entry of them. ErrBehind and ErrFork, with ErrFenced, say that it has; any other error that it could not be found out.
func (f *Fleet) Precedes(ctx context.Context, hashOf func(ctx context.Context, seq uint64) (string, error)) error {
	var before Beat
	err := f.store.Load(ctx, func(_ string, value []byte) error { return json.Unmarshal(value, &before) }, GatewayKey(f.o.Gateway))
	if err != nil {
		return err
	}
	head, hash, err := f.o.Own(ctx)
	if err != nil {
		return err
	}
	if seq, _ := before.known(); 0 < seq && seq < head {
		if hash, err = hashOf(ctx, seq); err != nil {
			return err
		}
		head = seq
	}
	return before.precedes(head, hash)
}

// Speaks asks the store whether this process is the one that speaks for its gateway, and has it so where it has not spoken yet. ErrFenced:
// another one is.
func (f *Fleet) Speaks(ctx context.Context) error {
	var now Beat
	err := f.store.Load(ctx, func(_ string, value []byte) error { return json.Unmarshal(value, &now) }, GatewayKey(f.o.Gateway))
	if err != nil || now.Epoch == f.o.Epoch && now.Boot == f.o.Boot {
		return err
	}
	return f.beat(ctx, false)
}

// lastWord is the last word of a gateway, and since when this one has known of it.
type lastWord struct {
	seen, since time.Time
}

// quiet tells whether the store has had the same last word of a gateway for as long as one may say nothing. Another one, older too, as of a store that was
// restored from a dump, gives the gateway the time to speak, and so does one that nobody has looked for yet. It goes by this gateway's clock: the store's may
// have jumped.
func (f *Fleet) quiet(key string, b Beat) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	last, known := f.lasts[key]
	return known && last.seen.Equal(b.Seen) && time.Since(last.since) >= silentFor-seenEvery
}

// listen says which gateways have fallen silent, once for each: where the store was away they are given the time to speak.
func (f *Fleet) listen() {
	ctx, cancel := context.WithTimeout(f.ctx, attemptTime)
	defer cancel()
	beats := map[string]Beat{}
	var newest time.Time
	err := f.store.Load(ctx, func(key string, value []byte) error {
		var b Beat
		if json.Unmarshal(value, &b) == nil {
			beats[key] = b
			if b.Seen.After(newest) {
				newest = b.Seen // near the store's own time: this gateway has just spoken
			}
		}
		return nil
	}, gatewayKeys)
	if err != nil {
		return
	}
	f.mu.Lock()
	maps.DeleteFunc(f.lasts, func(key string, _ lastWord) bool { return beats[key].gone() })
	for key, b := range beats {
		if b.gone() {
			continue
		}
		if last, known := f.lasts[key]; !known || !last.seen.Equal(b.Seen) {
			f.lasts[key] = lastWord{b.Seen, time.Now()}
		}
	}
	f.mu.Unlock()
	if !f.health.judges() {
		return
	}
	maps.DeleteFunc(f.silent, func(key string, _ bool) bool { return beats[key].gone() })
	for key, b := range beats {
		if b.gone() {
			continue
		}
		silent := b.Silent(newest) && f.quiet(key, b)
		if silent && !f.silent[key] {
			f.log.Warn("fleet.silent", zap.String("gateway", unescape(key[len(gatewayKeys):])), zap.String("name", b.Name), zap.Time("seen", b.Seen), zap.String("hint",
				"what is set aside for it comes back when it starts again; where its disk is gone, at another gateway: caddy tokenbuddy fleet forget "+unescape(key[len(gatewayKeys):])))
		}
		f.silent[key] = silent
	}
}
