package wire

import (
	"encoding/json"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestDecode(t *testing.T) {
	order := Order{OrderID: "o", AmountMicros: 5, Currency: "USD", Payment: json.RawMessage(`{"a": "<&>",  "b":1.50}`)}
	for name, tc := range map[string]struct {
		data string
		want *Order // nil: refused
	}{
		"camelCase":        {`{"orderId":"o","amountMicros":5,"currency":"USD","payment":{"a": "<&>",  "b":1.50}}`, &order},
		"snake_case":       {`{"order_id":"o","amount_micros":5,"currency":"USD","payment":{"a": "<&>",  "b":1.50}}`, &order},
		"both, camel 1st":  {`{"orderId":"o","order_id":"x","amountMicros":5,"amount_micros":"x","currency":"USD"}`, &Order{OrderID: "o", AmountMicros: 5, Currency: "USD"}},
		"both, snake 1st":  {`{"order_id":"x","orderId":"o"}`, &Order{OrderID: "o"}},
		"null gives way":   {`{"orderId":null,"order_id":"o"}`, &Order{OrderID: "o"}},
		"null is missing":  {`{"orderId":null,"amountMicros":null,"payment":null}`, &Order{}},
		"other members":    {`{"orderId":"o","order":{"orderId":"x"},"x_y":1,"_":2,"":3}`, &Order{OrderID: "o"}},
		"other spellings":  {`{"orderId":"o","orderid":"x","OrderId":"x","ORDER_ID":"x","order__id":"x","orderID":"x"}`, &Order{OrderID: "o"}},
		"escaped name":     {`{"order\u0049d":"o"}`, &Order{OrderID: "o"}},
		"empty":            {`{}`, &Order{}},
		"spaces around":    {" \r\n\t{\"orderId\":\"o\"} \n", &Order{OrderID: "o"}},
		"null":             {`null`, nil},
		"a list":           {`[]`, nil},
		"a string":         {`"o"`, nil},
		"nothing":          {``, nil},
		"two objects":      {`{}{}`, nil},
		"cut":              {`{"orderId":"o"`, nil},
		"nested too deep":  {strings.Repeat(`{"a":`, 1_000_000), nil},
		"number as string": {`{"amountMicros":"5"}`, nil},
		"fraction":         {`{"amountMicros":5.0}`, nil},
		"exponent":         {`{"amountMicros":5e0}`, nil},
		"over 64 bits":     {`{"amountMicros":9223372036854775808}`, nil},
		"string as number": {`{"orderId":5}`, nil},
		"twin of a kind":   {`{"order_id":5}`, nil},
	} {
		var o Order
		err := Decode([]byte(tc.data), &o)
		if (err == nil) != (tc.want != nil) || err == nil && !reflect.DeepEqual(o, *tc.want) {
			t.Errorf("%s: %+v, %v", name, o, err)
		}
	}
}

func TestDecodeErrorQuotesNothing(t *testing.T) {
	for _, data := range []string{
		`{"creditMicros":4711.5}`, `{"creditMicros":"4711"}`, `{"accessToken":4711}`, `{"accessToken":"4711"`, `4711`,
		`{"accessToken":{"4711":1}}`,
	} {
		if err := Decode([]byte(data), new(Grant)); err == nil || strings.Contains(err.Error(), "4711") {
			t.Errorf("%s: %v", data, err)
		}
	}
}

// Every body of the protocol reads what it writes, also with its names in snake_case.
func TestDecodeBodies(t *testing.T) {
	for _, body := range []any{
		&CreatePurchase{PurchaseID: "p", ModelID: "m", PaymentMethod: "mock", AmountMicros: 1},
		&Order{OrderID: "o", AmountMicros: 1, Currency: "USD", Payment: json.RawMessage(`{}`), ExpiresAt: "x"},
		&CompletePurchase{PurchaseID: "p", OrderID: "o", PaymentMethod: "mock", Proof: json.RawMessage(`{"a":1}`)},
		&Grant{AccessToken: "t", ExpiresAt: "x", CreditMicros: 1, PaymentReference: "r"},
	} {
		data, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		snaked := string(data)
		for _, name := range []string{"purchaseId", "modelId", "paymentMethod", "amountMicros", "orderId", "expiresAt", "accessToken", "creditMicros", "paymentReference"} {
			snaked = strings.ReplaceAll(snaked, `"`+name+`"`, `"`+snake(name)+`"`)
		}
		if strings.ContainsAny(strings.ReplaceAll(snaked, "USD", ""), "ABCDEFGHIJKLMNOPQRSTUVWXYZ") {
			t.Fatalf("not in snake_case: %s", snaked)
		}
		for _, s := range []string{string(data), snaked} {
			got := reflect.New(reflect.TypeOf(body).Elem()).Interface()
			if err := Decode([]byte(s), got); err != nil || !reflect.DeepEqual(got, body) {
				t.Errorf("%s: %+v, %v", s, got, err)
			}
		}
	}
}

func TestHeadersAreCanonical(t *testing.T) {
	for _, name := range []string{
		HeaderPrefix, HeaderIdempotencyKey, HeaderRequestID, HeaderDeadline, HeaderRegistryTooLarge, headerSettlementID,
		headerBilled, headerBalance, headerPromptTokens, headerCompletionTokens, headerCacheReadTokens,
	} {
		if http.CanonicalHeaderKey(name) != name {
			t.Errorf("%s would not be found in a header", name)
		}
	}
}

func TestQuery(t *testing.T) {
	for _, c := range []struct{ own, client, want string }{
		{"", "", ""},
		{"", "a=1&a=2", "a=1&a=2"},
		{"a=1", "", "a=1"},
		{"a=1&b=2", "c=3&d", "a=1&b=2&c=3&d"},
		{"api-version=1&key=k%2Fv", "beta=true&api-version=2&%6bey=x&API-Version=3&key", "api-version=1&key=k%2Fv&beta=true"},
		{"a%zz=1", "a%zz=2&b=%zz", "a%zz=1&b=%zz"},
	} {
		if got := Query(c.own, c.client); got != c.want {
			t.Errorf("%q and %q: %q, want %q", c.own, c.client, got, c.want)
		}
	}
}

func TestTime(t *testing.T) {
	for s, want := range map[string]time.Time{
		"2026-06-02T10:00:00Z":          time.Date(2026, 6, 2, 10, 0, 0, 0, time.UTC),
		"2026-06-02T10:00:00.5+02:00":   time.Date(2026, 6, 2, 8, 0, 0, 500_000_000, time.UTC),
		"2026-06-02t10:00:00z":          time.Date(2026, 6, 2, 10, 0, 0, 0, time.UTC), // as RFC 3339 allows
		"2026-06-02 10:00:00":           {},
		"1780000000":                    {},
		"":                              {},
		"2026-13-02T10:00:00Z":          {},
		"2026-06-02T10:00:00Z tomorrow": {},
		"9999-12-31T23:59:59-12:00":     time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC), // JSON knows no later year
		"0000-01-01T00:00:00+12:00":     {},
	} {
		if got := Time(s); got != want {
			t.Errorf("%q: %s, want %s", s, got, want)
		}
	}
}

func TestInsufficientFunds(t *testing.T) {
	for _, tc := range []struct {
		status int
		body   string
		want   bool
	}{
		{402, ``, true},
		{402, `not JSON`, true},
		{403, `{"error":{"code":"insufficient_funds"}}`, true},
		{429, `{"error":{"message":"x","type":"insufficient_quota","code":null}}`, true},
		{400, `{"code":"insufficient_balance"}`, true},
		{500, `{"type":"insufficient_funds"}`, true},
		{200, `{"error":{"code":"insufficient_funds"}}`, false},
		{302, `{"error":{"code":"insufficient_funds"}}`, false},
		{429, `{"error":{"code":"rate_limit_exceeded"}}`, false},
		{429, `{"error":{"message":"insufficient_quota"}}`, false},
		{429, `{"error":"insufficient_quota"}`, false},
		{429, `{"error":{"code":"insufficient_quota"}`, false},
		{429, `["insufficient_quota"]`, false},
		{400, ``, false},
		{400, strings.Repeat("[", 5_000_000), false},
	} {
		if got := InsufficientFunds(tc.status, []byte(tc.body)); got != tc.want {
			t.Errorf("%d %.60s: %v", tc.status, tc.body, got)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"order_id":"o","amountMicros":5,"amount_micros":6,"payment":{"a": 1},"Currency":"x","currency":null}`))
	f.Add([]byte(`{"orderId":"\ud800","order__id":1,"expiresAt":[],"payment":null}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var a, b Order
		errA, errB := Decode(data, &a), Decode(data, &b)
		if (errA == nil) != (errB == nil) || errA == nil && !reflect.DeepEqual(a, b) {
			t.Fatal("decoded twice, two results")
		}
		if errA != nil {
			return
		}
		if len(a.Payment) > 0 && !strings.Contains(string(data), string(a.Payment)) {
			t.Fatalf("the payment is not as it stands there: %s", a.Payment)
		}
		// What it writes it reads.
		again, err := json.Marshal(a)
		if err != nil {
			t.Fatal(err)
		}
		var c Order
		if err := Decode(again, &c); err != nil || c.OrderID != a.OrderID || c.AmountMicros != a.AmountMicros || c.Currency != a.Currency {
			t.Fatalf("%+v came back as %+v, %v", a, c, err)
		}
	})
}
