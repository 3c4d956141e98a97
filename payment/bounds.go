package payment

import "github.com/tokenbuddy/caddy-tokenbuddy/money"

// Bounded is a Method with a limit of its own, beside those of the purchase subdirective: what it may pay on one UTC day, over
// restarts. It is checked in the transaction that counts the purchase. Zero: none.
type Bounded interface {
	MostPerDay() money.Micros
}

// Payee is a Method that knows whom a quote would pay: an address, an account, in the words of the rail and at most 128 bytes.
// The first one that a seller, by id and origin, was paid at is kept, and a quote that names another one is refused before
// anything is prepared. Empty: it need not be kept, as where the operator has named it.
type Payee interface {
	Payee(q Quote) string
}
