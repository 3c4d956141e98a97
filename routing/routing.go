// Package routing owns the choice of the seller that serves a request: the registry's document, the index of models made
// from it, what is known of each seller's health, the selection policies, and what is done when an attempt fails.
//
// The way of the data is one way. A [Registry] fetches and keeps the [Document] in the background, and a [Table] makes an
// immutable [Index] of it for each config. Of a model's candidates a few are kept ready, chosen anew in the background when
// the document or a circuit changes and with each sweep. A request only looks things up there and lets a [selection.Policy] order
// what is ready. Nothing on that last stretch waits, locks, allocates, or looks at all sellers.
package routing
