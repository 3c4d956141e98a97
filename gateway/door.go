package gateway

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/tokenbuddy/caddy-tokenbuddy/dialect"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
)

// Door is where the requests of one config come in: they wait there until the config is started, and are let go where it is
// refused.
type Door struct {
	// Page says that members find their own rows on the site. It is set before the first request comes.
	Page bool

	open func(current bool) (*Gateway, error)
	log  *zap.Logger

	gateway atomic.Pointer[Gateway]
	decided chan struct{} // closed when the first gateway is open, or it is known why there is none
	gone    chan struct{} // closed when the config is refused or given up
	opening sync.Mutex    // held while a gateway is opened; protects what follows
	known   bool          // decided is closed
	refused error         // why none was opened, and none will be
	full    error         // why none is open yet: its ledger's disk has no room
}

// NewDoor gives a door behind which open opens the gateway; current says whether it is for the config, or for a late request.
func NewDoor(log *zap.Logger, open func(current bool) (*Gateway, error)) *Door {
	return &Door{open: open, log: log, decided: make(chan struct{}), gone: make(chan struct{})}
}

// Open opens the gateway and lets in who waits. It is called once, when the config is sure to be meant. A ledger whose disk is
// full is no error, as all other sites of the Caddy would go with the config: it is opened as soon as there is room, and requests
// are refused until then.
func (d *Door) Open() error {
	d.opening.Lock()
	defer d.opening.Unlock()
	if d.refused != nil {
		return d.refused
	}
	gw, err := d.open(true)
	switch {
	case ledger.NoRoom(err):
		d.full = err
		d.log.Error("ledger.disk.full", zap.Error(err))
		go d.awaitRoom()
	case err != nil:
		return err
	default:
		d.gateway.Store(gw)
	}
	d.decide()
	return nil
}

// decide lets those go on who wait for the config's start. The caller holds opening.
func (d *Door) decide() {
	if !d.known {
		d.known = true
		close(d.decided)
	}
}

// roomEvery is how often it is tried to open a gateway whose disk was full.
const roomEvery = 2 * time.Second

// awaitRoom opens the gateway once there is room for its ledger, unless the config goes before.
func (d *Door) awaitRoom() {
	tick := time.NewTicker(roomEvery)
	defer tick.Stop()
	for {
		select {
		case <-d.gone:
			return
		case <-tick.C:
		}
		if d.openLate() {
			return
		}
	}
}

// openLate tries to open a gateway whose disk was full; true: there is nothing left to try. Whatever else is wrong by now may
// be mended too.
func (d *Door) openLate() bool {
	d.opening.Lock()
	defer d.opening.Unlock()
	if d.refused != nil {
		return true
	}
	gw, err := d.open(true)
	if err != nil {
		if !ledger.NoRoom(err) {
			d.log.Error("ledger.open.failed", zap.Error(err))
		}
		d.full = err
		return false
	}
	d.full = nil
	d.gateway.Store(gw)
	d.log.Info("ledger.disk.recovered")
	return true
}

// Refuse ends the waiting of requests that came in for a config that is then refused.
func (d *Door) Refuse(err error) {
	d.opening.Lock()
	defer d.opening.Unlock()
	if d.gateway.Load() == nil && d.refused == nil {
		d.refused = err
		close(d.gone)
		d.decide()
	}
}

// enter gives a request the gateway, with a reference that it gives back with leave. It waits until the config is started. A
// request may come to a config after that was retired (it was on its way when the reload came): it opens the gateway again,
// just for itself.
func (d *Door) enter(ctx context.Context) (*Gateway, error) {
	if gw := d.gateway.Load(); gw != nil && gw.enter() {
		return gw, nil
	}
	select {
	case <-d.decided:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	d.opening.Lock()
	defer d.opening.Unlock()
	if d.refused != nil {
		return nil, fmt.Errorf("the config was refused: %w", d.refused)
	}
	before := d.gateway.Load()
	if before == nil {
		return nil, fmt.Errorf("the ledger is not open: %w", d.full)
	}
	if before.enter() {
		return before, nil
	}
	gw, err := d.open(false)
	if err != nil {
		return nil, err
	}
	gw.inherit(before)
	d.gateway.Store(gw) // opened with one reference, which is now the request's
	return gw, nil
}

// errNotStarted is for requests of a config that is given up before it was started.
var errNotStarted = errors.New("it was given up before it was started")

// Retire gives up what the config held, and lets those go who still wait for its start. Requests in flight outlive it. It may be
// called again.
func (d *Door) Retire() {
	d.Refuse(errNotStarted)
	if gw := d.gateway.Load(); gw != nil {
		gw.Retire()
	}
}

// closed is what a client is told whom the door does not let in.
func (d *Door) closed(err error) *dialect.Refusal {
	if ledger.NoRoom(err) { // the log has it
		return unbooked(err)
	}
	d.log.Error("proxy.request.refused", zap.Error(err))
	return dialect.NoSeller(time.Second)
}
