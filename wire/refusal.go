package wire

import "encoding/json"

// The codes by which a seller refuses a purchase for good.
const (
	OrderExpired        = "order_expired"
	OrderUnknown        = "order_unknown"
	PaymentRefused      = "payment_refused"
	AmountRefused       = "amount_refused"
	IdempotencyConflict = "idempotency_conflict"
)

// PurchaseRefusal gives the code of a seller's refusal of a purchase. It is false for everything else, which is no "no": an empty
// body, a web page, JSON without one of these codes.
func PurchaseRefusal(body []byte) (code string, ok bool) {
	var answer struct {
		Error struct {
			Code any `json:"code"`
		} `json:"error"`
	}
	if json.Unmarshal(body, &answer) != nil {
		return "", false
	}
	switch answer.Error.Code {
	case OrderExpired, OrderUnknown, PaymentRefused, AmountRefused, IdempotencyConflict:
		code, ok = answer.Error.Code.(string)
	}
	return code, ok
}
