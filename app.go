package tokenbuddy

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyevents"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/tokenbuddy/caddy-tokenbuddy/admin"
	"github.com/tokenbuddy/caddy-tokenbuddy/events"
	"github.com/tokenbuddy/caddy-tokenbuddy/market"
)

// App gives the gateway a real start and stop. A handler alone has none: Provision also runs for `caddy validate` and for
// configs that are then refused, and side effects (opening the ledger, fetching the registry, buying) must not. The
// handlers of a config ask for it; it needs no configuration of its own.
type App struct {
	ctx      caddy.Context
	log      *zap.Logger           // of what outlives the config, as long as it is the newest
	handlers map[string][]*Handler // by the ledger directory that they share
	events   *caddyevents.App
	listener *events.Listener // nil before the start
}

// CaddyModule returns the Caddy module information.
func (*App) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "tokenbuddy", New: func() caddy.Module { return new(App) }}
}

// Provision listens for the end of the start, and of the process: streams are told in time to end themselves.
func (a *App) Provision(ctx caddy.Context) error {
	a.ctx = ctx
	a.log = ctx.Logger()
	if err := admin.RegisterMetrics(ctx.GetMetricsRegistry()); err != nil {
		return fmt.Errorf("registering metrics: %w", err)
	}
	var err error
	if a.events, err = eventsOf(ctx); err != nil {
		return err
	}
	if err := a.events.On("started", started{a}); err != nil {
		return err
	}
	return a.events.On("stopping", stopping{a})
}

// enlist adds a handler of this config. Handlers of one ledger directory, by whatever name, must agree on what they share.
func (a *App) enlist(h *Handler) error {
	dir, err := market.Resolve(h.settings.LedgerDir)
	if err != nil {
		return fmt.Errorf("ledger directory %s: %w", h.settings.LedgerDir, err)
	}
	for _, other := range a.handlers[dir] {
		if err := other.settings.Agree(h.settings); err != nil {
			return fmt.Errorf("two tokenbuddy sites share the ledger %s but not %w", dir, err)
		}
		h.doubt(h.settings.DoubtsBeside(other.settings))
	}
	if a.handlers == nil {
		a.handlers = make(map[string][]*Handler)
	}
	a.handlers[dir] = append(a.handlers[dir], h)
	return nil
}

// Start opens what the handlers work with. Requests that came before it wait for it. What was opened before one failed is
// given up by Cleanup, which Caddy calls for a config that it refuses.
func (a *App) Start() error {
	a.listen()
	for _, shared := range a.handlers {
		for _, h := range shared {
			if err := h.door.Open(); err != nil {
				a.refuse(err)
				return err
			}
		}
	}
	return nil
}

// refuse lets the requests go that wait for the start of this config.
func (a *App) refuse(err error) {
	for _, shared := range a.handlers {
		for _, h := range shared {
			h.door.Refuse(err)
		}
	}
}

// Stop ends the telling of events, whose handlers go with the config. Apps are stopped in any order, and the site is to serve until
// its own app is: what the handlers work with is given up in their Cleanup, which comes after all apps were stopped.
func (a *App) Stop() error {
	if a.listener != nil {
		a.listener.Release()
	}
	return nil
}

// Cleanup does the same where a start has failed half-way.
func (a *App) Cleanup() error { return a.Stop() }

const (
	// defaultPatience is how long streams go on after a shutdown began, where no grace period is set. The unit file that
	// comes with Caddy kills after 5 s.
	defaultPatience = 3 * time.Second
	// shutdownSlack is what is left to streams that were told to end, to say so and to be booked.
	shutdownSlack = time.Second
)

// patience is how long streams may go on once the process is to exit: until one second before the grace period is over.
func (a *App) patience() time.Duration {
	app, err := a.ctx.AppIfConfigured("http")
	if err != nil {
		return defaultPatience
	}
	httpApp, ok := app.(*caddyhttp.App)
	if !ok {
		return defaultPatience
	}
	grace := defaultPatience
	if httpApp.GracePeriod > 0 {
		grace = max(0, time.Duration(httpApp.GracePeriod)-shutdownSlack)
	}
	return time.Duration(httpApp.ShutdownDelay) + grace
}

// shutdown is done when all streams of the process are to end, and all waiting for sellers. A config's context would be
// wrong for this: it is done after every reload.
var shutdown, endStreams = context.WithCancel(context.Background())

// countdown sees to it that the end of the process is scheduled once, however many configs hear of it.
var countdown sync.Once

// started hears Caddy's event of that name, which comes when all apps have been started.
type started struct{ app *App }

// Handle begins the telling of events.
func (s started) Handle(context.Context, caddy.Event) error {
	s.app.listener.Begin()
	return nil
}

// stopping hears Caddy's event of that name, which comes before any app is stopped, for a reload and for an exit alike.
type stopping struct{ app *App }

// Handle starts the countdown when the process is to exit.
func (s stopping) Handle(context.Context, caddy.Event) error {
	if caddy.Exiting() {
		countdown.Do(func() { time.AfterFunc(s.app.patience(), endStreams) })
	}
	return nil
}

var (
	_ caddy.App           = (*App)(nil)
	_ caddy.Provisioner   = (*App)(nil)
	_ caddy.CleanerUpper  = (*App)(nil)
	_ caddyevents.Handler = started{}
	_ caddyevents.Handler = stopping{}
)
