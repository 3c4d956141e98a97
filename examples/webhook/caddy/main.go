// Command caddy is Caddy with the gateway, the reference seller, and the event handler of this example in it.
package main

import (
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "example.com/webhook"
	_ "github.com/tokenbuddy/caddy-tokenbuddy"
	_ "github.com/tokenbuddy/caddy-tokenbuddy/seller"
)

func main() { caddycmd.Main() }
