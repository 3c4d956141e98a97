// Package e2e tries the gateway through the doors that its users use: a Caddy process with the module in it, a Caddyfile,
// HTTP clients, the official SDKs, signals and the admin endpoint. It holds tests alone.
package e2e
