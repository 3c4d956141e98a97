#!/usr/bin/env bash
# A reload of Caddy on Linux ends no request, and resets clients that are just connecting.
#
# Seen 2026-11-29 with Caddy 2.11.9 (go1.26, Linux), a site that answers with a word, and clients that connect for each request. The new config
# listens by a socket of its own (SO_REUSEPORT), and with the old one Linux closes each connection that is complete for its client and was
# not yet accepted. Some are lost in a hundred reloads under load, and nothing of it is in Caddy's log: a proxy in front makes a 502 of
# it, and an SDK a connection error, after which it asks again.
set -euo pipefail
tmp=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; rm -rf "$tmp"' EXIT
cd "$tmp"
export GOMODCACHE=$tmp/modules GOFLAGS='-modcacherw -trimpath'
mkdir caddy client
cat >caddy/main.go <<'GO'
package main

import (
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	_ "github.com/caddyserver/caddy/v2/modules/standard"
)

func main() { caddycmd.Main() }
GO
cat >client/main.go <<'GO'
package main

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
)

func main() {
	const reloads = 100
	var over, good, lost atomic.Int64
	var clients sync.WaitGroup
	ask := func(c *http.Client) {
		r, err := c.Get("http://127.0.0.1:22531/")
		if err != nil {
			lost.Add(1)
			return
		}
		_, _ = io.Copy(io.Discard, r.Body)
		r.Body.Close()
		good.Add(1)
	}
	for range 16 {
		c := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
		clients.Go(func() {
			for over.Load() == 0 {
				ask(c)
			}
		})
	}
	for n := range reloads {
		config := fmt.Sprintf("{\n admin localhost:22530\n auto_https off\n}\nhttp://127.0.0.1:22531 {\n respond \"hello %d\"\n}\n", n)
		r, err := http.Post("http://localhost:22530/load", "text/caddyfile", strings.NewReader(config))
		if err == nil {
			_, _ = io.Copy(io.Discard, r.Body)
			r.Body.Close()
		}
	}
	over.Store(1)
	clients.Wait()
	fmt.Println("thousands are answered:", good.Load() > 1000, " some are lost:", lost.Load() > 0)
}
GO
( cd caddy && { go mod init probe && go get github.com/caddyserver/caddy/v2/cmd@v2.11.9 github.com/caddyserver/caddy/v2/modules/standard@v2.11.9; } 2>go.log || { cat go.log; exit 1; }
go list -m github.com/caddyserver/caddy/v2 && go build -o ../server . )
( cd client && go mod init client 2>/dev/null && go build -o ../clients . )
export HOME=$tmp XDG_DATA_HOME=$tmp XDG_CONFIG_HOME=$tmp
printf '{\n\tadmin localhost:22530\n\tauto_https off\n}\nhttp://127.0.0.1:22531 {\n\trespond hello\n}\n' >Caddyfile
./server run --config Caddyfile --adapter caddyfile 2>log &
until grep -qs 'serving initial' log; do sleep 0.1; done
./clients | tee seen
echo "lines of the log that are errors: $(grep -c '"level":"error"' log || true)" | tee -a seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
thousands are answered: true  some are lost: true
lines of the log that are errors: 0
SEEN
