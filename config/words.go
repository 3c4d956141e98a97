package config

import (
	"encoding/json"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// ReadCaddyfile reads the directive: its name, what stands after it, and its block. Errors name file, line and word.
func (c *Config) ReadCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the directive's name
	r := newReader(d)
	if d.NextArg() {
		c.Registry = &RegistryConfig{URL: d.Val()}
		r.remember("registry")
	}
	if d.NextArg() {
		return d.Errf(`unexpected word %q: expected "tokenbuddy [<registry_url>] { ... }"`, d.Val())
	}
	if err := r.block("", c.words()); err != nil {
		return err
	}
	if d.Next() {
		return d.Errf("unexpected word %q: expected the end of tokenbuddy", d.Val())
	}
	return r.locate(c.Check())
}

// words is the grammar of the directive's block.
func (c *Config) words() []word {
	return []word{
		c.registryWord(),
		c.sellerWord(),
		{name: "seller_networks", usage: "<cidr...>", set: list(&c.SellerNetworks)},
		{name: "exclude", usage: "<seller_id...>", set: list(&c.Exclude)},
		{name: "default_seller", usage: "<id>", set: text(&c.DefaultSeller)},
		{name: "selection", usage: "<policy> [<args...>]", guest: &selectionGuest, add: c.setSelection},
		{name: "affinity", usage: "<duration>|off", set: durationOrOff(&c.Affinity)},
		{name: "model_alias", usage: "<requested> <served>", repeat: true, set: c.addAlias},
		{name: "payment", usage: "<method> { ... }", repeat: true, guest: &paymentGuest, add: c.addPayment},
		c.purchaseWord(),
		c.prewarmWord(),
		c.failoverWord(),
		c.memberWord(),
		c.groupWord(),
		c.memberDefaultWord(),
		c.budgetsWord(),
		{name: "member_from", usage: "<placeholder>", set: text(&c.MemberFrom)},
		{name: "page", set: func([]string) error {
			c.Page = true
			return nil
		}},
		c.ledgerWord(),
		c.fleetWord(),
		{name: "max_body", usage: "<size>", set: size(&c.MaxBody, minMaxBody, maxMaxBody)},
		{name: "heartbeat", usage: "<duration>|off", set: durationOrOff(&c.Heartbeat)},
	}
}

func (c *Config) addAlias(args []string) error {
	if _, ok := c.ModelAliases[args[0]]; ok {
		return errRepeated
	}
	if c.ModelAliases == nil {
		c.ModelAliases = make(map[string]string)
	}
	c.ModelAliases[args[0]] = args[1]
	return nil
}

func (c *Config) setSelection(raw json.RawMessage) { c.SelectionRaw = raw }
func (c *Config) addPayment(raw json.RawMessage)   { c.PaymentsRaw = append(c.PaymentsRaw, raw) }
