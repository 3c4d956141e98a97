#!/usr/bin/env bash
# A proxy that puts a client's query behind a seller's address asks for something else, or for nothing, where the client has written a "#".
#
# Seen 2026-11-29 with net/http of Go 1.26 and Node 20.20 (http, fetch).
# Expected: the target of a request that a server has taken is a part of a URL, and can be put behind another host as it is. A "#" is no
# character of a query, but both servers take it for one, as it came. Whoever makes a URL of it has a fragment there: http.NewRequest
# and fetch leave out what follows it, and say nothing, so that a limit or a tag is gone; and where that has a broken escape, which no
# query is refused for, Go can't read the URL at all. That error comes where a connection would have failed: a gateway that counts it as
# such has the seller out of reach, and after it the next one, for the query of one client. httputil.ReverseProxy sends the "#" on as
# it came, and leaves out a parameter whose escape is broken. Escape "#" in what a client has written before a URL is made of it, or keep
# the parts apart; and whatever fails before there is a connection is not yet the other side's fault.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
go version | cut -d' ' -f3
node --version

cat >main.go <<'GO'
package main

import (
	"bufio"
	"fmt"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
)

// ask sends a server a request for this target, and gives its status.
func ask(server *httptest.Server, target string) string {
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", target)
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		log.Fatal(err)
	}
	return fmt.Sprint(res.StatusCode)
}

func main() {
	got := ""
	seller := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r.URL.RawQuery }))
	byHand := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		out, err := http.NewRequest(r.Method, seller.URL+r.URL.String(), nil)
		if err != nil {
			fmt.Printf("   the query %q came, and the error is of %T\n", r.URL.RawQuery, err)
			w.WriteHeader(502)
			return
		}
		if res, err := http.DefaultClient.Do(out); err == nil {
			res.Body.Close()
		}
	}))
	target, _ := url.Parse(seller.URL)
	proxy := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }})
	for _, query := range []string{"tag=a&limit=5", "tag=a#1&limit=5", "tag=a#%zz"} {
		for _, by := range []struct {
			name   string
			server *httptest.Server
		}{{"NewRequest", byHand}, {"ReverseProxy", proxy}} {
			got = "nothing"
			status := ask(by.server, "/v1/models?"+query)
			fmt.Printf("%s by %s: status %s, the seller got %q\n", query, by.name, status, got)
		}
	}
}
GO
cat >probe.mjs <<'JS'
import http from 'node:http'
import net from 'node:net'
import { once } from 'node:events'

const listening = async server => { server.listen(0, '127.0.0.1'); await once(server, 'listening'); return server.address().port }
let got
const seller = http.createServer((q, s) => { got = q.url; s.end() })
const port = await listening(seller)
const proxy = http.createServer(async (q, s) => {
  await (await fetch(`http://127.0.0.1:${port}${q.url}`)).text()
  console.log(`${q.url} by fetch: the seller got ${got}`)
  s.end()
})
const front = await listening(proxy)
for (const query of ['tag=a&limit=5', 'tag=a#1&limit=5', 'tag=a#%zz']) {
  const socket = net.connect(front, '127.0.0.1')
  socket.write(`GET /v1/models?${query} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`)
  socket.resume()
  await once(socket, 'close')
}
proxy.close()
seller.closeAllConnections()
seller.close()
JS
{ go run main.go && node probe.mjs; } | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
tag=a&limit=5 by NewRequest: status 200, the seller got "tag=a&limit=5"
tag=a&limit=5 by ReverseProxy: status 200, the seller got "tag=a&limit=5"
tag=a#1&limit=5 by NewRequest: status 200, the seller got "tag=a"
tag=a#1&limit=5 by ReverseProxy: status 200, the seller got "tag=a#1&limit=5"
   the query "tag=a#%zz" came, and the error is of *url.Error
tag=a#%zz by NewRequest: status 502, the seller got "nothing"
tag=a#%zz by ReverseProxy: status 200, the seller got ""
/v1/models?tag=a&limit=5 by fetch: the seller got /v1/models?tag=a&limit=5
/v1/models?tag=a#1&limit=5 by fetch: the seller got /v1/models?tag=a
/v1/models?tag=a#%zz by fetch: the seller got /v1/models?tag=a
SEEN
