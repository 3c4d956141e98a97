package dialect

import (
	"encoding/json"
	"net/http"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// KeyPath is where a member asks how it stands.
const KeyPath = "/v1/key"

// Key is how a member stands. It is told in the shape that OpenRouter has for the same, which programs read by now.
type Key struct {
	Label  string     // the member's name
	Bound  *Allowance // the one that has the least left; nil: there is none
	Usage  money.Micros
	Daily  money.Micros
	Weekly money.Micros
	// Monthly is, as the two before it, of the period of now.
	Monthly money.Micros
}

// Allowance is what may be spent in a period.
type Allowance struct {
	Limit, Left money.Micros
	Reset       string // daily, weekly or monthly
}

type keyAnswer struct {
	Data struct {
		Label          string       `json:"label"`
		Limit          *json.Number `json:"limit"`
		LimitRemaining *json.Number `json:"limit_remaining"`
		LimitReset     *string      `json:"limit_reset"`
		Usage          json.Number  `json:"usage"`
		UsageDaily     json.Number  `json:"usage_daily"`
		UsageWeekly    json.Number  `json:"usage_weekly"`
		UsageMonthly   json.Number  `json:"usage_monthly"`
	} `json:"data"`
}

// WriteKey answers with how a member stands, in US dollars.
func WriteKey(w http.ResponseWriter, k Key) {
	usd := func(m money.Micros) json.Number { return json.Number(m.String()) }
	var a keyAnswer
	d := &a.Data
	d.Label, d.Usage, d.UsageDaily, d.UsageWeekly, d.UsageMonthly = k.Label, usd(k.Usage), usd(k.Daily), usd(k.Weekly), usd(k.Monthly)
	if b := k.Bound; b != nil {
		d.Limit, d.LimitRemaining, d.LimitReset = new(usd(b.Limit)), new(usd(b.Left)), &b.Reset
	}
	w.Header().Set("Cache-Control", "no-store")
	writeJSON(w, a)
}
