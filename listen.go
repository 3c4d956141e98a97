package tokenbuddy

import (
	"fmt"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyevents"
	"go.uber.org/zap"

	"github.com/tokenbuddy/caddy-tokenbuddy/events"
)

// listen has the handlers of Caddy's events app hear of what happens. They get it from a goroutine of its own, and once all apps have
// been started: as it starts, in no order with ours, the events app enters its handlers where it is asked whether there are any.
func (a *App) listen() {
	app := a.events
	wants := func(name string) bool { return app.ShouldEmit(name) }
	a.listener = events.Listen(wants, func(name string, data map[string]any) {
		defer func() {
			if fault := recover(); fault != nil {
				a.log.Error("event.handler.panicked", zap.String("event", name), zap.String("fault", fmt.Sprint(fault)))
			}
		}()
		app.Emit(a.ctx, name, data)
	})
}

// eventsOf gives Caddy's events app.
func eventsOf(ctx caddy.Context) (*caddyevents.App, error) {
	app, err := ctx.App("events")
	if err != nil {
		return nil, fmt.Errorf("getting the events app: %w", err)
	}
	return app.(*caddyevents.App), nil
}
