package gateway

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
)

// bare is a gateway that nothing is behind, with the one reference that Open gives.
func bare(current bool) *Gateway {
	gw := &Gateway{closed: make(chan struct{})}
	gw.references.Store(1)
	gw.retired.Store(!current)
	return gw
}

func opensBare(current bool) (*Gateway, error) { return bare(current), nil }

func isClosed(gw *Gateway) bool {
	select {
	case <-gw.closed:
		return true
	default:
		return false
	}
}

// waiting has a request wait at a door, and gives what became of it.
func waiting(ctx context.Context, d *Door) func() (*Gateway, error) {
	var gw *Gateway
	var err error
	done := make(chan struct{})
	go func() {
		defer close(done)
		gw, err = d.enter(ctx)
	}()
	return func() (*Gateway, error) {
		<-done
		return gw, err
	}
}

func TestDoorWaiting(t *testing.T) {
	broken := errors.New("the disk is full")
	for _, test := range []struct {
		name string
		open func(bool) (*Gateway, error)
		do   func(d *Door, leave context.CancelFunc)
		want string // in the request's error; empty: it got in
	}{
		{"the config starts", opensBare, func(d *Door, _ context.CancelFunc) { _ = d.Open() }, ""},
		{"the config is refused", opensBare, func(d *Door, _ context.CancelFunc) { d.Refuse(broken) }, "the disk is full"},
		{"it can't be opened and is then refused", func(bool) (*Gateway, error) { return nil, broken }, func(d *Door, _ context.CancelFunc) {
			d.Refuse(d.Open())
		}, "the disk is full"},
		{"it is given up before its start", opensBare, func(d *Door, _ context.CancelFunc) { d.Retire() }, "given up before it was started"},
		{"another of its config fails after it was opened", opensBare, func(d *Door, _ context.CancelFunc) {
			_ = d.Open()
			d.Refuse(broken)
		}, ""},
		{"the client goes", opensBare, func(_ *Door, leave context.CancelFunc) { leave() }, context.Canceled.Error()},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, leave := context.WithCancel(t.Context())
				defer leave()
				d := NewDoor(nil, test.open)
				request := waiting(ctx, d)
				synctest.Wait()
				test.do(d, leave)
				gw, err := request()
				switch {
				case test.want == "" && (err != nil || gw == nil):
					t.Errorf("it did not get in: %v", err)
				case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
					t.Errorf("it got %v, want an error with %q", err, test.want)
				}
			})
		})
	}
}

func TestDoorRetire(t *testing.T) {
	var opened []*Gateway
	d := NewDoor(nil, func(current bool) (*Gateway, error) {
		opened = append(opened, bare(current))
		return opened[len(opened)-1], nil
	})
	left := false
	if err := d.Open(); err != nil {
		t.Fatal(err)
	}
	opened[0].joined = []func(){func() { left = true }}
	gw, err := d.enter(t.Context())
	if err != nil || gw != opened[0] {
		t.Fatal(gw, err)
	}
	d.Retire()
	d.Retire()
	if !left || isClosed(gw) {
		t.Errorf("with a request in flight: it goes on for the config: %v, closed: %v", !left, isClosed(gw))
	}
	late, err := d.enter(t.Context())
	if err != nil || late != gw {
		t.Fatal("a second request does not share what the first one keeps open", err)
	}
	late.leave()
	gw.leave()
	if !isClosed(gw) {
		t.Error("the last request has left, and the gateway is open")
	}
	late, err = d.enter(t.Context())
	if err != nil || len(opened) != 2 || late != opened[1] || !late.retired.Load() {
		t.Fatal("a late request gets no gateway of its own", err)
	}
	late.leave()
	if !isClosed(late) {
		t.Error("the late request's gateway is open")
	}
}

func TestDoorRefusedStaysRefused(t *testing.T) {
	d := NewDoor(nil, opensBare)
	d.Retire()
	if err := d.Open(); !errors.Is(err, errNotStarted) {
		t.Errorf("a door that was given up opens: %v", err)
	}
}

// What a config has joined it leaves when it goes, the last first; what its requests need they keep.
func TestRetireOrder(t *testing.T) {
	gw := bare(true)
	var order []string
	note := func(s string) func() { return func() { order = append(order, s) } }
	gw.joined = []func(){note("terms"), note("prewarm")}
	gw.needs = []func(){note("market"), note("carrier")}
	if !gw.enter() {
		t.Fatal("closed")
	}
	gw.Retire()
	order = append(order, "retired")
	gw.leave()
	if got, want := strings.Join(order, " "), "prewarm terms retired carrier market"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if gw.enter() {
		t.Error("a closed gateway lets a request in")
	}
}

func TestAwaitRetired(t *testing.T) {
	current, old := bare(true), bare(true)
	for _, gw := range []*Gateway{current, old} {
		gateways.Store(gw, gw)
		defer gateways.Delete(gw)
	}
	old.enter()
	old.Retire()
	over, stop := context.WithCancel(t.Context())
	stop()
	if err := AwaitRetired(over); err == nil || !strings.Contains(err.Error(), "1 requests were still open") {
		t.Errorf("with a request in flight: %v", err)
	}
	old.leave()
	if err := AwaitRetired(over); err != nil {
		t.Errorf("with none: %v", err)
	}
}
