package books

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/tokenbuddy/caddy-tokenbuddy/fleet"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// tokenSums are what entries say of shared tokens, to be held against what the store has of them. While requests run the two never agree as a whole:
// parts are on their way, and entries are shipped later. So each part is held against its gateway's books as they were when the gateway last
// spoke of it: the store says by which entry that was. What the gateway has not shipped up to there is not judged.
type tokenSums struct {
	gateways []fleet.Shipped
	store    []fleet.SharedToken
	unread   []string
	asked    map[spokenAt][]string // tokens of which a gateway has last spoken at an entry
	books    map[string]*tokenBooks
}

// spokenAt is a gateway's newest entry when it spoke, as its hash.
type spokenAt struct{ gateway, hash string }

// tokenBooks is what all books say of a token.
type tokenBooks struct {
	seller string
	credit money.Micros // as it was bought; 0: no books have that
	shared bool
	parts  map[int]*partBooks // by gateway
}

// partBooks is what one gateway's books say of it.
type partBooks struct {
	granted, left, spent money.Micros
	beyond               money.Micros // of granted: cost that nobody could expect
	ended                bool
	unknown              bool          // it began anew with it: the sums are not the part's
	then                 *money.Micros // what was spent when the gateway last spoke of it; nil: not shipped up to there
}

// loadTokens reads what the store has of shared tokens, and after that how far entries are now.
func (c *checker) loadTokens(ctx context.Context) (err error) {
	s := &c.tokens
	s.asked, s.books = map[spokenAt][]string{}, map[string]*tokenBooks{}
	if s.store, s.unread, err = fleet.SharedTokens(ctx, c.store); err != nil {
		return err
	}
	for _, t := range s.store {
		for gateway, p := range t.Parts {
			if p.Head != "" {
				at := spokenAt{gateway, p.Head}
				s.asked[at] = append(s.asked[at], t.Token)
			}
		}
	}
	c.Journals, err = fleet.ReadJournals(ctx, c.store, c.ledger.Identity())
	s.gateways = c.Gateways
	return err
}

// of gives what a gateway's books say of a token.
func (s *tokenSums) of(token string, gateway int) (*tokenBooks, *partBooks) {
	b := s.books[token]
	if b == nil {
		b = &tokenBooks{parts: map[int]*partBooks{}}
		s.books[token] = b
	}
	p := b.parts[gateway]
	if p == nil {
		p = new(partBooks)
		b.parts[gateway] = p
	}
	return b, p
}

// see takes an entry of a gateway.
func (s *tokenSums) see(cost *ledger.Cost, hash string, gateway int) {
	m := &cost.Credit
	switch {
	case m.Restored:
		for _, b := range s.books {
			if p := b.parts[gateway]; p != nil {
				p.unknown = true
			}
		}
	case m.Purchase != "": // a token has the id of its purchase
		b, p := s.of(m.Purchase, gateway)
		b.seller, b.credit, b.shared = cost.Seller, max(b.credit, m.Bought), b.shared || m.Shared != 0
		p.granted += m.Bought + m.Shared
		p.left += m.Bought + m.Shared - m.Lost - m.Spent
		p.spent += m.Spent
		if m.Beyond {
			p.beyond += m.Shared
		}
		p.unknown = p.unknown || p.ended && m.Shared > 0 || p.left > p.granted
		p.ended = p.ended || m.Lost > 0
	}
	for _, token := range s.asked[spokenAt{s.gateways[gateway].Gateway, hash}] {
		_, p := s.of(token, gateway)
		p.then = new(p.spent)
	}
}

// sharedTokens holds what the store has of shared tokens against the books.
func (c *checker) sharedTokens() {
	s := &c.tokens
	there := make(map[string]bool, len(s.store))
	for i := range s.store {
		t := &s.store[i]
		there[t.Token] = true
		b := s.books[t.Token]
		if b == nil {
			b = new(tokenBooks)
		}
		c.boughtToken(t, b)
		for gateway, p := range t.Parts {
			c.sharedPart(t, b, gateway, p)
		}
		if t.Free < 0 && !t.Over {
			c.note("%s: $%s more were spent, or are set aside, than there are: by requests that have cost more than they could be expected to, or while a gateway was silent that had a part of it",
				tokenText(t.Token, t.Seller), -t.Free)
		}
	}
	for _, id := range s.unread {
		there[id] = true
		c.note("shared token %s is not checked: it may be of a newer release", id)
	}
	c.tokensOfBooks(there)
}

func tokenText(id, seller string) string {
	return fmt.Sprintf("shared token %s at seller %s", id, seller)
}

// boughtToken holds a token of the store against its purchase.
func (c *checker) boughtToken(t *fleet.SharedToken, b *tokenBooks) {
	text := tokenText(t.Token, t.Seller)
	var beyond money.Micros
	for _, p := range b.parts {
		beyond += p.beyond
	}
	switch {
	case b.credit == 0 && c.whole(t, b):
		c.problem("%s: the store has a credit of $%s, and no gateway has bought it", text, t.Credit)
	case b.credit == 0:
		c.note("%s: the gateway that has bought it has not shipped that", text)
	case b.seller != t.Seller:
		c.problem("%s: by the books it is one of seller %s", text, b.seller)
	case t.Credit < b.credit || t.Credit > b.credit+beyond: // the store may have got it anew from who has spent more
		c.problem("%s: the store has a credit of $%s, and $%s were bought", text, t.Credit, b.credit)
	}
}

// whole tells whether all entries that there can be about a token are known up to when its gateways last spoke of it: no gateway is silent, and none has
// to ship up to there.
func (c *checker) whole(t *fleet.SharedToken, b *tokenBooks) bool {
	for i := range c.Gateways {
		g := &c.Gateways[i]
		if c.silent(g) || g.Forgotten || g.Entries < g.Said {
			return false
		}
		if p, has := t.Parts[g.Gateway]; has && p.Head != "" && (b.parts[i] == nil || b.parts[i].then == nil) {
			return false
		}
	}
	for gateway, p := range t.Parts {
		if c.indexOf(gateway) < 0 || p.Head == "" {
			return false
		}
	}
	return len(t.Parts) > 0
}

// sharedPart holds a gateway's part of a token against its books.
func (c *checker) sharedPart(t *fleet.SharedToken, b *tokenBooks, gateway string, p fleet.SharedPart) {
	text := tokenText(t.Token, t.Seller)
	i := c.indexOf(gateway)
	if i < 0 {
		c.note("%s: $%s are set aside for gateway %s, which has said nothing else yet", text, p.Granted, gateway)
		return
	}
	g := &c.Gateways[i]
	own, name := b.parts[i], cmp.Or(g.Name, g.Gateway)
	switch {
	case p.Head == "": // it was an older release that spoke
	case own == nil || own.then == nil:
		if c.silent(g) || g.Left {
			c.note("%s: the part of gateway %s is not checked: it has not shipped the entries by which it last spoke of it, or has lost them", text, name)
		}
	case own.unknown:
	case p.Ended && *own.then > p.Spent, !p.Ended && *own.then != p.Spent:
		c.problem("%s: gateway %s had spent $%s when it last spoke of it, and the store has $%s", text, name, *own.then, p.Spent)
	case !p.Ended && c.silent(g) && own.left > p.Granted-p.Spent:
		c.note("%s: gateway %s is silent, and has $%s of it by its books: $%s of them are the others' meanwhile", text, name, own.left, own.left-(p.Granted-p.Spent))
	}
}

// tokensOfBooks holds what the books of all gateways say of a token against each other; there are those that the store has.
func (c *checker) tokensOfBooks(there map[string]bool) {
	nobodys := map[string]money.Micros{}
	for id, b := range c.tokens.books {
		if !b.shared || b.credit == 0 {
			continue
		}
		var granted, spent money.Micros
		unknown := false
		for i, p := range b.parts {
			granted += p.granted
			spent += p.spent
			if unknown = unknown || p.unknown; !p.unknown && p.granted-p.beyond > b.credit {
				c.problem("%s: gateway %s has had $%s of it set aside, and $%s were bought", tokenText(id, b.seller), cmp.Or(c.Gateways[i].Name, c.Gateways[i].Gateway), p.granted-p.beyond, b.credit)
			}
		}
		switch {
		case unknown:
		case spent > b.credit:
			c.note("%s: $%s were spent of $%s: by estimates, by requests that have cost more than they could be expected to, or while a gateway was silent that had a part of it",
				tokenText(id, b.seller), spent, b.credit)
		case !there[id] && granted < b.credit:
			nobodys[b.seller] += b.credit - granted
		}
	}
	for seller, sum := range nobodys {
		c.note("shared tokens at seller %s that the store has no more: $%s of them were set aside for nobody, and no books say that they are lost", seller, sum)
	}
}

func (c *checker) indexOf(gateway string) int {
	return slices.IndexFunc(c.Gateways, func(g fleet.Shipped) bool { return g.Gateway == gateway })
}

// silent tells whether a gateway has said nothing for a while, and no goodbye.
func (c *checker) silent(g *fleet.Shipped) bool {
	newest := g.Seen
	for i := range c.Gateways {
		if c.Gateways[i].Seen.After(newest) {
			newest = c.Gateways[i].Seen // near the store's own time
		}
	}
	return fleet.Beat{Seen: g.Seen, Left: g.Left}.Silent(newest)
}
