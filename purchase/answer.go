package purchase

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/wire"
)

// refusalCodes are what a seller can refuse a purchase with.
var refusalCodes = []string{"order_expired", "order_unknown", "payment_refused", "amount_refused", "idempotency_conflict"}

// errPaymentRefused is the refusal that is about the payment.
const errPaymentRefused = refusal("payment_refused")

// refusalCode gives the code of a refusal in JSON; empty where the answer is none.
func refusalCode(status int, body []byte) string {
	var says struct {
		Error json.RawMessage `json:"error"`
	}
	var code struct {
		Code string `json:"code"`
	}
	if status < 400 || wire.Decode(body, &says) != nil || wire.Decode(says.Error, &code) != nil || !slices.Contains(refusalCodes, code.Code) {
		return ""
	}
	return code.Code
}

// readCreated says what an answer to create means, if it is no order. Nothing is paid yet: whoever does not want to sell says so
// with any status of the client's fault.
func readCreated(status int, body []byte, whole bool) error {
	switch code := refusalCode(status, body); {
	case status/100 == 2 && !whole:
		return refusal("the answer is too large")
	case status/100 == 2:
		return nil
	case whole && code != "":
		return refusal(code)
	case status == http.StatusConflict:
		return refusal("status 409: our purchase id was used for something else")
	case status/100 == 4 && status != http.StatusRequestTimeout && status != http.StatusTooEarly && status != http.StatusTooManyRequests:
		return refusal("status " + strconv.Itoa(status))
	}
	return unknownFate("status " + strconv.Itoa(status))
}

// readCompleted says what an answer to complete means, if it is neither a grant nor what should be one. Money has left: whatever
// is no refusal of the protocol may come from a proxy, or from a seller that does not know yet.
func readCompleted(status int, body []byte, whole bool) error {
	switch code := refusalCode(status, body); {
	case whole && code != "":
		return refusal(code)
	case status/100 != 2:
		return unknownFate("status " + strconv.Itoa(status))
	case !whole:
		return unknownFate("the answer is too large")
	case !isObject(body):
		return unknownFate("the answer is not one JSON object")
	}
	return nil
}

// readCashed is readCompleted for a method that knows what became of its money. There a bare 402 is the seller's no: it is what a
// stock x402 seller answers, with a body of {} and its reasons in headers, and the method's word decides what it means.
func readCashed(status int, body []byte, whole bool) error {
	if status == http.StatusPaymentRequired && (!whole || refusalCode(status, body) == "") {
		return refusal("status 402")
	}
	return readCompleted(status, body, whole)
}

func isObject(body []byte) bool {
	var members map[string]json.RawMessage
	return json.Unmarshal(body, &members) == nil && members != nil
}

// readOrder reads and checks an order: nothing is paid that was not asked for.
func readOrder(body []byte, asked money.Micros) (wire.Order, error) {
	var o wire.Order
	if wire.Decode(body, &o) != nil {
		return o, refusal("the order is not an object of the right kind")
	}
	switch {
	case o.OrderID == "" || len(o.OrderID) > maxID:
		return o, refusal("the order has no usable id")
	case o.Currency != "USD":
		return o, refusal("the order is not in USD")
	case o.AmountMicros <= 0:
		return o, refusal("the order's amount is not above zero")
	case o.AmountMicros > asked:
		return o, refusal("the order's amount is more than was asked for")
	}
	return o, nil
}

// grant is wire.Grant, lenient where nothing depends on it: what is unreadable there must not cost us the token.
type grant struct {
	AccessToken      string          `json:"accessToken"`
	CreditMicros     json.RawMessage `json:"creditMicros"`
	ExpiresAt        json.RawMessage `json:"expiresAt"`
	PaymentReference json.RawMessage `json:"paymentReference"`
}

// readGrant reads and checks what a seller has granted. The token still lacks what the purchase knows.
func readGrant(body []byte) (t ledger.Token, reference string, err error) {
	var g grant
	if wire.Decode(body, &g) != nil {
		return t, "", voidGrant("the grant is not an object of the right kind")
	}
	credit, whole := money.Whole(g.CreditMicros) // a seller whose numbers are all floats was paid as well
	switch {
	case g.AccessToken == "":
		return t, "", voidGrant("the grant has no access token")
	case !headerValue(g.AccessToken):
		return t, "", voidGrant("the access token is too long, or not fit for a header")
	case !whole || credit == 0 || money.Micros(credit) > money.Max:
		return t, "", voidGrant("the grant's credit is not above zero, or absurd")
	}
	var expires string
	if json.Unmarshal(g.ExpiresAt, &expires) == nil {
		t.ExpiresAt = wire.Time(expires)
	}
	if json.Unmarshal(g.PaymentReference, &reference) != nil || len(reference) > maxID {
		reference = ""
	}
	t.Secret, t.CreditMicros, t.BalanceMicros = g.AccessToken, money.Micros(credit), money.Micros(credit)
	return t, reference, nil
}

// headerValue tells whether a token may stand in a header as it is.
func headerValue(s string) bool {
	return len(s) <= maxToken && !strings.Contains(s, " ") && wire.Printable(s)
}

// headerName tells whether a text is a header's name, of the plain kind.
func headerName(s string) bool {
	for i := range len(s) {
		if c := s[i]; c != '-' && (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return s != ""
}
