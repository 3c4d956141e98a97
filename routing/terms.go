package routing

import (
	"regexp"
	"slices"
	"strings"

	"github.com/tokenbuddy/caddy-tokenbuddy/dialect"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// OnTerms is what a seller asks for a model on other terms than the usual ones.
type OnTerms struct {
	Term  dialect.Term
	Price *money.Price // never nil; shared, not to be changed
}

// PriceOn is what a candidate costs on the terms that a request asks for. Where its seller has not named the price of one of them, or only
// those of two by themselves, unpriced is the member that asks for it, and the price is that without it. What costs no more than the usual
// terms wherever it is known costs as they do.
func (c *Candidate) PriceOn(asked []dialect.Term) (price *money.Price, unpriced string) {
	price = c.Price
	for _, term := range asked {
		switch on := c.on(term); {
		case on != nil && price == c.Price:
			price = on
		case on != nil:
			return price, term.Member
		case term.Value == "", term.Member == "provider", term.NoDearer():
		default:
			return price, term.Member
		}
	}
	return price, ""
}

// PriceServed is what a candidate costs on the terms on which an answer says that it was served, and as far as it says nothing, or what
// has no price, on those that were asked for.
func (c *Candidate) PriceServed(asked []dialect.Term, served dialect.Served) *money.Price {
	var terms []dialect.Term
	for i, member := range dialect.TermMembers {
		term := dialect.Term{Member: member, Value: served.Terms[i]}
		switch {
		case c.on(term) != nil:
			terms = append(terms, term)
		case !term.NoDearer():
			for _, t := range asked {
				if t.Member == member {
					terms = append(terms, t)
				}
			}
		}
	}
	price, unpriced := c.PriceOn(terms)
	if unpriced != "" {
		price, _ = c.PriceOn(asked)
	}
	return price
}

// Other is another model of the candidate's seller, by the id that it has there or here. One that the seller is not known to have has no
// known price.
func (c *Candidate) Other(name string) *Candidate {
	other := &Candidate{Seller: c.Seller, Model: name, Price: &money.NoPrice, Methods: c.Methods, rank: c.rank}
	named := false // only of few it has another name than here
	for _, theirs := range c.Seller.Names {
		named = named || theirs == name
	}
	for i := range c.Seller.Models {
		if m := &c.Seller.Models[i]; m.ID == name || named && c.Seller.Theirs(m.ID) == name {
			other.Model, other.Price = m.ID, m.Price
			break
		}
	}
	return other
}

// Is tells whether what an answer calls its model is this one: as it is called there or here, perhaps with the day of its release.
func (c *Candidate) Is(said string) bool {
	for _, id := range [...]string{c.Seller.Theirs(c.Model), c.Model} {
		if rest, ok := strings.CutPrefix(said, id); ok && (rest == "" || release.MatchString(rest)) {
			return true
		}
	}
	return false
}

var release = regexp.MustCompile(`^-[0-9]{4}(-?[0-9]{2}-?[0-9]{2})?$`)

// on gives the price that the seller has named for a term; nil: there is none.
func (c *Candidate) on(term dialect.Term) *money.Price {
	prices := c.Seller.Terms[c.Model]
	i := slices.IndexFunc(prices, func(p OnTerms) bool { return p.Term == term })
	if i < 0 {
		return nil
	}
	return prices[i].Price
}
