package wire

import "testing"

func TestPurchaseRefusal(t *testing.T) {
	for body, want := range map[string]string{
		`{"error":{"code":"order_expired"}}`:               "order_expired",
		`{"error":{"code":"order_unknown","message":"m"}}`: "order_unknown",
		`{"error":{"code":"payment_refused"},"x":1}`:       "payment_refused",
		`{"error":{"code":"amount_refused"}}`:              "amount_refused",
		`{"error":{"code":"idempotency_conflict"}}`:        "idempotency_conflict",
		`{"error":{"code":"rate_limited"}}`:                "",
		`{"error":{"code":7}}`:                             "",
		`{"error":"order_expired"}`:                        "",
		`{"code":"order_expired"}`:                         "",
		`{"error":{"code":"order_expired"}`:                "",
		`[{"error":{"code":"order_expired"}}]`:             "",
		`<html>order_expired`:                              "",
		``:                                                 "",
	} {
		if code, ok := PurchaseRefusal([]byte(body)); code != want || ok != (want != "") {
			t.Errorf("%s: %q, %v", body, code, ok)
		}
	}
}
