// Package tokenbuddy is a Caddy HTTP handler that turns a Caddy into a team's one gateway to many sellers of language model
// tokens: it picks a seller for the model that is asked for, attaches a bearer token that was bought ahead, passes the
// answer through byte for byte, and books what it cost.
package tokenbuddy

import (
	"context"
	"errors"
	"fmt"
	"net/http"
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
	"github.com/tokenbuddy/caddy-tokenbuddy/fleet/postgres"
	"github.com/tokenbuddy/caddy-tokenbuddy/gateway"
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
