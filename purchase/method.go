package purchase

import "github.com/tokenbuddy/caddy-tokenbuddy/payment"

// What payment methods are made of, as this package speaks of it.
type (
	Method  = payment.Method
	Quote   = payment.Quote
	Outcome = payment.Outcome
	Mock    = payment.Mock
)

// NamedMethod is a method with the name that sellers know it by.
type NamedMethod struct {
	Name   string
	Method Method
}
