package payment

import (
	"context"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// Health is a Method that can say how it stands: what is left in its wallet, whether what it works with can be reached. It is asked
// when an operator looks, and for metrics, a few times a minute at most; it moves nothing, and is to return when ctx ends, which is
// after some seconds. One value for each network, account or whatever the method pays from.
//
// All of it is shown: no secret is in it, no URL that has a key in it, and nothing that a stranger has written.
type Health interface {
	Health(ctx context.Context) []Standing
}

// Standing is how one wallet of a method stands.
type Standing struct {
	Network string `json:"network,omitempty"` // as the method names it, such as eip155:8453
	Address string `json:"address,omitempty"` // where money is put into it
	// BalanceMicros is what is in it, in millionths of a US dollar; nil: it is not known.
	BalanceMicros *money.Micros `json:"balanceMicros,omitempty"`
	CheckedAt     time.Time     `json:"checkedAt"`
	// ChainBehindSeconds is our clock less the time of the newest block; negative: the chain is ahead. Nil: there is no chain, or it
	// is not known.
	ChainBehindSeconds *int64 `json:"chainBehindSeconds,omitempty"`
	// Error says in the method's own words why nothing is known; empty: all is well.
	Error string `json:"error,omitempty"`
	// Warnings say what the operator should see to, though payments go through.
	Warnings []string `json:"warnings,omitempty"`
}
