package purchase

import (
	"time"

	"go.uber.org/zap"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// miss says in the log why none of the seller's tokens serves a request: of the one with the most left on it, what is against it.
func (s *shelf) miss(c cost, deadline time.Time, floor money.Micros) []zap.Field {
	why, left := "none", int64(0)
	for _, t := range *s.tokens.Load() {
		if usable := t.usable(); why == "none" || usable > left {
			why, left = t.against(c, deadline, floor), usable
		}
	}
	return []zap.Field{zap.String("reason", why), zap.Int64("balanceMicros", left), zap.Int64("likelyMicros", c.likely)}
}

// against says why a token does not serve a request.
func (t *token) against(c cost, deadline time.Time, floor money.Micros) string {
	switch {
	case !t.expires.After(deadline):
		return "expires"
	case t.state.Load() != live:
		return "dropped"
	case t.onTrial():
		return "unproven"
	case t.bars(c.bound):
		return "refused for as much"
	case t.low(int64(floor)):
		return "below rebuy_below"
	case t.usable() >= c.likely:
		return "in use by others"
	}
	return "too little"
}
