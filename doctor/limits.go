package doctor

import (
	"fmt"

	"github.com/tokenbuddy/caddy-tokenbuddy/admin"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/purchase"
)

// limits warns of those on purchases.
func (d *Diagnosis) limits(status *admin.Status) {
	aside := money.Micros(0) // what other gateways have set aside, of which the fleet's finding tells
	if f := status.Fleet; f != nil {
		aside = f.AsideMicros - f.OwnAsideMicros
	}
	amount := status.Credit.AmountMicros
	d.limit("daily_limit", status.Credit.DailyLimit, status.Credit.DayMicros, aside, amount, "at midnight UTC")
	session := "when the process starts again"
	if status.Fleet != nil {
		session = "by caddy tokenbuddy fleet session new"
		d.aside(&status.Credit, status.Fleet)
	}
	d.limit("session_limit", status.Credit.SessionLimit, status.Credit.SessionMicros, aside, amount, session)
}

// limit warns when less than a tenth of a spending limit is left, or less than a purchase takes, whatever others have set aside of it.
func (d *Diagnosis) limit(name string, limit *money.Micros, spent, aside, amount money.Micros, again string) {
	if limit == nil {
		return
	}
	left := *limit - spent
	switch {
	case *limit == 0:
		d.Note(fmt.Sprintf("The %s is 0: nothing is bought.", name), "What is left on tokens is used up; then requests are refused that need one. Raise it in the Caddyfile.")
	case left+aside < amount:
		d.Wrong(fmt.Sprintf("%s dollars of the %s of %s are spent, and a purchase of %s has no room in what is left: nothing is bought.", spent, name, *limit, amount),
			fmt.Sprintf("It begins anew %s; raise it in the Caddyfile if that is too late.", again))
	case left < *limit/10:
		d.Wrong(fmt.Sprintf("%s dollars of the %s of %s are spent.", spent, name, *limit),
			fmt.Sprintf("Past it nothing is bought. It begins anew %s; raise it in the Caddyfile if that is too late.", again))
	}
}

// aside tells of limits in which a purchase has no room any more beside what other gateways have set aside for when the store is away: this one
// can't take it.
func (d *Diagnosis) aside(c *purchase.Credit, f *admin.FleetHere) {
	own, others := f.OwnAsideMicros, f.AsideMicros-f.OwnAsideMicros
	for _, l := range []struct {
		name  string
		spent money.Micros // what others have set aside is in it
		limit *money.Micros
	}{{"daily_limit", c.DayMicros - own, c.DailyLimit}, {"session_limit", c.SessionMicros - own, c.SessionLimit}, {"seller_limit", others, c.SellerLimit}} {
		if l.limit == nil || l.spent.Add(c.AmountMicros) <= *l.limit || l.spent.Add(c.AmountMicros)-others > *l.limit {
			continue
		}
		d.Wrong(fmt.Sprintf("Of the %s of %s dollars, %s are set aside by purchase_ahead of other gateways for when the fleet's store is away, and a purchase of %s has no room beside that.",
			l.name, *l.limit, others, c.AmountMicros),
			"Each gateway has a purchase_ahead of its own set aside, which counts as spent for the others. Raise the limit by as much, or lower purchase_ahead and restart the gateways.")
	}
}
