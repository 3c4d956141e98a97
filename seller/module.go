// Package seller is a reference seller: the other side of the protocol that the gateway buys by, as the Caddy handler
// tokenbuddy_seller. It sells credit, takes inference requests against it, and says what each of them cost.
//
// What it sells is what an Upstream serves, or a toy that answers with a short text of its own, so that the gateway can be tried
// without an account anywhere. Everything around it is meant to be right: purchases are idempotent, tokens are kept as hashes, and no request is
// charged twice. Payment is taken by guest modules (package acceptance); by mock, the default, it takes nothing, and whoever
// can reach it can take credit from it.
package seller

import (
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/tokenbuddy/caddy-tokenbuddy/dialect"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/seller/acceptance"
	"github.com/tokenbuddy/caddy-tokenbuddy/seller/acceptance/clawtip"
	"github.com/tokenbuddy/caddy-tokenbuddy/seller/acceptance/x402"
	"github.com/tokenbuddy/caddy-tokenbuddy/wire"
)

func init() {
	caddy.RegisterModule(&Seller{})
	caddy.RegisterModule(adminBooks{})
	caddy.RegisterModule(acceptance.Mock{})
	caddy.RegisterModule(new(acceptance.Receipt))
	caddy.RegisterModule(new(x402.Acceptance))
	caddy.RegisterModule(new(clawtip.Acceptance))
	httpcaddyfile.RegisterHandlerDirective(directive, parseCaddyfile)
	httpcaddyfile.RegisterDirectiveOrder(directive, httpcaddyfile.Before, "reverse_proxy")
}

const directive = "tokenbuddy_seller"

// Seller is the handler http.handlers.tokenbuddy_seller. It answers /healthz, /registry.json, the purchase paths and
// the paths of the model APIs; every other request goes to the next handler.
type Seller struct {
	// ID is the seller's id in its registry entry: 1 to 64 letters, digits, ".", "_" or "-", beginning with a letter or
	// a digit. Handlers with the same id and state share one set of books, also over a reload. Default: the host of the upstream's URL; without one it is required.
	ID string `json:"id,omitempty"`

	// Name is the seller's name in its registry entry. Default: the id. Placeholders are resolved when the config is
	// loaded.
	Name string `json:"name,omitempty"`

	// URL is the base URL in the registry entry, such as "https://seller.example". Default: scheme and host of the
	// request that asks for the registry. Placeholders are resolved when the config is loaded.
	URL string `json:"url,omitempty"`

	// Models are what the seller sells. Default: one model, "toy-1", at 0.50 dollars a million tokens in and 2 out.
	Models []Model `json:"models,omitempty"`

	// Upstream is where the answers come from, instead of the toy: what is sold are its models. Models, Pace, Settlement and
	// SettlementAt are the toy's, and do not go with it.
	Upstream *Upstream `json:"upstream,omitempty"`

	// TokenTTL is how long a token serves from its purchase on. Default: 1h; at most a year.
	TokenTTL caddy.Duration `json:"token_ttl,omitempty"`

	// MaxCreditMicros is the largest order, in micros of a US dollar; who asks for more is offered this much.
	// Default: 100,000,000 (100 dollars).
	MaxCreditMicros money.Micros `json:"max_credit_micros,omitempty"`

	// Pace is the time between two pieces of the model's answer. Default: 40ms; 0 answers at once; at most 10s.
	Pace *caddy.Duration `json:"pace,omitempty"`

	// Settlement says in which form an event stream says what it cost: "event", "header", "both", or "none". Answers
	// that are no streams say it in their headers, unless it is "none". What is said in a header is billed before the
	// stream begins. Default: "event".
	Settlement string `json:"settlement,omitempty"`

	// SettlementAt is where in a stream the settlement event stands: "start", "middle" (half-way through the content),
	// "end" (right after the API's last event), or "late" (SettlementDelay after it). At the start and in the middle
	// the whole answer is billed before it is all sent. Default: "end".
	SettlementAt string `json:"settlement_at,omitempty"`

	// SettlementDelay is how late a "late" settlement is; at most 5m.
	SettlementDelay caddy.Duration `json:"settlement_delay,omitempty"`

	// Payment lists the payment methods taken that need no options: "mock", which pays nothing. Default: mock, where
	// Acceptances and AnyInsecurely are not there either.
	Payment []string `json:"payment,omitempty"`

	// AcceptancesRaw are the payment methods taken that have options, such as x402 and receipt.
	AcceptancesRaw []json.RawMessage `json:"acceptances,omitempty" caddy:"namespace=http.tokenbuddy.acceptance inline_key=method"`

	// AnyInsecurely lists payment methods, of whatever name, of which any proof is taken: it is not looked at. It is there to
	// try a payment method that is being written, and holds for buyers on this machine alone.
	AnyInsecurely []string `json:"payment_any_insecurely,omitempty"`

	// State is a file in which tokens, orders and what has been answered outlive a restart. Bearer tokens are in it
	// only as hashes, or sealed with what the buyer alone knows. One process at a time may use it. Default: none,
	// everything is forgotten at the end of the process; with Upstream, a file named by the id in the folder tokenbuddy_seller of
	// Caddy's data directory. Placeholders are resolved when the config is loaded.
	State string `json:"state,omitempty"`

	name, url string
	site      string // the origin of the URL; empty: that of the request
	state     string // absolute
	models    map[string]*Model
	accepted  map[string]acceptance.Acceptance
	methods   []string // their names, in order
	ends      []func() // of the methods that were loaded
	books     *Books
	logger    *zap.Logger
	pooled    bool // a reference to books is held in the pool
}

// CaddyModule gives the module's id and constructor.
func (*Seller) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.tokenbuddy_seller", New: func() caddy.Module { return new(Seller) }}
}

// Provision fills in the defaults and finds or opens the books. It reads the state file but writes nothing.
func (s *Seller) Provision(ctx caddy.Context) error {
	if s.ID == "" && s.Upstream != nil {
		s.ID = s.Upstream.host()
	}
	if err := s.resolve(); err != nil {
		return s.wrong(err)
	}
	s.logger = ctx.Logger()
	if err := s.beside(); err != nil {
		return s.wrong(err)
	}
	s.setDefaults()
	if err := s.check(); err != nil {
		return s.wrong(err)
	}
	var err error
	if s.models, err = index(s.Models); err != nil {
		return s.wrong(err)
	}
	if s.Upstream != nil {
		if err := s.Upstream.provision(s); err != nil {
			return s.wrong(fmt.Errorf("upstream: %w", err))
		}
	}
	if err := s.loadAcceptances(ctx); err != nil {
		return s.wrong(err)
	}
	s.warnOfPayments()
	s.warnOfModels()
	v, _, err := pool.LoadOrNew(s.poolKey(), func() (caddy.Destructor, error) { return openBooks(s.ID, s.state, ctx.Logger()) })
	if err != nil {
		return s.wrong(err)
	}
	s.books, s.pooled = v.(*Books), true
	if s.books.seller != s.ID {
		return s.wrong(fmt.Errorf("state %s is used by seller %s: give each seller a file of its own", s.state, s.books.seller))
	}
	return nil
}

// resolve replaces the placeholders of the config.
func (s *Seller) resolve() error {
	repl := caddy.NewReplacer()
	for _, f := range []struct {
		word     string
		from, to *string
	}{{"name", &s.Name, &s.name}, {"url", &s.URL, &s.url}, {"state", &s.State, &s.state}} {
		if *f.from == "" {
			continue
		}
		v, err := repl.ReplaceOrErr(*f.from, true, true)
		if err != nil || v == "" {
			return fmt.Errorf("%s: a placeholder in %q is unknown or empty", f.word, *f.from)
		}
		*f.to = v
	}
	if s.state == "" && s.Upstream != nil {
		s.state = filepath.Join(caddy.AppDataDir(), directive, s.ID+".json")
	}
	if s.state == "" {
		return nil
	}
	abs, err := filepath.Abs(s.state)
	s.state = abs
	return err
}

func (s *Seller) setDefaults() {
	if s.name == "" {
		s.name = s.ID
	}
	if s.Models == nil && s.Upstream == nil {
		s.Models = []Model{{ID: "toy-1", InputPrice: new(money.USD / 2), OutputPrice: new(2 * money.USD)}}
	}
	if s.TokenTTL == 0 {
		s.TokenTTL = caddy.Duration(time.Hour)
	}
	if s.MaxCreditMicros == 0 {
		s.MaxCreditMicros = 100 * money.USD
	}
	if s.Pace == nil {
		s.Pace = new(caddy.Duration(40 * time.Millisecond))
	}
	if s.Settlement == "" {
		s.Settlement = settleByEvent
	}
	if s.SettlementAt == "" {
		s.SettlementAt = settleAtEnd
	}
	if s.Payment == nil && s.AcceptancesRaw == nil && s.AnyInsecurely == nil {
		s.Payment = []string{mock}
	}
}

func (s *Seller) wrong(err error) error {
	return fmt.Errorf("%s %s: %w", directive, s.ID, err)
}

// Cleanup gives the books back. Requests that are still served hold them on their own.
func (s *Seller) Cleanup() error {
	s.Upstream.close()
	for _, end := range s.ends {
		end()
	}
	s.ends = nil
	if !s.pooled {
		return nil
	}
	s.pooled = false
	_, err := pool.Delete(s.poolKey())
	return err
}

// pool keeps the books of all sellers in this process, so that what was sold before a reload is good after it.
var pool = caddy.NewUsagePool()

func (s *Seller) poolKey() string {
	if s.state != "" {
		return "file " + s.state
	}
	return "id " + s.ID
}

// hold gives the books for one request, which may outlive its config, and what gives them back.
func (s *Seller) hold() (*Books, func(), *refusal) {
	v, _, err := pool.LoadOrNew(s.poolKey(), s.reopened)
	if err != nil {
		return nil, nil, unavailable("the books of this seller can't be read just now; try again later")
	}
	books := v.(*Books)
	release := func() {
		if _, err := pool.Delete(s.poolKey()); err != nil {
			books.warn(err)
		}
	}
	if err := books.claim(); err != nil {
		books.warn(err)
		release()
		return nil, nil, unavailable("the books of this seller can't be written just now; try again later")
	}
	return books, release, nil
}

// reopened gives books for a request that comes when its config, the last one that held them, has gone. The files of those may still be
// closing, and are read anew once they are.
func (s *Seller) reopened() (caddy.Destructor, error) {
	if s.state == "" {
		return s.books, nil // there is nothing of them anywhere else
	}
	return newBooks(s.ID, s.state, s.logger), nil
}

// ServeHTTP serves the seller's own paths; its refusals are answers in the shape of the API that was called.
func (s *Seller) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	var refused *refusal
	form := formOpenAI
	get, post := r.Method == http.MethodGet || r.Method == http.MethodHead, r.Method == http.MethodPost
	e, kept := endpoints[r.URL.Path], s.Upstream != nil && keptResponse(r)
	if kept || post && (e != nil || r.URL.Path == wire.PurchaseCreatePath || r.URL.Path == wire.PurchaseCompletePath) {
		w.Header().Set(wire.HeaderRequestID, answerID(r))
	}
	switch {
	case get && r.URL.Path == wire.HealthPath:
		if s.Upstream != nil && !s.Upstream.catalog.well(r.Context()) {
			refused = unavailable("what this seller sells is away")
			break
		}
		w.WriteHeader(http.StatusOK)
	case get && r.URL.Path == registryPath:
		s.serveRegistry(w, r)
	case post && r.URL.Path == wire.PurchaseCreatePath:
		refused = s.sell(w, r, s.create)
	case post && r.URL.Path == wire.PurchaseCompletePath:
		refused = s.sell(w, r, s.complete)
	case post && e != nil:
		form = e.form
		switch {
		case wire.Replayable(r):
			refused = tooEarly()
		case s.Upstream != nil:
			refused = s.resell(w, r)
		default:
			refused = s.infer(w, r, e)
		}
	case kept:
		refused = &refusal{status: http.StatusNotFound, code: "not_found", message: "this seller keeps no responses to look at"}
	default:
		return next.ServeHTTP(w, r)
	}
	if refused != nil {
		refused.write(w, form)
	}
	return nil
}

// answerID is what an answer is known by: what the buyer calls the request, so that both sides find it by one name, else a name of its own.
func answerID(r *http.Request) string {
	if id := r.Header.Get(wire.HeaderRequestID); wire.FitID(id) {
		return id
	}
	return newID("req_")
}

// keptResponse tells whether a request is about a response that an upstream may have kept: it would be anybody's.
func keptResponse(r *http.Request) bool {
	_, _, ok := dialect.StoredResponse(r.Method, r.URL.Path)
	return ok
}

var (
	_ caddy.Provisioner           = (*Seller)(nil)
	_ caddy.CleanerUpper          = (*Seller)(nil)
	_ caddyhttp.MiddlewareHandler = (*Seller)(nil)
)
