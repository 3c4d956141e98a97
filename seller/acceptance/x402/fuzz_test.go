package x402

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/tokenbuddy/caddy-tokenbuddy/payment/x402"
	"github.com/tokenbuddy/caddy-tokenbuddy/payment/x402/eip3009"
	"github.com/tokenbuddy/caddy-tokenbuddy/seller/acceptance"
)

// FuzzAccept: whatever a buyer sends as a proof, it is let pass only where it is signed for this order, and what is said of it
// quotes nothing of it.
func FuzzAccept(f *testing.F) {
	a := &Acceptance{Config: Config{
		PayTo: "0x8a8089de7E7235Cf008eF478c50FA17CCBcd4176", Network: "eip155:84532", Facilitator: "http://127.0.0.1:1", RPC: "http://127.0.0.1:1",
	}}
	if err := a.Provision(caddy.Context{}); err != nil {
		f.Fatal(err)
	}
	o := acceptance.Order{PurchaseID: "p", OrderID: "o", Origin: "https://acme.example", AmountMicros: 500_000}
	payment, err := a.Offer(o)
	if err != nil {
		f.Fatal(err)
	}
	o.Payment = payment
	key, err := eip3009.ParseKey(strings.Repeat("17", 32))
	if err != nil {
		f.Fatal(err)
	}
	_, accepted, err := wanted(o)
	if err != nil {
		f.Fatal(err)
	}
	auth := eip3009.Authorization{
		From: key.Address(), To: a.payTo, Value: eip3009.NewUint256(500_000), ValidBefore: eip3009.NewUint256(uint64(time.Now().Add(time.Hour).Unix())),
		Nonce: x402.Nonce(o.Origin, o.PurchaseID),
	}
	good, err := json.Marshal(x402.Payload{Version: 2, Accepted: accepted, Payload: x402.Signed{
		Signature: key.Sign(auth.Digest(a.domain)).Text(), Authorization: x402.Authorization{
			From: auth.From.String(), To: auth.To.String(), Value: "500000", ValidAfter: "0", ValidBefore: auth.ValidBefore.String(), Nonce: auth.Nonce.String(),
		},
	}})
	if err != nil {
		f.Fatal(err)
	}
	if v := a.Accept(o, good); v.Kind != acceptance.KindToSettle {
		f.Fatalf("the right one: %+v", v)
	}
	f.Add(good)
	f.Add([]byte(`{"x402Version":2,"payload":{"signature":"0x","authorization":{"from":"0x"}},"accepted":{}}`))
	f.Fuzz(func(t *testing.T, proof []byte) {
		v := a.Accept(o, proof)
		if v.Kind == acceptance.KindToSettle {
			got, sig, _, err := x402.ReadPayload(proof)
			from, recovered := eip3009.Recover(got.Digest(a.domain), sig)
			if err != nil || recovered != nil || from != got.From || got.Nonce != auth.Nonce || got.To != a.payTo || got.Value != auth.Value {
				t.Fatalf("let pass: %s", proof)
			}
		}
		if v.Kind == acceptance.KindPaid || len(proof) > 8 && strings.Contains(v.Reason, string(proof)) {
			t.Fatalf("%+v", v)
		}
	})
}
