package gateway

import (
	"context"
	"encoding/json"
	"errors"

	"go.uber.org/zap"

	"github.com/tokenbuddy/caddy-tokenbuddy/guestcall"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/payment"
	"github.com/tokenbuddy/caddy-tokenbuddy/purchase"
)

// Method is a payment method that a config has loaded. It may outlive the config: a purchase that is under way goes on by it.
type Method struct {
	purchase.NamedMethod

	users   references
	cleanup func()
}

// NewMethod gives a loaded method, used by its config until Release. cleanup is called when nothing uses it any more.
func NewMethod(name string, m payment.Method, cleanup func()) *Method {
	method := &Method{NamedMethod: purchase.NamedMethod{Name: name, Method: m}, cleanup: cleanup}
	method.users.Store(1)
	return method
}

// Release says that one of its users is gone.
func (m *Method) Release() {
	if m.users.give() {
		m.cleanup()
	}
}

// Leave is Release for a config that goes: it may be the last user, where the config never came into force, and what the guest does at its end is
// nothing to wait for.
func (m *Method) Leave(log *zap.Logger) {
	if out := guestcall.End(m.Release); out.Fault != "" {
		log.Warn("payment.method.misbehaved", zap.String("method", m.Name), zap.String("step", "cleanup"), zap.String("fault", string(out.Fault)))
	}
}

// offer has purchases be paid by the methods of a config that starts, until the gateway needs them no more.
func (gw *Gateway) offer(methods []*Method) {
	for _, m := range methods {
		if m.users.take() {
			gw.methods = append(gw.methods, m.NamedMethod)
			gw.needs = append(gw.needs, gw.desk.Offer(m.NamedMethod, m.Release))
		} else {
			gw.nameMethods([]*Method{m})
		}
	}
}

// nameMethods says which methods the sellers of a late request may take. Those of its config may be cleaned up by now:
// purchases are paid by the newest of the name, if there is one.
func (gw *Gateway) nameMethods(methods []*Method) {
	for _, m := range methods {
		gw.methods = append(gw.methods, purchase.NamedMethod{Name: m.Name, Method: goneMethod{}})
	}
}

// goneMethod stands for a method whose config is gone. It pays nothing.
type goneMethod struct{}

var errMethodGone = errors.New("the config that had this payment method is gone")

func (goneMethod) Check(payment.Quote, money.Micros) error { return errMethodGone }

func (goneMethod) Prepare(context.Context, payment.Quote) (json.RawMessage, error) {
	return nil, errMethodGone
}

func (goneMethod) Pay(context.Context, payment.Quote, json.RawMessage) (payment.Outcome, error) {
	return payment.Outcome{}, errMethodGone
}

func (goneMethod) Track(context.Context, payment.Quote, json.RawMessage) (payment.Outcome, error) {
	return payment.Outcome{}, errMethodGone
}
