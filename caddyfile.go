package tokenbuddy

import (
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
//			models      <model...>|from <path>
//			price       <model> <input> <output> [<cached_input> [<cache_write> [<cache_write_1h>]]]
//			price_on    <model> service_tier|speed|inference_geo <value> <input> <output> [<cached_input> [<cache_write> [<cache_write_1h>]]]
//			price_of    <model> audio_in|audio_out|image_in|image_out|reasoning|web_search <usd>
//			payment     <method...>
//			api_key     <secret>
//			auth_header <name>
//			no_key
//			path_prefix <path>
//			header      <name> <value>
//			model       <id> as <theirs>
//			trace
//			deadline    <duration> [<unstreamed>]
//		}
//		seller_networks <cidr...>
//		exclude         <seller_id...>
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
//			seller_limit  <usd>
//			approve       above <usd>|first
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
//			deadline     <duration> [<unstreamed> [<attempt>]]
//			idle_timeout <duration>
//			max_attempts <n>
//			retries      <n>
//			cooldown     <duration>
//		}
//		member <name> {
//			key            <secret> [until <time>]
//			daily_budget   <usd>
//			weekly_budget  <usd>
//			monthly_budget <usd>
//			models         <glob...>
//			rate           <n> <duration>
//		}
//		group <name> {
//			members        <name...>
//			daily_budget   <usd>
//			weekly_budget  <usd>
//			monthly_budget <usd>
//			rate           <n> <duration>
//		}
//		member_default {
//			daily_budget   <usd>
//			weekly_budget  <usd>
//			monthly_budget <usd>
//			models         <glob...>
//			rate           <n> <duration>
//		}
//		budgets {
//			zone <zone>
//			week <weekday>
//		}
//		member_from <placeholder>
//		page
//		ledger badger [<dir>] {
//			key    <secret>
//			retain <duration>
//		}
//		fleet <engine> [<args...>] {
//			name           <text>
//			hold_out       <duration>
//			wait           <duration>
//			books          on|off
//			tokens         own|shared
//			purchase_ahead <usd>
//		}
//		max_body  <size>
//		heartbeat <duration>|off
//	}
//
// Every subdirective is optional, but one of registry and seller must be there. seller, model_alias, payment, member,
// group, key, price, price_on, price_of, header and model may be repeated. The fields of [config.Config] say what each word means and what holds without it.
func (h *Handler) UnmarshalCaddyfile(d *caddyfile.Dispenser) error { return h.ReadCaddyfile(d) }
