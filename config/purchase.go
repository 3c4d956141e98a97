package config

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/purchase"
)

// PurchaseConfig says how much is bought, and when. Sites that share a ledger must agree on it.
type PurchaseConfig struct {
	// US dollars per purchase. Default: "5". What the request at hand is likely to cost is bought where that is more, and
	// after a seller has refused a token for want of credit the most that it can cost, but at most four times this.
	Amount string `json:"amount,omitempty"`

	// US dollars of balance under which a token serves a new request only where nothing can be bought. Of one that never had more,
	// half its credit counts. Default: "0.10".
	RebuyBelow string `json:"rebuy_below,omitempty"`

	// How long before its expiry a token stops serving new requests. Default: the environment variable
	// TB_PROXYD_TOKEN_EXPIRY_SAFETY_MARGIN_MS, in milliseconds, else 60s.
	ExpiryMargin *caddy.Duration `json:"expiry_margin,omitempty"`

	// US dollars that may be spent on purchases in one UTC day, over restarts. Default: "50".
	DailyLimit string `json:"daily_limit,omitempty"`

	// US dollars that may be spent on purchases since the process started, of a fleet since its session began. Default: no limit.
	SessionLimit string `json:"session_limit,omitempty"`

	// US dollars that may be spent on purchases at one seller in one UTC day, over restarts. Default: no limit.
	SellerLimit string `json:"seller_limit,omitempty"`

	// Which purchases wait for an operator's word before they are paid (caddy tokenbuddy purchases approve). Default: none.
	Approve *ApproveConfig `json:"approve,omitempty"`
}

// ApproveConfig says which purchases wait for an operator's word. Requests do not wait for one. At least one of its fields is set.
type ApproveConfig struct {
	// Those of more than so many US dollars; "0": all.
	Above string `json:"above,omitempty"`

	// Those at a seller, by id and address, that has never granted a token.
	First bool `json:"first,omitempty"`
}

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

func (p *PurchaseConfig) check() error {
	if p == nil {
		return nil
	}
	return cmp.Or(
		at("expiry_margin", checkOptionalDuration(p.ExpiryMargin)),
		at("amount", checkAmount(p.Amount)),
		at("rebuy_below", checkMoney(p.RebuyBelow)),
		at("daily_limit", checkMoney(p.DailyLimit)),
		at("session_limit", checkMoney(p.SessionLimit)),
		at("seller_limit", checkMoney(p.SellerLimit)),
		at("approve", p.Approve.check()),
	)
}

func (a *ApproveConfig) check() error {
	switch {
	case a == nil:
		return nil
	case a.Above == "" && !a.First:
		return errors.New("expected above and an amount in US dollars, or first")
	}
	return checkMoney(a.Above)
}

// What holds where a purchase block does not say it.
const (
	defaultAmount       = 5 * money.USD
	defaultRebuyBelow   = money.USD / 10
	defaultDailyLimit   = 50 * money.USD
	defaultExpiryMargin = 60 * time.Second
	noLimit             = money.Micros(-1)
)

// envExpiryMargin stands in for an expiry_margin that is not there, in milliseconds.
const envExpiryMargin = "TB_PROXYD_TOKEN_EXPIRY_SAFETY_MARGIN_MS"

func (p *PurchaseConfig) terms() (purchase.Terms, error) {
	if p == nil {
		p = new(PurchaseConfig)
	}
	t := purchase.Terms{
		Amount: defaultAmount, RebuyBelow: defaultRebuyBelow, DailyLimit: defaultDailyLimit, SessionLimit: noLimit,
		SellerLimit: noLimit, ExpiryMargin: defaultExpiryMargin,
	}
	for _, usd := range []struct {
		word, said string
		to         *money.Micros
	}{
		{"amount", p.Amount, &t.Amount},
		{"rebuy_below", p.RebuyBelow, &t.RebuyBelow},
		{"daily_limit", p.DailyLimit, &t.DailyLimit},
		{"session_limit", p.SessionLimit, &t.SessionLimit},
		{"seller_limit", p.SellerLimit, &t.SellerLimit},
	} {
		if usd.said == "" {
			continue
		}
		amount, err := money.Parse(usd.said)
		if err != nil {
			return t, at(usd.word, err)
		}
		*usd.to = amount
	}
	if a := p.Approve; a != nil {
		if a.Above != "" {
			above, err := money.Parse(a.Above)
			if err != nil {
				return t, at("approve", err)
			}
			t.ApproveFrom = above + 1
		}
		t.ApproveFirst = a.First
	}
	if p.ExpiryMargin != nil {
		t.ExpiryMargin = time.Duration(*p.ExpiryMargin)
		return t, nil
	}
	margin, said, err := envMilliseconds(envExpiryMargin, 0)
	if said {
		t.ExpiryMargin = margin
	}
	return t, at("expiry_margin", err)
}
