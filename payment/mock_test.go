package payment_test

import (
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/tokenbuddy/caddy-tokenbuddy/payment"
)

func TestMock(t *testing.T) {
	if id := (payment.Mock{}).CaddyModule().ID; id != "http.tokenbuddy.payment.mock" {
		t.Errorf("module %s", id)
	}
	for text, ok := range map[string]bool{
		"mock": true, "mock {\n}": true, "mock now": false, "mock {\n\tfast\n}": false,
	} {
		err := new(payment.Mock).UnmarshalCaddyfile(caddyfile.NewTestDispenser(text))
		if (err == nil) != ok {
			t.Errorf("%q: %v", text, err)
		}
	}
	for _, pay := range []func() (payment.Outcome, error){
		func() (payment.Outcome, error) { return payment.Mock{}.Pay(t.Context(), payment.Quote{}, nil) },
		func() (payment.Outcome, error) { return payment.Mock{}.Track(t.Context(), payment.Quote{}, nil) },
	} {
		if o, err := pay(); err != nil || o.Kind != payment.OutcomeProven || string(o.Proof) != "{}" {
			t.Errorf("outcome %+v, %v", o, err)
		}
	}
}
