package wire

import (
	"encoding/json"
	"net/http"

	"github.com/tidwall/gjson"
)

// InsufficientFunds tells whether an error answer of a seller says that the credit behind the token is not enough: status
// 402, or any error status with a JSON error that says so.
func InsufficientFunds(status int, body []byte) bool {
	if status == http.StatusPaymentRequired {
		return true
	}
	// Not gjson's check: it recurses, and a deeply nested body would overflow the stack, which ends the process.
	if status < 400 || !json.Valid(body) {
		return false
	}
	for _, path := range []string{"error.code", "error.type", "code", "type"} {
		switch gjson.GetBytes(body, path).String() {
		case "insufficient_funds", "insufficient_balance", "insufficient_quota":
			return true
		}
	}
	return false
}
