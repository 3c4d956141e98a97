// Package wire is the seller protocol as it stands on the wire: its JSON bodies, its headers and its limits, the same for
// the gateway and for a seller.
package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// The paths of a seller beside those of the model APIs.
const (
	HealthPath           = "/healthz"
	PurchaseCreatePath   = "/purchase/create"
	PurchaseCompletePath = "/purchase/complete"
)

// The headers of the protocol. Everything that begins with HeaderPrefix is between gateway and seller and goes no further.
const (
	HeaderPrefix           = "X-Tokenbuddy-"
	HeaderIdempotencyKey   = "Idempotency-Key"
	HeaderRequestID        = "X-Request-Id"
	HeaderDeadline         = "X-Tokenbuddy-Deadline-Ms"
	HeaderRegistryTooLarge = "X-Tokenbuddy-Registry-Too-Large"
)

// ByteOrderMark is what some programs put before the JSON, or the events, that they send, though it is of neither.
const ByteOrderMark = "\xef\xbb\xbf"

// TrimMark leaves out a byte order mark that a body begins with.
func TrimMark(body []byte) []byte { return bytes.TrimPrefix(body, []byte(ByteOrderMark)) }

// CreatePurchase is the body of a request to PurchaseCreatePath.
type CreatePurchase struct {
	PurchaseID    string       `json:"purchaseId"`
	ModelID       string       `json:"modelId"`
	PaymentMethod string       `json:"paymentMethod"`
	AmountMicros  money.Micros `json:"amountMicros"`
}

// Order is a seller's answer to CreatePurchase: what is to be paid, and what the payment method needs to pay it.
type Order struct {
	OrderID      string          `json:"orderId"`
	AmountMicros money.Micros    `json:"amountMicros"`
	Currency     string          `json:"currency"`
	Payment      json.RawMessage `json:"payment,omitempty"`
	ExpiresAt    string          `json:"expiresAt,omitempty"`
}

// CompletePurchase is the body of a request to PurchaseCompletePath.
type CompletePurchase struct {
	PurchaseID    string          `json:"purchaseId"`
	OrderID       string          `json:"orderId"`
	PaymentMethod string          `json:"paymentMethod"`
	Proof         json.RawMessage `json:"proof"`
}

// Grant is a seller's answer to CompletePurchase: the credential and the credit behind it.
type Grant struct {
	AccessToken      string       `json:"accessToken"`
	ExpiresAt        string       `json:"expiresAt,omitempty"`
	CreditMicros     money.Micros `json:"creditMicros"`
	PaymentReference string       `json:"paymentReference,omitempty"`
}

// Time reads an RFC 3339 time; the zero time when there is none that can be read.
func Time(s string) time.Time {
	t, err := time.Parse(time.RFC3339, strings.ToUpper(s)) // its letters may be small ones
	if err != nil {
		return time.Time{}
	}
	return InCalendar(t)
}

// InCalendar gives a time in UTC that a record and JSON can hold. Near the ends of the calendar another zone's time is of no year that can
// be written: what is after the end is at it, what is before the beginning is none.
func InCalendar(t time.Time) time.Time {
	switch t = t.UTC(); {
	case t.Year() > 9999:
		return time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)
	case t.Year() < 1:
		return time.Time{}
	}
	return t
}

// Decode reads one JSON object into the struct that v points to. Only the names in the struct's json tags are read, spelled
// exactly so or as the snake_case twin; the twin counts where the camelCase member is missing or null. A member that is
// null is one that is missing. Raw members come as the bytes that stand there.
//
// The error never quotes the data: it may hold a secret. What v holds after an error has no meaning.
func Decode(data []byte, v any) error {
	var members map[string]json.RawMessage
	if json.Unmarshal(data, &members) != nil || members == nil {
		return errors.New("not one JSON object")
	}
	for field, value := range reflect.ValueOf(v).Elem().Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if name == "" {
			continue
		}
		raw := members[name]
		if missing(raw) {
			raw = members[snake(name)]
		}
		if !missing(raw) && json.Unmarshal(raw, value.Addr().Interface()) != nil {
			return fmt.Errorf("member %s is not of its kind", name)
		}
	}
	return nil
}

func missing(raw json.RawMessage) bool { return len(raw) == 0 || string(raw) == "null" }

// snake gives a camelCase name in snake_case.
func snake(name string) string {
	var b strings.Builder
	for i := range len(name) {
		if c := name[i]; 'A' <= c && c <= 'Z' {
			b.WriteByte('_')
			b.WriteByte(c + 'a' - 'A')
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}
