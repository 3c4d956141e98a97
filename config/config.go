// Package config holds what the operator has said: the handler's JSON configuration, the rules that it must keep to, the words
// of the Caddyfile's directive, and what becomes of it all, the settings. It knows nothing of a request.
package config

import (
	"encoding/json"

	"github.com/caddyserver/caddy/v2"
)

// Config is the JSON configuration of the handler. Each field says the same as the Caddyfile's subdirective of its name.
//
// Durations are strings such as "90s" or numbers of nanoseconds, sizes are numbers of bytes. Money is a string with a
// decimal number of US dollars that has at most six decimals, such as "5" or "0.10", never a JSON number. Secrets may be
// placeholders, such as "{env.NAME}" or "{file./run/secrets/name}", which are resolved when the configuration is loaded; a
// secret that is written literally stands in Caddy's adapted configuration, its autosave file and its log at level DEBUG.
type Config struct {
	// The registry that lists sellers. At least one of registry and sellers is required.
	Registry *RegistryConfig `json:"registry,omitempty"`

	// Sellers that are pinned by hand, with or without a registry. A pinned id wins over the registry's.
	Sellers []*SellerConfig `json:"sellers,omitempty"`

	// Private networks in CIDR notation, such as "10.8.0.0/16", in which sellers that a registry names may live. There,
	// plain http is allowed as well. Default: none; such sellers are then reached at public addresses and by https alone.
	SellerNetworks []string `json:"seller_networks,omitempty"`

	// The ids of sellers of the registry that get no requests.
	Exclude []string `json:"exclude,omitempty"`

	// The id of the seller to prefer, over the default seller that the registry names.
	DefaultSeller string `json:"default_seller,omitempty"`

	// The policy that orders the sellers of a model. Default: default_first, the default seller and then the registry's order.
	SelectionRaw json.RawMessage `json:"selection,omitempty" caddy:"namespace=http.tokenbuddy.selection inline_key=policy"`

	// How long after its last good answer a conversation stays with the seller that has its prompt cached; 0 turns that off.
	// Default: 10m.
	Affinity *caddy.Duration `json:"affinity,omitempty"`

	// Names that clients may ask for, and the id of the model that is served for each, which is no alias itself.
	ModelAliases map[string]string `json:"model_aliases,omitempty"`

	// The methods by which tokens are paid for, in order of preference. At least one is required with a registry, and with
	// a pinned seller that has payment methods. None is implied.
	PaymentsRaw []json.RawMessage `json:"payments,omitempty" caddy:"namespace=http.tokenbuddy.payment inline_key=method"`

	// How much is bought, and when.
	Purchase *PurchaseConfig `json:"purchase,omitempty"`

	// What is done ahead of requests: sellers are probed, and tokens in use renewed.
	Prewarm *PrewarmConfig `json:"prewarm,omitempty"`

	// Time-outs, and how often another seller is tried.
	Failover *FailoverConfig `json:"failover,omitempty"`

	// Who may use the gateway. Without members and member_from only requests from loopback are served, as the member
	// "anonymous".
	Members []*MemberConfig `json:"members,omitempty"`

	// Members that share a budget and a rate.
	Groups []*GroupConfig `json:"groups,omitempty"`

	// What a member may do that member_from brings and members does not name. It needs member_from. Default: everything.
	MemberDefault *LimitsConfig `json:"member_default,omitempty"`

	// When the days, weeks and months of budgets begin.
	Budgets *BudgetsConfig `json:"budgets,omitempty"`

	// A placeholder for the name of the member, where another module has authenticated the request: for example
	// "{http.auth.user.id}". It counts where no member's key is shown. A name that is not under members is a member with
	// the limits of member_default.
	MemberFrom string `json:"member_from,omitempty"`

	// Whether a member finds the own budgets, usage and last requests on a page at /tokenbuddy/ on the site. Default: false.
	Page bool `json:"page,omitempty"`

	// Where the ledger is.
	Ledger *LedgerConfig `json:"ledger,omitempty"`

	// The other gateways with which budgets, rates, purchase limits and books are shared. Default: none, all of it is this
	// gateway's alone.
	Fleet *FleetConfig `json:"fleet,omitempty"`

	// The largest request body, decompressed, in bytes. Default: 33554432 (32 MiB); at least 32 and at most 268435456
	// (256 MiB).
	MaxBody int64 `json:"max_body,omitempty"`

	// How long a stream may be silent before a comment is sent in it, so that proxies before the gateway do not take it for
	// dead. The first comment gives the status 200 away, also where no seller has answered yet. Some clients bear only so many in a
	// row: 15s is a good beginning. 0: never. Default: never.
	Heartbeat *caddy.Duration `json:"heartbeat,omitempty"`
}

// RegistryConfig says where the registry of sellers is and how it is fetched.
type RegistryConfig struct {
	// The http or https URL of the registry document. Required.
	URL string `json:"url"`

	// How often the document is fetched anew. Default: 60s.
	Refresh caddy.Duration `json:"refresh,omitempty"`

	// How long one fetch may take. Default: 10s.
	Timeout caddy.Duration `json:"timeout,omitempty"`

	// The largest document that is accepted, in bytes. Default: 8388608 (8 MiB); at most 1073741824 (1 GiB).
	MaxSize int64 `json:"max_size,omitempty"`
}

// SellerConfig is one seller that is pinned by hand. Exactly one of payment, api_key and no_key is required.
type SellerConfig struct {
	// 1 to 64 letters, digits, ".", "_" and "-", beginning with a letter or a digit. Required.
	ID string `json:"id"`

	// The http or https URL to which the paths of the model APIs are added, with or without a /v1 at its end. A query of it goes to
	// every path, with payment to /healthz and /purchase/* as well. It is reached as it is written, private or not. Required.
	URL string `json:"url"`

	// The APIs that the seller speaks, out of chat_completions, responses, messages, completions and embeddings. Default:
	// all of them.
	Protocols []string `json:"protocols,omitempty"`

	// The ids of the models that the seller serves. Default: the models in prices and names. At least one must be named, here
	// or there.
	Models []string `json:"models,omitempty"`

	// The path of the provider's own list of models, such as "/v1/models", instead of models. It is read each minute; what prices
	// and names have is served in any case. Only with api_key or no_key.
	ModelsFrom string `json:"models_from,omitempty"`

	// What the models cost. A model without a price here has no known price.
	Prices []*PriceConfig `json:"prices,omitempty"`

	// The payment methods of a seller that speaks the purchase protocol.
	Payment []string `json:"payment,omitempty"`

	// The key of an account at a provider, from which nothing is bought. A secret.
	// Costs are counted by prices.
	APIKey string `json:"api_key,omitempty"`

	// The provider wants no key, such as a server on the local network; nothing is bought there either.
	NoKey bool `json:"no_key,omitempty"`

	// The path that stands where /v1 would in the provider's paths, such as "/api/v3"; "/": nothing does. Only with api_key or
	// no_key. Default: /v1.
	PathPrefix string `json:"path_prefix,omitempty"`

	// Headers that each request to the provider carries, by name; they win over the client's. Values may have placeholders,
	// which are secrets. Only with api_key or no_key.
	Headers map[string]string `json:"headers,omitempty"`

	// What the seller calls models: its name by the id that the model has here. Only with api_key or no_key.
	Names map[string]string `json:"names,omitempty"`

	// The seller is one's own, and is told which trace a request is of: traceparent goes on to it. Default: nobody is told.
	Trace bool `json:"trace,omitempty"`

	// The header in which api_key is sent. Default: Authorization, with "Bearer " before the key.
	AuthHeader string `json:"auth_header,omitempty"`

	// How long one attempt at a stream may take at this seller, from sending the request to the answer's headers. Default:
	// failover's deadline.
	Deadline caddy.Duration `json:"deadline,omitempty"`

	// How long a request that is not streamed may take at this seller. Default: deadline where that is set here, else
	// failover's unstreamed_deadline.
	UnstreamedDeadline caddy.Duration `json:"unstreamed_deadline,omitempty"`
}

// MemberConfig is one member of the team.
type MemberConfig struct {
	// What the member is called in the ledger and the metrics: 1 to 64 printable characters without spaces. Required.
	Name string `json:"name"`

	// The key that the member's clients send, at least 8 characters, or "sha256:" and the 64 hexadecimal digits of its
	// SHA-256. A secret. Required, unless keys or member_from is set. Where it is a placeholder of a file, the file is
	// watched: what is written there is the member's key half a second later, and what stood there before is refused.
	Key string `json:"key,omitempty"`

	// Further keys of the member, each as good as key, and watched as it is.
	Keys []*KeyConfig `json:"keys,omitempty"`

	// What the member may do.
	LimitsConfig
}

// LimitsConfig is what a member may do.
type LimitsConfig struct {
	// What the member may spend and ask.
	BoundsConfig

	// Globs of the models that the member may use, matched against the id that is served, after aliases. A * stands for any
	// run of characters, slashes too, and a ? for one character. Default: every model.
	Models []string `json:"models,omitempty"`
}

// BoundsConfig is what a member, or the members of a group together, may spend and ask.
type BoundsConfig struct {
	// US dollars that may be spent in a day, as budgets says when it begins. Default: no limit.
	DailyBudget string `json:"daily_budget,omitempty"`

	// US dollars that may be spent in a week, no less than in a day. Default: no limit.
	WeeklyBudget string `json:"weekly_budget,omitempty"`

	// US dollars that may be spent in a month, no less than in a day or a week. Default: no limit.
	MonthlyBudget string `json:"monthly_budget,omitempty"`

	// How many requests may be made. Sites that share a ledger must agree on it. Default: no limit.
	Rate *RateConfig `json:"rate,omitempty"`
}

// GroupConfig is members with a budget and a rate that they share, beside those of their own.
type GroupConfig struct {
	// What the group is called in the ledger and the metrics: 1 to 64 printable characters without spaces. Required.
	Name string `json:"name"`

	// The members, by name. Each is in one group at most. One that is not under members is whoever member_from brings by that
	// name. Required.
	Members []string `json:"members"`

	// What they may spend and ask together.
	BoundsConfig
}

// BudgetsConfig says when the days, weeks and months of budgets begin. Purchase limits keep to UTC. Sites that share a ledger must
// agree on it.
type BudgetsConfig struct {
	// The time zone, by its name in the IANA database, such as "Europe/Berlin". Default: UTC.
	Zone string `json:"zone,omitempty"`

	// The day with which a week begins, such as "sunday". Default: monday.
	Week string `json:"week,omitempty"`
}

// KeyConfig is one of a member's keys.
type KeyConfig struct {
	// The key, in the same forms as a member's key. A secret. Required.
	Key string `json:"key"`

	// Until when the key is good, as RFC 3339 has it, such as "2026-04-01T00:00:00Z". From then on it opens nothing; that it is
	// over is no error. Default: for ever.
	Until string `json:"until,omitempty"`
}

// RateConfig is a number of requests in a time.
type RateConfig struct {
	// The number of requests, at least 1. Required.
	Requests int `json:"requests"`

	// The time. Required.
	Per caddy.Duration `json:"per"`
}
