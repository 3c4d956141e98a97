package config

import (
	"fmt"
	"strings"
)

func (c *Config) purchaseWord() word {
	return word{name: "purchase", block: func() []word {
		p := new(PurchaseConfig)
		c.Purchase = p
		return []word{
			{name: "amount", usage: "<usd>", set: text(&p.Amount)},
			{name: "rebuy_below", usage: "<usd>", set: text(&p.RebuyBelow)},
			{name: "expiry_margin", usage: "<duration>", set: optionalDuration(&p.ExpiryMargin)},
			{name: "daily_limit", usage: "<usd>", set: text(&p.DailyLimit)},
			{name: "session_limit", usage: "<usd>", set: text(&p.SessionLimit)},
			{name: "seller_limit", usage: "<usd>", set: text(&p.SellerLimit)},
			{name: "approve", usage: "above|first [<usd>]", set: p.setApprove},
		}
	}}
}

func (p *PurchaseConfig) setApprove(args []string) error {
	p.Approve = new(ApproveConfig)
	switch {
	case args[0] == "first" && len(args) == 1:
		p.Approve.First = true
	case args[0] == "above" && len(args) == 2:
		p.Approve.Above = args[1]
	default:
		return fmt.Errorf(`%q: expected above and an amount in US dollars, or first alone`, strings.Join(args, " "))
	}
	return nil
}
