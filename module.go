// Package tokenbuddy is a Caddy HTTP handler that turns a Caddy into a team's one gateway to many sellers of language model
// tokens: it picks a seller for the model that is asked for, attaches a bearer token that was bought ahead, passes the
// answer through byte for byte, and books what it cost.
package tokenbuddy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/tokenbuddy/caddy-tokenbuddy/admin"
	"github.com/tokenbuddy/caddy-tokenbuddy/command"
	"github.com/tokenbuddy/caddy-tokenbuddy/config"
	"github.com/tokenbuddy/caddy-tokenbuddy/fleet"
	"github.com/tokenbuddy/caddy-tokenbuddy/fleet/postgres"
	"github.com/tokenbuddy/caddy-tokenbuddy/gateway"
	"github.com/tokenbuddy/caddy-tokenbuddy/guestcall"
	"github.com/tokenbuddy/caddy-tokenbuddy/market"
	"github.com/tokenbuddy/caddy-tokenbuddy/page"
	"github.com/tokenbuddy/caddy-tokenbuddy/payment"
	"github.com/tokenbuddy/caddy-tokenbuddy/payment/clawtip"
	commandpay "github.com/tokenbuddy/caddy-tokenbuddy/payment/command"
	"github.com/tokenbuddy/caddy-tokenbuddy/payment/x402"
	"github.com/tokenbuddy/caddy-tokenbuddy/routing"
	"github.com/tokenbuddy/caddy-tokenbuddy/selection"
)

// All that the module brings is registered here, so that there is one place to see what is in the box.
func init() {
	caddy.RegisterModule(new(App))
	caddy.RegisterModule(new(Handler))
	caddy.RegisterModule(admin.API{})
	caddy.RegisterModule(page.API{})
	caddy.RegisterModule(payment.Mock{})
	caddy.RegisterModule(new(x402.Method))
	caddy.RegisterModule(new(clawtip.Method))
	caddy.RegisterModule(new(commandpay.Method))
	caddy.RegisterModule(new(postgres.Postgres))
	for _, policy := range routing.Policies {
		caddy.RegisterModule(policy)
	}

	caddycmd.RegisterCommand(command.Command())

	httpcaddyfile.RegisterHandlerDirective("tokenbuddy", parseCaddyfile)
	httpcaddyfile.RegisterDirectiveOrder("tokenbuddy", httpcaddyfile.Before, "reverse_proxy")
}

// Handler is the gateway: it answers the paths of the model APIs and gives all other requests to the next handler.
//
// This handler sets placeholders, as soon as their values are known:
//
// Placeholder | Description
// ------------|---------------
// `{http.tokenbuddy.member}` | The member that the request is of
// `{http.tokenbuddy.group}` | The group that the member is in, if any
// `{http.tokenbuddy.project}` | The project that the client has named, if any
// `{http.tokenbuddy.model}` | The id of the model that is served, after aliases
// `{http.tokenbuddy.seller}` | The id of the seller whose answer it is, else of the one that was asked last
// `{http.tokenbuddy.billed_micros}` | What the seller took, in millionths of a US dollar; 0 while that is not booked. It is there once the request has ended, if a seller was asked
type Handler struct {
	config.Config

	settings   *config.Settings
	policy     selection.Policy
	policyEnds func()
	methods    []*gateway.Method
	fleet      *market.FleetOptions // nil: this gateway is in none
	ctx        caddy.Context
	log        *zap.Logger
	app        *App
	door       *gateway.Door
}

// CaddyModule returns the Caddy module information.
func (*Handler) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.tokenbuddy", New: func() caddy.Module { return new(Handler) }}
}

// Provision resolves the configuration and loads the guest modules. It opens, fetches and buys nothing.
func (h *Handler) Provision(ctx caddy.Context) error {
	h.ctx, h.log = ctx, ctx.Logger()
	repl, ok := ctx.Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
	if !ok {
		repl = caddy.NewReplacer()
	}
	settings, err := h.Settings(repl)
	if err != nil {
		return err
	}
	h.settings = settings
	h.doubt(h.Doubts(settings))
	if err := h.loadPolicy(ctx); err != nil {
		return err
	}
	if err := h.loadMethods(ctx); err != nil {
		return err
	}
	if err := h.loadFleet(ctx); err != nil {
		return err
	}
	h.door = gateway.NewDoor(h.log, h.open)
	h.door.Page = settings.Page
	app, err := ctx.App("tokenbuddy")
	if err != nil {
		return fmt.Errorf("getting the tokenbuddy app: %w", err)
	}
	h.app = app.(*App)
	return h.app.enlist(h)
}

// doubt warns of what is seldom meant.
func (h *Handler) doubt(doubts []config.Doubt) {
	for _, d := range doubts {
		h.log.Warn("config.doubtful", zap.String("at", d.Word), zap.String("hint", d.Hint))
	}
}

func (h *Handler) loadPolicy(ctx caddy.Context) error {
	if h.SelectionRaw == nil {
		h.policy = routing.DefaultFirst{}
		return nil
	}
	ctx.Context = context.WithoutCancel(ctx.Context)
	own, cancel := caddy.NewContext(ctx) // it is ended where a fault of it is minded
	name := "?"
	h.policyEnds = func() { endPolicy(h.log, name, cancel) }
	mod, err := own.LoadModule(h, "SelectionRaw")
	if err != nil {
		return fmt.Errorf("loading the selection policy: %w", err)
	}
	name = mod.(caddy.Module).CaddyModule().ID.Name()
	if h.policy, err = routing.PolicyOf(mod); err != nil {
		return fmt.Errorf("loading the selection policy: %w", err)
	}
	return nil
}

// endPolicy cleans up a policy, which may be somebody else's, and does not wait for one that takes its time.
func endPolicy(log *zap.Logger, name string, cancel func()) {
	if out := guestcall.End(cancel); out.Fault != "" {
		log.Warn("selection.policy.failed", zap.String("policy", name), zap.String("call", "cleanup"), zap.String("reason", "it "+string(out.Fault)),
			zap.String("hint", "it is left behind"))
	}
}

// loadMethods loads each payment method in a context of its own, as it may be asked about a purchase when this config is gone.
func (h *Handler) loadMethods(ctx caddy.Context) error {
	lasting := ctx
	lasting.Context = context.WithoutCancel(ctx.Context)
	names := make(map[string]bool, len(h.PaymentsRaw))
	for _, raw := range h.PaymentsRaw {
		own, cancel := caddy.NewContext(lasting)
		name, method, err := loadMethod(own, raw)
		if err == nil && names[name] {
			err = fmt.Errorf("%s is there twice: give each its own name", name)
		}
		if err != nil {
			gateway.NewMethod(name, method, cancel).Leave(h.log)
			return fmt.Errorf("loading the payment methods: %w", err)
		}
		names[name] = true
		h.methods = append(h.methods, gateway.NewMethod(name, method, cancel))
	}
	h.PaymentsRaw = nil
	return nil
}

// loadFleet loads the store of the fleet in a context of its own: what it opens goes on when this config is gone.
func (h *Handler) loadFleet(ctx caddy.Context) error {
	if h.settings.Fleet == nil {
		return nil
	}
	ctx.Context = context.WithoutCancel(ctx.Context)
	own, cancel := caddy.NewContext(ctx)
	f := h.settings.Fleet
	h.fleet = &market.FleetOptions{
		Engine: market.NewEngine(nil, cancel, h.log), // until Cleanup, which comes where the following fails as well
		Config: f.String(), Name: f.Name, HoldOut: f.HoldOut, Wait: f.Wait, Books: f.Books, Tokens: f.Tokens, PurchaseAhead: f.PurchaseAhead,
	}
	mod, err := own.LoadModule(h.Fleet, "StoreRaw")
	if err != nil {
		return fmt.Errorf("loading the store of the fleet: %w", err)
	}
	engine, ok := mod.(fleet.Engine)
	if !ok {
		return fmt.Errorf("loading the store of the fleet: module %T is no fleet.Engine", mod)
	}
	h.fleet.Engine.Engine = engine
	return nil
}

// methodName is what a payment method may be called: an account of the ledger is named after it.
var methodName = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

func loadMethod(ctx caddy.Context, raw json.RawMessage) (name string, method payment.Method, err error) {
	one := struct {
		Raw json.RawMessage `caddy:"namespace=http.tokenbuddy.payment inline_key=method"`
	}{raw}
	mod, err := ctx.LoadModule(&one, "Raw")
	if err != nil {
		return "", nil, err
	}
	method, ok := mod.(payment.Method)
	if !ok {
		return "", nil, fmt.Errorf("module %T is no payment.Method", mod)
	}
	name = mod.(caddy.Module).CaddyModule().ID.Name()
	if named, ok := mod.(payment.Named); ok {
		name = named.MethodName()
	}
	if !methodName.MatchString(name) {
		return "", nil, fmt.Errorf("module %T is called %q: expected 1 to 64 letters, digits, '.', '_' or '-'", mod, name)
	}
	return name, method, nil
}

// open opens the gateway: for the config when it starts, or for a late request of one that is gone.
func (h *Handler) open(current bool) (*gateway.Gateway, error) {
	if !current && caddy.Exiting() {
		return nil, errors.New("the gateway is shutting down")
	}
	return gateway.Open(gateway.Options{
		Settings: h.settings, Policy: h.policy, Methods: h.methods, Context: h.ctx, Log: h.log, SharedLog: h.app.log, Shutdown: shutdown, Current: current,
		Fleet: h.fleet,
	})
}

// ServeHTTP answers the paths of the model APIs; everything else goes to the next handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	return h.door.ServeHTTP(w, r, next)
}

// Cleanup gives up what the config held. Requests in flight outlive it; when the process exits it waits until they, and those
// of older configs, are booked.
func (h *Handler) Cleanup() error {
	for _, m := range h.methods {
		m.Leave(h.log) // before the gateway does: guests are cleaned up where a fault of theirs is minded
	}
	h.methods = nil
	if h.policyEnds != nil {
		h.policyEnds()
		h.policyEnds = nil
	}
	if h.fleet != nil {
		h.fleet.Engine.Release()
	}
	if h.door == nil {
		return nil // it was never provisioned whole
	}
	h.door.Retire()
	if h.settings != nil {
		market.Unwanted(h.settings.LedgerDir)
	}
	if !caddy.Exiting() {
		return nil
	}
	// All servers are stopped by now; a settlement that is still to come is waited for as long as a stream would be.
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	defer context.AfterFunc(shutdown, func() { time.AfterFunc(shutdownSlack, cancel) })()
	return gateway.AwaitRetired(ctx)
}

var (
	_ caddy.Provisioner           = (*Handler)(nil)
	_ caddy.CleanerUpper          = (*Handler)(nil)
	_ caddyhttp.MiddlewareHandler = (*Handler)(nil)
	_ caddyfile.Unmarshaler       = (*Handler)(nil)
)
