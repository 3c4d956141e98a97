package guestload

import (
	"context"

	"github.com/caddyserver/caddy/v2"
)

// Context gives a guest a context that its config's end does not end. cancel does, once, and cleans up what was loaded in it; leave only ends
// it, so that a guest that was left behind, and waits for that, comes back to be cleaned up.
func Context(ctx caddy.Context) (own caddy.Context, cancel, leave func()) {
	ctx.Context, leave = context.WithCancel(context.WithoutCancel(ctx.Context))
	own, cleanUp := caddy.NewContext(ctx)
	return own, func() { leave(); cleanUp() }, leave
}
