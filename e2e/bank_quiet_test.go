package e2e

import (
	"fmt"
	"net/http"
	"time"
)

// finish lets nothing go wrong any more, has each token pay for one request alone, and wants its balance to be the seller's.
// After a clean stop nothing is left to be put in order.
func (b *bank) finish() {
	b.t.Helper()
	b.start(b.last, b.random("finish"))
	for _, s := range b.sellers {
		s.mu.Lock()
		s.quiet, s.dry = true, 0
		s.mu.Unlock()
	}
	for _, s := range b.sellers {
		b.settleTokens(s)
	}
	b.caddy.verify()
	b.books.check(quietRound)
	for _, s := range b.sellers {
		b.compareTokens(s)
	}
	for range 2 {
		b.caddy.stop()
		b.caddy.log = new(output)
		b.caddy.start()
		b.caddy.verify()
		b.books.check(quietRound)
		if b.caddy.log.has("ledger.holds.recovered") {
			b.wrong(violation, "a clean stop has left holds behind")
		}
	}
}

// quietRound is the number of the round in which nothing goes wrong.
const quietRound = -2

// settleTokens has each token of a seller that can pay for a request pay for one, alone. A request goes to the smallest token
// that covers it, so it has only to look as dear as that token can pay.
func (b *bank) settleTokens(s *bankSeller) {
	b.t.Helper()
	for pass := range 3 {
		for key, ours := range b.books.purchases {
			if ours.seller != s.id || !b.payable(s, key, ours) {
				continue
			}
			id := fmt.Sprintf("quiet-%s-%d-%s", s.id, pass, key)
			b.clients.sent[id] = &sentRequest{id: id, round: quietRound, whole: true, status: http.StatusOK, bytes: 1}
			body := chatOf("only-"+s.id, `"max_tokens":1000000,`)
			dear := (ours.credit - int64(len(body))/3 - 4) / 2
			res, answer := b.caddy.post("/v1/chat/completions", chatOf("only-"+s.id, fmt.Sprintf(`"max_tokens":%d,`, dear)), "X-Request-Id", id)
			if res.StatusCode != http.StatusOK {
				b.wrong(violation, "in the quiet a request got status %d: %s", res.StatusCode, answer)
			}
			eventually(b.t, "the entry of "+id, func() bool {
				b.books.read()
				return b.books.requests[id] != nil
			})
		}
	}
}

// payable tells whether the token of a purchase can pay for a request, by its seller's books and by ours, and has not yet.
func (b *bank) payable(s *bankSeller, key string, ours *purchaseBooks) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	sold := s.accounts[key]
	return len(sold) == 1 && sold[0].quiet == 0 && !sold[0].unknown && time.Now().Before(sold[0].expires) &&
		!ours.dropped && min(ours.credit, sold[0].balance) > 200
}

// compareTokens wants our balance of each token that has paid in the quiet to be its seller's. Only what a seller has given
// beyond what was paid for a token is not followed.
func (b *bank) compareTokens(s *bankSeller) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key, sold := range s.accounts {
		ours := b.books.purchases[key]
		switch {
		case ours == nil: // was found to be lost
		case sold[0].quiet == 0:
			b.quiet.untouched++
			b.quiet.lost += sold[0].balance
		case ours.credit == sold[0].balance:
			b.quiet.alike++
		case sold[0].balance > ours.credit && ours.credit >= sold[0].paid:
			b.quiet.above++
		default:
			b.wrong(violation, "after a quiet request the token of purchase %s at %s has %d, and its seller says %+v", key, s.id, ours.credit, sold[0])
		}
	}
}

// quietBooks is what the comparison of tokens has found.
type quietBooks struct {
	alike     int
	above     int   // tokens on which the seller says there is more, and more than was paid for them: that is not followed
	untouched int   // tokens that could not pay any more: spent, dropped, expired, forgotten by the seller
	lost      int64 // what the sellers still have on these
}
