package gateway

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"go.uber.org/zap"
)

// Door is where the requests of one config come in: they wait there until the config is started, and are let go where it is
// refused.
type Door struct {
	open func(current bool) (*Gateway, error)
	log  *zap.Logger

	gateway atomic.Pointer[Gateway]
	decided chan struct{} // closed when the first gateway is open, or refused is set
	opening sync.Mutex    // held while a gateway is opened; protects refused
	refused error         // why none was opened
}

// NewDoor gives a door behind which open opens the gateway; current says whether it is for the config, or for a late request.
func NewDoor(log *zap.Logger, open func(current bool) (*Gateway, error)) *Door {
	return &Door{open: open, log: log, decided: make(chan struct{})}
}

// Open opens the gateway and lets in who waits. It is called once, when the config is sure to be meant.
func (d *Door) Open() error {
	d.opening.Lock()
	defer d.opening.Unlock()
	if d.refused != nil {
		return d.refused
	}
	gw, err := d.open(true)
	if err != nil {
		return err
	}
	d.gateway.Store(gw)
	close(d.decided)
	return nil
}

// Refuse ends the waiting of requests that came in for a config that is then refused.
func (d *Door) Refuse(err error) {
	d.opening.Lock()
	defer d.opening.Unlock()
	if d.gateway.Load() == nil && d.refused == nil {
		d.refused = err
		close(d.decided)
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
	if gw := d.gateway.Load(); gw.enter() {
		return gw, nil
	}
	gw, err := d.open(false)
	if err != nil {
		return nil, err
	}
	gw.inherit(d.gateway.Load())
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
