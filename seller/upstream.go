package seller

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/tokenbuddy/caddy-tokenbuddy/dialect"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/relay"
	"github.com/tokenbuddy/caddy-tokenbuddy/wire"
)

// Upstream is the server whose models a seller sells: one of its own, such as Ollama or vLLM, or a provider where it has an
// account.
type Upstream struct {
	// URL is its base URL as the provider prints it: a /v1 at its end is part of the paths, and a query goes to every path.
	// Required. Placeholders are resolved when the config is loaded, as in the other texts here.
	URL string `json:"url"`

	// APIKey is the key of the account there, best as a placeholder such as {env.OPENAI_API_KEY}. Either it or NoKey is required.
	APIKey string `json:"api_key,omitempty"`

	// NoKey says that it wants none.
	NoKey bool `json:"no_key,omitempty"`

	// AuthHeader is the header for the key. Default: Authorization, with "Bearer " before the key.
	AuthHeader string `json:"auth_header,omitempty"`

	// PathPrefix is where its paths are not below /v1, such as "/v1beta/openai".
	PathPrefix string `json:"path_prefix,omitempty"`

	// Headers are sent to it with every request.
	Headers map[string]string `json:"headers,omitempty"`

	// Protocols are the APIs that it has, of chat_completions, responses, messages, completions and embeddings. Default: all.
	Protocols []string `json:"protocols,omitempty"`

	// Models are what is sold of it, by the seller's names, without asking it what it has. Each needs a price. Default: what its own
	// list and the prices have in common.
	Models []string `json:"models,omitempty"`

	// ModelsFrom is the path of its list of models. Default: /v1/models, or what stands for it under PathPrefix.
	ModelsFrom string `json:"models_from,omitempty"`

	// Names says what a model of ours is called there, where that is something else.
	Names map[string]string `json:"names,omitempty"`

	// Prices are what is asked for a model. "*" is for every other model of its list. At least one is required: what has no price
	// is not sold.
	Prices []UpstreamPrice `json:"prices,omitempty"`

	base, query   string
	header        http.Header // with the key
	secrets       []string    // what stands for a placeholder in what it is sent: the key, and others
	protocols     map[dialect.Protocol]bool
	prices        map[string]*Model
	carrier       *relay.Carrier
	catalog       *catalog
	overlongUntil sync.Map     // until when a model that was answered at more length than was asked is taken for one that is
	withoutAsk    atomic.Int64 // until when it is not asked for usage, in Unix seconds
}

// UpstreamPrice is the price of a model, in micros of a US dollar per million tokens.
type UpstreamPrice struct {
	Model string `json:"model"`

	// Input and Output are required: what costs nothing says 0.
	Input  *money.Micros `json:"input_price_micros_per_1m"`
	Output *money.Micros `json:"output_price_micros_per_1m"`

	// CacheRead and CacheWrite are of prompt tokens that were read from its cache or written to it, CacheWrite1h of those that are kept there
	// for an hour. Default: as Input, and as CacheWrite.
	CacheRead  *money.Micros `json:"cache_read_price_micros_per_1m,omitempty"`
	CacheWrite *money.Micros `json:"cache_write_price_micros_per_1m,omitempty"`

	CacheWrite1h *money.Micros `json:"cache_write_1h_price_micros_per_1m,omitempty"`
}

// every stands for all models that have no price of their own.
const every = "*"

// What it may take to reach the upstream, and to get an answer.
const (
	upstreamConnect  = 5 * time.Second
	upstreamDeadline = 10 * time.Minute // of a whole answer, or to a stream's headers, where the request has none of its own
	upstreamIdle     = 290 * time.Second
)

// provision makes it ready. It asks nobody for anything.
func (u *Upstream) provision(s *Seller) error {
	if err := u.check(); err != nil {
		return err
	}
	if err := u.resolve(); err != nil {
		return err
	}
	u.protocols = make(map[dialect.Protocol]bool)
	for _, p := range u.speaks() {
		u.protocols[dialect.Protocol(p)] = true
	}
	u.carrier = relay.NewCarrier(relay.CarrierOptions{Connect: upstreamConnect})
	u.catalog = newCatalog(u, s.logger, s.ID)
	return nil
}

// resolve replaces the placeholders.
func (u *Upstream) resolve() error {
	repl := caddy.NewReplacer()
	if err := u.resolveURL(repl); err != nil {
		return err
	}
	u.header = make(http.Header)
	for name, said := range u.Headers {
		value, err := resolveText(repl, "header "+name, said)
		if err != nil {
			return err
		}
		if strings.Contains(said, "{") {
			u.secrets = append(u.secrets, value)
		}
		if !validValue(value) {
			return fmt.Errorf("header %s: expected a value that can stand in a header", name)
		}
		u.header.Set(name, value)
	}
	if u.APIKey == "" {
		return nil
	}
	return u.resolveKey(repl)
}

func resolveText(repl *caddy.Replacer, word, text string) (string, error) {
	v, err := repl.ReplaceOrErr(text, true, true)
	if err != nil || strings.TrimSpace(v) == "" {
		return "", fmt.Errorf("%s: a placeholder is unknown, or what it stands for is empty", word)
	}
	return strings.TrimSpace(v), nil
}

func (u *Upstream) resolveURL(repl *caddy.Replacer) error {
	address, err := resolveText(repl, "url", u.URL)
	if err != nil {
		return err
	}
	if err := checkUpstreamURL(address); err != nil {
		return err
	}
	parsed, err := url.Parse(address)
	if err != nil {
		return errors.New("url: it can't be read")
	}
	u.secrets = u.hiddenQuery(parsed.Query())
	u.query, parsed.RawQuery = parsed.RawQuery, ""
	u.base = strings.TrimSuffix(strings.TrimRight(parsed.String(), "/"), "/v1")
	return nil
}

func (u *Upstream) resolveKey(repl *caddy.Replacer) error {
	key, err := resolveText(repl, "api_key", u.APIKey)
	if err != nil {
		return err
	}
	if !validValue(key) {
		return errors.New("api_key: expected a key that can stand in a header")
	}
	u.secrets = append(u.secrets, key)
	if u.bearer() {
		u.header.Set("Authorization", "Bearer "+key)
	} else {
		u.header.Set(u.AuthHeader, key)
	}
	return nil
}

// bearer tells whether the key is sent as a bearer token.
func (u *Upstream) bearer() bool {
	return u.AuthHeader == "" || strings.EqualFold(u.AuthHeader, "Authorization")
}

// hiddenQuery gives the values of the URL's query that don't stand in the config: placeholders stand there for them.
func (u *Upstream) hiddenQuery(query url.Values) (hidden []string) {
	var written url.Values
	if said, err := url.Parse(u.URL); err == nil {
		written = said.Query()
	}
	for name, values := range query {
		for _, v := range values {
			if !slices.Contains(written[name], v) {
				hidden = append(hidden, v)
			}
		}
	}
	return hidden
}

func allProtocols() []string {
	var all []string
	for _, p := range dialect.Protocols {
		all = append(all, string(p))
	}
	return all
}

// speaks lists its APIs.
func (u *Upstream) speaks() []string {
	if u.Protocols != nil {
		return u.Protocols
	}
	return allProtocols()
}

// price is what is asked for a model, which has one.
func (u *Upstream) price(id string) *Model {
	m := u.prices[id]
	if m == nil {
		m = u.prices[every]
	}
	own := *m
	own.ID = id
	return &own
}

// host gives the name of the host there; empty: that can't be told.
func (u *Upstream) host() string {
	at, err := url.Parse(caddy.NewReplacer().ReplaceAll(u.URL, ""))
	if err != nil {
		return ""
	}
	return at.Hostname()
}

// address gives the URL of a path of the model APIs there.
func (u *Upstream) address(path, query string) string {
	if u.PathPrefix != "" {
		if below, ok := strings.CutPrefix(path, "/v1/"); ok {
			path = strings.TrimRight(u.PathPrefix, "/") + "/" + below
		}
	}
	return u.at(path, query)
}

func (u *Upstream) at(path, query string) string {
	return wire.URL(u.base, path, wire.Query(u.query, query))
}

// asPriced leaves out of a buyer's headers what a model is billed by another price for: a context of a million tokens, which costs more from
// some length on. A prompt of that length is then the upstream's to refuse.
func asPriced(h http.Header) http.Header {
	const name = "Anthropic-Beta"
	dear := func(beta string) bool {
		return strings.HasPrefix(strings.ToLower(strings.TrimSpace(beta)), "context-1m")
	}
	betas := strings.Split(strings.Join(h[name], ","), ",")
	if !slices.ContainsFunc(betas, dear) {
		return h
	}
	if betas = slices.DeleteFunc(betas, dear); len(betas) == 0 {
		delete(h, name)
	} else {
		h[name] = []string{strings.Join(betas, ",")}
	}
	return h
}

// dress adds to the headers of a request what the upstream is to get.
func (u *Upstream) dress(h http.Header) http.Header {
	for name, values := range u.header {
		h[name] = slices.Clone(values)
	}
	return h
}

func (u *Upstream) close() {
	if u != nil && u.carrier != nil {
		u.carrier.Close()
	}
}
