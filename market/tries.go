package market

import (
	"context"
	"encoding/json"
	"time"

	"go.uber.org/zap"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// triesEvery is how soon gateways hear of what a seller has settled of a client's request at another one.
const triesEvery = 2 * time.Second

// settledTry is what the fleet keeps of it, beside who has made which response: it goes as that does.
type settledTry struct {
	BilledMicros money.Micros `json:"billedMicros"`
}

// shareTries has a try that was cut at one gateway and settled at another, on a token that they share, cost once, until the context ends. What can't be
// asked now is the next time.
func (m *Market) shareTries(ctx context.Context) {
	ticker := time.NewTicker(triesEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			if err := m.tellTries(ctx); err != nil {
				m.logger.Debug("fleet.tries.unasked", zap.Error(err))
			}
		}
	}
}

func (m *Market) tellTries(ctx context.Context) error {
	settled, open, err := m.Ledger.SharedTries(ctx)
	if err != nil {
		return err
	}
	for _, t := range settled {
		raw, err := json.Marshal(settledTry{t.BilledMicros})
		if err != nil {
			return err
		}
		m.made.fleet.Keep(t.Key, raw, t.Until)
	}
	found, err := m.made.fleet.FindAll(ctx, open)
	if err != nil {
		return err
	}
	for key, raw := range found {
		var t settledTry
		if json.Unmarshal(raw, &t) != nil || t.BilledMicros <= 0 { // of a newer release, or the seller bills each try
			continue
		}
		if err := m.Ledger.TakeOff(ctx, key, t.BilledMicros, m.takenBack); err != nil {
			return err
		}
	}
	return nil
}
