// Package routing owns the choice of the seller that serves a request: the registry's document, the index of models made
// from it, and the selection policies.
//
// The way of the data is one way. A [Registry] fetches and keeps the [Document] in the background, a [Table] makes an
// immutable [Index] of it for each config, and a request only looks things up there and lets a [Policy] order what it
// found. Nothing on that last stretch waits, locks, allocates, or looks at all sellers.
package routing
