// Package tokenbuddy is a Caddy HTTP handler that turns a Caddy into a team's one gateway to many sellers of language model
// tokens: it picks a seller for the model that is asked for, attaches a bearer token that was bought ahead, passes the
// answer through byte for byte, and books what it cost.
package tokenbuddy

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/tokenbuddy/caddy-tokenbuddy/admin"
	"github.com/tokenbuddy/caddy-tokenbuddy/command"
	"github.com/tokenbuddy/caddy-tokenbuddy/payment"
	"github.com/tokenbuddy/caddy-tokenbuddy/payment/clawtip"
	commandpay "github.com/tokenbuddy/caddy-tokenbuddy/payment/command"
	"github.com/tokenbuddy/caddy-tokenbuddy/payment/x402"
	"github.com/tokenbuddy/caddy-tokenbuddy/purchase"
	"github.com/tokenbuddy/caddy-tokenbuddy/routing"
)

// All that the module brings is registered here, so that there is one place to see what is in the box.
func init() {
	caddy.RegisterModule(new(App))
	caddy.RegisterModule(new(Handler))
	caddy.RegisterModule(admin.API{})
	caddy.RegisterModule(purchase.Mock{})
	caddy.RegisterModule(new(x402.Method))
	caddy.RegisterModule(new(clawtip.Method))
	caddy.RegisterModule(new(commandpay.Method))
	for _, policy := range routing.Policies {
		caddy.RegisterModule(policy)
	}

	caddycmd.RegisterCommand(command.Command())

	httpcaddyfile.RegisterHandlerDirective("tokenbuddy", parseCaddyfile)
	httpcaddyfile.RegisterDirectiveOrder("tokenbuddy", httpcaddyfile.Before, "reverse_proxy")
}

// Handler is the gateway: it answers the paths of the model APIs and gives all other requests to the next handler.
type Handler struct {
	Config

	set     *settings
	policy  routing.Policy
	methods map[string]purchase.NamedMethod
	logger  *zap.Logger

	gateway  atomic.Pointer[gateway]
	started  chan struct{} // closed when the first gateway is open, or failed is set
	starting sync.Mutex    // held while a gateway is opened
	failed   error         // why none was opened; the config is refused
}

// CaddyModule returns the Caddy module information.
func (*Handler) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.tokenbuddy", New: func() caddy.Module { return new(Handler) }}
}

// Provision resolves the configuration and loads the guest modules. It opens, fetches and buys nothing.
func (h *Handler) Provision(ctx caddy.Context) error {
	h.logger = ctx.Logger()
	h.started = make(chan struct{})
	repl, ok := ctx.Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
	if !ok {
		repl = caddy.NewReplacer()
	}
	set, err := h.settings(repl)
	if err != nil {
		return err
	}
	h.set = set
	if err := h.loadPolicy(ctx); err != nil {
		return err
	}
	if err := h.loadMethods(ctx); err != nil {
		return err
	}
	app, err := ctx.App("tokenbuddy")
	if err != nil {
		return fmt.Errorf("getting the tokenbuddy app: %w", err)
	}
	return app.(*App).enlist(h)
}

func (h *Handler) loadPolicy(ctx caddy.Context) error {
	if h.SelectionRaw == nil {
		h.policy = routing.DefaultFirst{}
		return nil
	}
	mod, err := ctx.LoadModule(h, "SelectionRaw")
	if err != nil {
		return fmt.Errorf("loading the selection policy: %w", err)
	}
	policy, ok := mod.(routing.Policy)
	if !ok {
		return fmt.Errorf("loading the selection policy: module %T is no routing.Policy", mod)
	}
	h.policy = policy
	return nil
}

func (h *Handler) loadMethods(ctx caddy.Context) error {
	mods, err := ctx.LoadModule(h, "PaymentsRaw")
	if err != nil {
		return fmt.Errorf("loading the payment methods: %w", err)
	}
	h.methods = make(map[string]purchase.NamedMethod)
	for _, mod := range mods.([]any) {
		method, ok := mod.(purchase.Method)
		if !ok {
			return fmt.Errorf("loading the payment methods: module %T is no purchase.Method", mod)
		}
		name := mod.(caddy.Module).CaddyModule().ID.Name()
		if named, ok := mod.(payment.Named); ok {
			name = named.MethodName()
		}
		if _, there := h.methods[name]; there {
			return fmt.Errorf("loading the payment methods: %s is there twice: give each its own name", name)
		}
		h.methods[name] = purchase.NamedMethod{Name: name, Method: method}
		h.set.methods = append(h.set.methods, name)
	}
	return nil
}

// start opens the gateway. The app calls it once the config is sure to be meant.
func (h *Handler) start() error {
	h.starting.Lock()
	defer h.starting.Unlock()
	gw, err := openGateway(h, true)
	if err != nil {
		return err
	}
	h.gateway.Store(gw)
	close(h.started)
	return nil
}

// refuse ends the waiting of requests that came in for a config that is then refused.
func (h *Handler) refuse(err error) {
	h.starting.Lock()
	defer h.starting.Unlock()
	if h.gateway.Load() == nil {
		h.failed = err
		close(h.started)
	}
}

// enter gives a request the gateway, with a reference that it gives back with leave. It waits for the app's start. A
// request may reach the handler of an old config after that was cleaned up (it was on its way when the reload came): it
// opens the gateway again, just for itself.
func (h *Handler) enter(ctx context.Context) (*gateway, error) {
	if gw := h.gateway.Load(); gw != nil && gw.enter() {
		return gw, nil
	}
	select {
	case <-h.started:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	h.starting.Lock()
	defer h.starting.Unlock()
	if h.failed != nil {
		return nil, fmt.Errorf("the config was refused: %w", h.failed)
	}
	if gw := h.gateway.Load(); gw.enter() {
		return gw, nil
	}
	if caddy.Exiting() {
		return nil, fmt.Errorf("the gateway is shutting down")
	}
	gw, err := openGateway(h, false)
	if err != nil {
		return nil, err
	}
	h.gateway.Store(gw) // opened with one reference, which is now the request's
	return gw, nil
}

// Cleanup gives up what the config held. Requests in flight outlive it; when the process exits it waits until they, and those
// of older configs, are booked.
func (h *Handler) Cleanup() error {
	gw := h.gateway.Load()
	if gw == nil {
		return nil
	}
	gw.retire()
	if !caddy.Exiting() {
		return nil
	}
	// All servers are stopped by now; a settlement that is still to come is waited for as long as a stream would be.
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	defer context.AfterFunc(shutdown, func() { time.AfterFunc(shutdownSlack, cancel) })()
	return awaitRetired(ctx)
}

var (
	_ caddy.Provisioner           = (*Handler)(nil)
	_ caddy.CleanerUpper          = (*Handler)(nil)
	_ caddyhttp.MiddlewareHandler = (*Handler)(nil)
	_ caddyfile.Unmarshaler       = (*Handler)(nil)
)
