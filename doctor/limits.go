package doctor

import (
	"fmt"

	"github.com/tokenbuddy/caddy-tokenbuddy/admin"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/purchase"
)

// spendingLimit is a limit on purchases.
type spendingLimit struct {
	name  string
	most  *money.Micros // nil: there is no such limit
	spent money.Micros
	again string // when it begins anew
}

// limits warns of those on purchases.
func (d *Diagnosis) limits(status *admin.Status) {
	c, session := &status.Credit, "when the process starts again"
	aside := money.Micros(0) // what other gateways have set aside, of which the fleet's finding tells
	if f := status.Fleet; f != nil {
		session = "by caddy tokenbuddy fleet session new"
		aside = f.AsideMicros - f.OwnAsideMicros
	}
	for _, l := range []spendingLimit{
		{"daily_limit", c.DailyLimit, c.DayMicros, "at midnight UTC"},
		{"session_limit", c.SessionLimit, c.SessionMicros, session},
	} {
		if l.most != nil {
			d.limit(l, aside, c.AmountMicros)
		}
	}
	if status.Fleet != nil {
		d.aside(c, status.Fleet)
	}
}

// limit warns when less than a tenth of a limit is left, or less than a purchase of an amount takes, whatever others have set aside of it.
func (d *Diagnosis) limit(l spendingLimit, aside, amount money.Micros) {
	left := *l.most - l.spent
	switch {
	case *l.most == 0:
		d.Note(fmt.Sprintf("The %s is 0: nothing is bought.", l.name), "What is left on tokens is used up; then requests are refused that need one. Raise it in the Caddyfile.")
	case left+aside < amount:
		d.Wrong(fmt.Sprintf("%s dollars of the %s of %s are spent, and a purchase of %s has no room in what is left: nothing is bought.", l.spent, l.name, *l.most, amount),
			fmt.Sprintf("It begins anew %s; raise it in the Caddyfile if that is too late.", l.again))
	case left < *l.most/10:
		d.Wrong(fmt.Sprintf("%s dollars of the %s of %s are spent.", l.spent, l.name, *l.most),
			fmt.Sprintf("Past it nothing is bought. It begins anew %s; raise it in the Caddyfile if that is too late.", l.again))
	}
}

// aside tells of limits in which a purchase has no room any more beside what other gateways have set aside for when the store is away: this one
// can't take it.
func (d *Diagnosis) aside(c *purchase.Credit, f *admin.FleetHere) {
	own, others := f.OwnAsideMicros, f.AsideMicros-f.OwnAsideMicros
	for _, l := range []spendingLimit{ // what others have set aside is spent in each
		{name: "daily_limit", most: c.DailyLimit, spent: c.DayMicros - own},
		{name: "session_limit", most: c.SessionLimit, spent: c.SessionMicros - own},
		{name: "seller_limit", most: c.SellerLimit, spent: others},
	} {
		if l.most == nil || l.spent.Add(c.AmountMicros) <= *l.most || l.spent.Add(c.AmountMicros)-others > *l.most {
			continue
		}
		d.Wrong(fmt.Sprintf("Of the %s of %s dollars, %s are set aside by purchase_ahead of other gateways for when the fleet's store is away, and a purchase of %s has no room beside that.",
			l.name, *l.most, others, c.AmountMicros),
			"Each gateway has a purchase_ahead of its own set aside, which counts as spent for the others. Raise the limit by as much, or lower purchase_ahead and restart the gateways.")
	}
}
