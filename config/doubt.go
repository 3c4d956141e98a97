package config

import (
	"fmt"
	"slices"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// Doubt is what in a configuration can be meant, but seldom is: nothing, or less than it seems, comes of it.
type Doubt struct {
	Word string // where it is, in the words of a Caddyfile: "purchase daily_limit"
	Hint string
}

// Doubts gives those of a configuration and what it has been resolved to. An operator may have reasons, such as to buy nothing more today, or to
// say while it runs which seller is to be kept to: so none is an error.
func (c *Config) Doubts(s *Settings) []Doubt {
	return slices.Concat(c.tightLimits(s), c.idleSelection(s), c.sharedWallet(), shortKeys(s), c.literals())
}

// tightLimits are limits that no purchase has room in. Zero says that nothing is to be bought.
func (c *Config) tightLimits(s *Settings) (all []Doubt) {
	if !c.buys() {
		return nil
	}
	for _, l := range []struct {
		word  string
		limit money.Micros
	}{{"daily_limit", s.Terms.DailyLimit}, {"session_limit", s.Terms.SessionLimit}, {"seller_limit", s.Terms.SellerLimit}} {
		if l.limit > 0 && l.limit < s.Terms.Amount {
			all = append(all, Doubt{"purchase " + l.word, fmt.Sprintf(
				"%s is less than the amount of one purchase, %s: nothing is bought; raise it, or lower amount; 0 says that nothing is to be bought", l.limit, s.Terms.Amount)})
		}
	}
	return all
}

// idleSelection is a selection that keeps to nobody who gets requests. Which default seller a registry names is not known here.
func (c *Config) idleSelection(s *Settings) []Doubt {
	if name, _ := selectionGuest.nameIn(c.SelectionRaw); name != "manual" {
		return nil
	}
	seller := c.manualSeller()
	switch {
	case s.Excluded[seller]:
		return []Doubt{{"selection manual", "the seller " + seller + " stands in exclude: every request is refused"}}
	case seller == "" && s.DefaultSeller == "" && c.Registry == nil:
		return []Doubt{{"selection manual", "it keeps to nobody: name the id of a seller after it, or a default_seller; every request is refused"}}
	}
	return nil
}

// sharedWallet is a payment method by the name under which the books have what accounts at providers cost.
func (c *Config) sharedWallet() (all []Doubt) {
	const account = "account"
	for _, raw := range c.PaymentsRaw {
		if module, err := paymentGuest.nameIn(raw); err == nil && paymentName(raw, module) == account {
			all = append(all, Doubt{"payment " + account, "what it pays is booked in wallet:account, where what your accounts at providers cost is as well: give it another name"})
		}
	}
	return all
}

// goodKey is how long a member's key should be, in bytes: a shorter one is soon guessed.
const goodKey = 8

func shortKeys(s *Settings) (all []Doubt) {
	for _, name := range s.Secrets().shortKeys {
		all = append(all, Doubt{"member " + name + " key", fmt.Sprintf(
			"it is shorter than %d characters, and soon guessed: take a long random one, such as openssl rand -hex 24 prints", goodKey)})
	}
	return all
}

// buys tells whether tokens are bought from anybody.
func (c *Config) buys() bool {
	return c.Registry != nil || slices.ContainsFunc(c.Sellers, func(s *SellerConfig) bool { return len(s.Payment) > 0 })
}
