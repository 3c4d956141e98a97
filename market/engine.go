package market

import (
	"sync"

	"go.uber.org/zap"

	"github.com/tokenbuddy/caddy-tokenbuddy/fleet"
	"github.com/tokenbuddy/caddy-tokenbuddy/guestcall"
)

// Engine is a fleet's engine that a config has loaded. It may outlive the config: a market that has opened the store goes on with it.
type Engine struct {
	fleet.Engine

	cleanup func()
	log     *zap.Logger

	mu    sync.Mutex
	users int // the config, and the market that has opened it
	gone  sync.Once
}

// NewEngine gives an engine, used by its config until Release; nil: it is set before a market is opened with it. cleanup is called once, when
// nothing uses it any more: it may panic, or not return, and log is told where it does; nil: nobody is.
func NewEngine(e fleet.Engine, cleanup func(), log *zap.Logger) *Engine {
	return &Engine{Engine: e, cleanup: cleanup, log: log, users: 1}
}

// hold keeps the engine until another Release.
func (e *Engine) hold() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.users++
}

// Release says that one of its users is gone.
func (e *Engine) Release() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.users--; e.users == 0 {
		e.gone.Do(e.end) // a late request of a config that is gone may have it used, and released, once more
	}
}

// end gives up the engine, and waits no longer than a moment for it.
func (e *Engine) end() {
	if out := guestcall.End(e.cleanup); out.Fault != "" && e.log != nil {
		e.log.Error("fleet.store.misbehaved", zap.String("call", "cleanup"), zap.String("fault", string(out.Fault)), zap.ByteString("stack", out.Stack))
	}
}
