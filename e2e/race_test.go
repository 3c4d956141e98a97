//go:build race

package e2e

// raced says that the race detector is in the binary, and with it in the Caddy that the tests start: times mean nothing then.
const raced = true
