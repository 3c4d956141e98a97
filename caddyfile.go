package tokenbuddy

import (
	"encoding/json"
	"fmt"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

func parseCaddyfile(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	handler := new(Handler)
	if err := handler.UnmarshalCaddyfile(h.Dispenser); err != nil {
		return nil, err
	}
	return handler, nil
}

// UnmarshalCaddyfile sets up the handler from Caddyfile tokens. Syntax:
//
//	tokenbuddy [<registry_url>] {
//		registry <url> {
//			refresh  <duration>
//			timeout  <duration>
//			max_size <size>
//		}
//		seller <id> <url> {
//			protocols   <protocol...>
//			models      <model...>
//			price       <model> <input> <output> [<cached_input> [<cache_write>]]
//			payment     <method...>
//			api_key     <secret>
//			auth_header <name>
//		}
//		seller_networks <cidr...>
//		default_seller  <id>
//		selection       <policy> [<args...>]
//		affinity        <duration>|off
//		model_alias     <requested> <served>
//		payment <method> {
//			...
//		}
//		purchase {
//			amount        <usd>
//			rebuy_below   <usd>
//			expiry_margin <duration>
//			daily_limit   <usd>
//			session_limit <usd>
//		}
//		prewarm {
//			models   <model...>
//			interval <duration>
//			timeout  <duration>
//			jitter   <min> <max>
//			off
//		}
//		failover {
//			connect      <duration>
//			deadline     <duration> [<unstreamed>]
//			idle_timeout <duration>
//			max_attempts <n>
//			retries      <n>
//			cooldown     <duration>
//		}
//		member <name> {
//			key            <secret>
//			daily_budget   <usd>
//			monthly_budget <usd>
//			models         <glob...>
//			rate           <n> <duration>
//		}
//		member_from <placeholder>
//		ledger badger [<dir>] {
//			key <secret>
//		}
//		max_body <size>
//	}
//
// Every subdirective is optional, but one of registry and seller must be there. seller, model_alias, payment, member and
// price may be repeated. The fields of [Config] say what each word means and what holds without it.
func (h *Handler) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the directive's name
	r := newReader(d)
	if d.NextArg() {
		h.Registry = &RegistryConfig{URL: d.Val()}
		r.remember("registry")
	}
	if d.NextArg() {
		return d.Errf(`unexpected word %q: expected "tokenbuddy [<registry_url>] { ... }"`, d.Val())
	}
	if err := r.block("", h.words()); err != nil {
		return err
	}
	if d.Next() {
		return d.Errf("unexpected word %q: expected the end of tokenbuddy", d.Val())
	}
	return r.locate(h.check())
}

// words is the grammar of the directive's block.
func (c *Config) words() []word {
	return []word{
		c.registryWord(),
		c.sellerWord(),
		{name: "seller_networks", usage: "<cidr...>", set: list(&c.SellerNetworks)},
		{name: "default_seller", usage: "<id>", set: text(&c.DefaultSeller)},
		{name: "selection", usage: "<policy> [<args...>]", guest: &selectionGuest, add: c.setSelection},
		{name: "affinity", usage: "<duration>|off", set: c.setAffinity},
		{name: "model_alias", usage: "<requested> <served>", repeat: true, set: c.addAlias},
		{name: "payment", usage: "<method> { ... }", repeat: true, guest: &paymentGuest, add: c.addPayment},
		c.purchaseWord(),
		c.prewarmWord(),
		c.failoverWord(),
		c.memberWord(),
		{name: "member_from", usage: "<placeholder>", set: text(&c.MemberFrom)},
		c.ledgerWord(),
		{name: "max_body", usage: "<size>", set: size(&c.MaxBody, maxMaxBody)},
	}
}

func (c *Config) setAffinity(args []string) error {
	c.Affinity = new(caddy.Duration)
	if args[0] == "off" {
		return nil
	}
	if err := duration(c.Affinity)(args); err != nil {
		return fmt.Errorf("%w, or off", err)
	}
	return nil
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
