// Command caddy is Caddy with the tokenbuddy gateway and the reference seller built in.
package main

import (
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/tokenbuddy/caddy-tokenbuddy"
	_ "github.com/tokenbuddy/caddy-tokenbuddy/seller"
	_ "github.com/tokenbuddy/caddy-tokenbuddy/seller/facilitator"
)

func main() {
	caddycmd.Main()
}
