package ledger

import (
	"context"
	"crypto/sha256"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// Tried is what a seller has settled of a client's request on a token that gateways of a fleet share: one gateway's try of it may be cut, and
// another's settled.
type Tried struct {
	Key          [16]byte     // a hash of what all tries of the request on the token have in common, at whichever gateway
	BilledMicros money.Micros // 0: it has settled two tries, each by itself, and what was told before is so no more
	Until        time.Time    // it is told no longer
}

// triedNews is one that waits to be asked for.
type triedNews struct {
	Tried
	token  string
	shared bool // when it was settled; the token may have come to its end since
	at     time.Time
}

const (
	// maxNews is how many wait, the newest, and newsLife how long one does whose token is not shared: it may have been bought for that very request, and be
	// shared a moment later.
	maxNews  = 1024
	newsLife = time.Minute
	// askedFor is how long after it was booked it is asked for a try whether another gateway has had another.
	askedFor = time.Hour

	elsewhereNote = "the seller has settled another try of the request at another gateway"
)

func sharedTry(token, idempotencyKey, path, promptHash string) (key [16]byte) {
	sum := sha256.Sum256([]byte(names("shared:", token, idempotencyKey, path, promptHash)))
	copy(key[:], sum[:])
	return key
}

// try is what the estimate of a try on a shared token is asked for under, and whether it is.
func (t *token) try(e *estimate, now time.Time) (key [16]byte, asked bool) {
	if !t.Shared || !e.Named || e.Beside || e.Booked <= 0 || e.IdempotencyKey == "" || now.Sub(e.At) >= askedFor {
		return key, false
	}
	return sharedTry(t.ID, e.IdempotencyKey, e.Path, e.PromptHash), true
}

// tell gives the news of tokens that are shared, and which others wait on.
func (s *state) tell(now time.Time) (told []Tried, wait []triedNews) {
	for _, n := range s.news {
		switch t := s.tokens[n.token]; {
		case n.shared, t != nil && t.Shared:
			told = append(told, n.Tried)
		case t != nil && now.Sub(n.at) < newsLife:
			wait = append(wait, n)
		}
	}
	return told, wait
}

// SharedTries gives what sellers have settled of tries on shared tokens since it was called last, and the keys of those tries that were booked without
// the seller's word in the last hour: other gateways may know better.
func (l *Ledger) SharedTries(ctx context.Context) (settled []Tried, open [][16]byte, err error) {
	err = l.look(ctx, func(s *state) {
		settled, s.news = s.tell(l.now())
		ask := func(t *token) {
			for i := range t.estimates {
				if key, asked := t.try(&t.estimates[i], l.now()); asked {
					open = append(open, key)
				}
			}
		}
		for _, t := range s.tokens {
			ask(t)
		}
		for _, e := range s.ended {
			ask(e.gone())
		}
	})
	return settled, open, err
}

// TakeOff takes off the tries under that key what another gateway's try was settled at: all of them are one charge. It is durable when it returns, and does
// so once for each try, however often it is called. told hears of each once that is durable, where it is not nil; also where ctx has ended before.
func (l *Ledger) TakeOff(ctx context.Context, key [16]byte, billed money.Micros, told func(Retraction)) error {
	var done []Retraction
	return l.submit(correctionWeight, func(b *batch) error {
		done = nil
		for _, t := range b.tokens {
			if taken := b.takeOff(t, key, billed, false); len(taken) > 0 {
				b.putBalance(t)
				done = append(done, taken...)
			}
		}
		for _, e := range b.ended {
			if taken := b.takeOff(e.gone(), key, billed, true); len(taken) > 0 {
				b.putEnded(e)
				done = append(done, taken...)
			}
		}
		return b.err
	}, func(err error) {
		for i := range done {
			if err == nil && told != nil {
				told(done[i])
			}
		}
	}).Wait(ctx)
}

// takeOff does so with those of one token. Where that has ended, or a balance that the seller has told since had the cost on it, the credit stays gone.
func (b *batch) takeOff(t *token, key [16]byte, billed money.Micros, ended bool) (taken []Retraction) {
	for i := range t.estimates {
		e := &t.estimates[i]
		if of, asked := t.try(e, b.now); !asked || of != key || billed <= 0 {
			continue
		}
		back := min(e.Booked, billed)
		e.Beside = true
		e.doubts.end()
		b.corrected = nil
		r := Retraction{Seller: t.Seller}
		if ended || creditWasTold(e) {
			b.correctFrom(adjustmentOf(t.Seller), t, e, -back, elsewhereNote)
			back = 0
		} else {
			b.correct(t, e, -back, elsewhereNote)
		}
		if !ended {
			r.Given = &GivenBack{t.told(), back, b.head.Sequence}
		}
		if r.Ours = len(b.corrected) > 0; r.Ours {
			r.Corrected = b.corrected[0]
		}
		taken = append(taken, r)
	}
	return taken
}
