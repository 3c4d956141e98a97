package command

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"github.com/tokenbuddy/caddy-tokenbuddy/admin"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
)

// period is what the flags --from, --to and --zone say.
type period struct{ from, to, zone string }

func (p *period) addTo(cmd *cobra.Command) {
	cmd.Flags().StringVar(&p.from, "from", "", "Beginning of the period: a time such as 2026-01-31T12:00:00Z, a day or a month (its beginning), "+
		"today, yesterday, a weekday (the last one), or how long ago, such as 24h or 7d")
	cmd.Flags().StringVar(&p.to, "to", "", "End of the period, which is not in it: --from 2026-01-01 --to 2026-02-01 is January, --from yesterday --to today one day")
	cmd.Flags().StringVar(&p.zone, "zone", "", "Time zone by which days begin, such as Europe/Berlin (default: that of the gateway's budgets, UTC of a closed ledger)")
}

// of gives the period, by the zone that is named, else that of the books.
func (p *period) of(ctx context.Context, b books) (ledger.Period, error) {
	zone := time.UTC
	var err error
	if g, running := b.(zoned); p.zone != "" {
		if zone, err = admin.LoadZone(p.zone); err != nil {
			return ledger.Period{}, fmt.Errorf("--zone is %w", err)
		}
	} else if running {
		if zone, err = g.zone(ctx); err != nil {
			return ledger.Period{}, err
		}
	}
	clock := admin.Clock{Now: time.Now(), Zone: zone}
	period := ledger.Period{Zone: zone}
	if period.From, err = clock.Parse(p.from); err != nil {
		return period, fmt.Errorf("--from is %w", err)
	}
	if period.To, err = clock.Parse(p.to); err != nil {
		return period, fmt.Errorf("--to is %w", err)
	}
	if !period.To.IsZero() && !period.To.After(period.From) {
		return period, fmt.Errorf("--to %s is not after --from %s", p.to, p.from)
	}
	return period, nil
}

// zoned are books of which a gateway that runs knows the zone: its own, and those of its fleet.
type zoned interface {
	zone(ctx context.Context) (*time.Location, error)
}

// zone is that of the gateway's budgets.
func (g *gateway) zone(ctx context.Context) (*time.Location, error) {
	var said admin.Zone
	if _, err := g.get(ctx, http.MethodGet, "ledger/zone", nil, &said); err != nil {
		return nil, err
	}
	zone, err := admin.LoadZone(said.Zone)
	if err != nil {
		return nil, fmt.Errorf("this machine does not know the time zone %s of the gateway: name another with --zone", said.Zone)
	}
	return zone, nil
}
