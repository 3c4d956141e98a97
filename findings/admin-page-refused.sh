#!/usr/bin/env bash
# Caddy's admin endpoint refuses a browser that comes by typing the address, and lets it in where the empty origin is allowed.
#
# Seen 2026-11-27 with Caddy 2.11.9 and Chromium's headers. A request with a Sec-Fetch-Mode is held to the allowed origins, by its Origin or
# else its Referer; a navigation that nothing links to has neither, and so the origin ''. curl, which sends none of the
# three, is let in. The word "" among the origins lets such a navigation in, and nothing of another site.
set -euo pipefail
tmp=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; rm -rf "$tmp"' EXIT
cd "$tmp"
export GOMODCACHE=$tmp/modules GOFLAGS='-modcacherw -trimpath'
cat >main.go <<'GO'
package main

import (
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	_ "github.com/caddyserver/caddy/v2/modules/standard"
)

func main() { caddycmd.Main() }
GO
{ go mod init probe && go get github.com/caddyserver/caddy/v2/cmd@v2.11.9 github.com/caddyserver/caddy/v2/modules/standard@v2.11.9; } 2>go.log || { cat go.log; exit 1; }
go list -m github.com/caddyserver/caddy/v2
go build -o caddy .
export HOME=$tmp XDG_DATA_HOME=$tmp XDG_CONFIG_HOME=$tmp

ask() { # port, name, headers
	local port=$1 name=$2 header all=()
	shift 2
	for header in "$@"; do all+=(-H "$header"); done
	echo "$name: $(curl -s -o /dev/null -w '%{http_code}' "${all[@]}" "http://localhost:$port/config/")"
}
typed=("Sec-Fetch-Mode: navigate" "Sec-Fetch-Site: none")
for origins in "" 'origins localhost:22519 ""'; do
	printf '{\n\tadmin localhost:22519 {\n\t\t%s\n\t}\n}\n' "$origins" >"$tmp/Caddyfile"
	rm -f "$tmp/log"
	"$tmp/caddy" run --config "$tmp/Caddyfile" --adapter caddyfile 2>"$tmp/log" &
	until grep -qs 'serving initial' "$tmp/log"; do sleep 0.1; done
	echo "with ${origins:-no origins}"
	ask 22519 'curl'
	ask 22519 'the address is typed' "${typed[@]}"
	ask 22519 'a fetch of the same origin' "Sec-Fetch-Mode: cors" "Referer: http://localhost:22519/x"
	ask 22519 'a fetch of another site' "Sec-Fetch-Mode: cors" "Origin: https://evil.example"
	ask 22519 'a frame of another site' "Sec-Fetch-Mode: navigate" "Referer: https://evil.example/"
	kill $!
	wait $! 2>/dev/null || true
done | tee "$tmp/seen"
diff - "$tmp/seen" <<'SEEN' || { echo 'not as it was seen'; exit 1; }
with no origins
curl: 200
the address is typed: 403
a fetch of the same origin: 200
a fetch of another site: 403
a frame of another site: 403
with origins localhost:22519 ""
curl: 200
the address is typed: 200
a fetch of the same origin: 200
a fetch of another site: 403
a frame of another site: 403
SEEN
