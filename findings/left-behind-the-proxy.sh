#!/usr/bin/env bash
# Whether a gateway learns that its client has left is up to the proxy before it: nginx and Caddy say so, three others not, or not for a whole answer.
#
# Seen 2026-11-29 with Debian's nginx 1.22.1-9+deb12u11, haproxy 2.6.12-1+deb12u4, apache2 2.4.71-1~deb12u1, lighttpd 1.4.69-1 and
# caddy 2.6.2-5, each with the fewest lines that hand requests on, and a server in Go (1.26) that waits for its request's context to end.
# Expected: a client that hangs up ends its connection, the proxy ends the one behind it, and the server stops the seller's work. By
# default HAProxy, Apache and lighttpd do nothing while there is nothing to write to who has left. For a stream with heartbeats two of
# them notice at one of the next, and lighttpd, which keeps the stream for itself, never; for an answer that comes whole there is nothing to
# notice by, and a model that thinks for a minute is paid to the end. HAProxy's "option abortonclose" changes that in "defaults"; in a
# backend alone it changes nothing. So a gateway that stops paying when a client leaves has to name the
# proxies' options in its documentation, to send heartbeats, and not to take "nobody has left" for "somebody has it".
set -euo pipefail
tmp=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; wait; rm -rf "$tmp"' EXIT
cd "$tmp"
mkdir -p lists/partial cache/archives/partial
apt=(apt-get -qq -o "Dir::State::lists=$tmp/lists" -o "Dir::Cache=$tmp/cache" -o APT::Sandbox::User=root)
"${apt[@]}" update
"${apt[@]}" download nginx=1.22.1-9+deb12u11 haproxy=2.6.12-1+deb12u4 apache2-bin=2.4.71-1~deb12u1 lighttpd=1.4.69-1 caddy=2.6.2-5 \
	liblua5.3-0 libopentracing1 libopentracing-c-wrapper0 libapr1 libaprutil1
for package in ./*.deb; do dpkg -x "$package" root; done
export LD_LIBRARY_PATH=$tmp/root/usr/lib/x86_64-linux-gnu

cat >main.go <<'GO'
package main

import (
	"fmt"
	"io"
	"net/http"
	"time"
)

func main() {
	http.HandleFunc("/up", func(http.ResponseWriter, *http.Request) {})
	http.HandleFunc("/ask/", func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		stream := http.NewResponseController(w)
		kind := r.URL.Path[len("/ask/"):]
		if kind != "whole" {
			w.Header().Set("Content-Type", "text/event-stream")
			fmt.Fprint(w, "data: once\n\n")
			stream.Flush()
		}
		beat, end := time.NewTicker(500*time.Millisecond), time.After(5*time.Second)
		for {
			select {
			case <-beat.C:
				if kind == "beating" {
					fmt.Fprint(w, ": still here\n\n")
					stream.Flush()
				}
			case <-r.Context().Done():
				fmt.Println(r.URL.RawQuery, kind, "noticed")
				return
			case <-end:
				fmt.Println(r.URL.RawQuery, kind, "never")
				return
			}
		}
	})
	panic(http.ListenAndServe("127.0.0.1:22620", nil))
}
GO
go build -o server main.go
./server >heard &

cat >nginx.conf <<CONF
daemon off; pid $tmp/nginx.pid; events {}
http {
	access_log off; client_body_temp_path $tmp; proxy_temp_path $tmp; fastcgi_temp_path $tmp; uwsgi_temp_path $tmp; scgi_temp_path $tmp;
	server { listen 127.0.0.1:22621; location / { proxy_pass http://127.0.0.1:22620; } }
}
CONF
haproxy() { # port, option of all sections, option of the backend
	printf '%s\n' defaults 'mode http' 'timeout connect 5s' 'timeout client 30s' 'timeout server 30s' "$2" \
		"frontend front$1" "bind 127.0.0.1:$1" "default_backend back$1" "backend back$1" 'server only 127.0.0.1:22620' "$3"
}
{
	haproxy 22622 '' ''
	haproxy 22623 '' 'option abortonclose'
	haproxy 22624 'option abortonclose' ''
} >haproxy.cfg
cat >apache.conf <<CONF
$(for module in mpm_event authz_core proxy proxy_http; do echo "LoadModule ${module}_module $tmp/root/usr/lib/apache2/modules/mod_$module.so"; done)
ServerName localhost
ServerRoot $tmp
User nobody
Group nogroup
Mutex file:$tmp default
PidFile $tmp/apache.pid
ErrorLog $tmp/apache.log
Listen 127.0.0.1:22625
ProxyPass / http://127.0.0.1:22620/
CONF
cat >lighttpd.conf <<CONF
server.modules = ("mod_proxy")
server.document-root = "$tmp"
server.bind = "127.0.0.1"
server.port = 22626
proxy.server = ("" => (("host" => "127.0.0.1", "port" => 22620)))
CONF
printf '{\nadmin off\nauto_https off\n}\nhttp://127.0.0.1:22627 {\nreverse_proxy 127.0.0.1:22620\n}\n' >Caddyfile
{
	root/usr/sbin/nginx -c "$tmp/nginx.conf" -p "$tmp" -e "$tmp/nginx.log" &
	root/usr/sbin/haproxy -f haproxy.cfg &
	root/usr/sbin/apache2 -DFOREGROUND -f "$tmp/apache.conf" &
	root/usr/sbin/lighttpd -D -m "$tmp/root/usr/lib/lighttpd" -f lighttpd.conf &
	HOME=$tmp root/usr/bin/caddy run --config Caddyfile &
} >proxies.log 2>&1

declare -A proxies=([22620]=none [22621]=nginx [22622]=haproxy [22623]='haproxy,backend' [22624]='haproxy,defaults' [22625]=apache
	[22626]=lighttpd [22627]=caddy)
for port in "${!proxies[@]}"; do
	curl -s -o /dev/null --retry 50 --retry-delay 1 --retry-connrefused --max-time 20 "http://127.0.0.1:$port/up" || { cat proxies.log; exit 1; }
done
clients=()
for port in "${!proxies[@]}"; do
	for kind in whole silent beating; do
		curl -s -o /dev/null -m 0.5 -d '{}' "http://127.0.0.1:$port/ask/$kind?${proxies[$port]}" & clients+=($!)
	done
done
for client in "${clients[@]}"; do wait "$client" || true; done
for _ in {1..100}; do [ "$(wc -l <heard)" -lt 24 ] || break; sleep 0.1; done
LC_ALL=C sort heard | awk '{ seen[$1] = seen[$1] " " $2 ":" $3 } END { for (proxy in seen) print proxy seen[proxy] }' | LC_ALL=C sort | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
apache beating:noticed silent:never whole:never
caddy beating:noticed silent:noticed whole:noticed
haproxy beating:noticed silent:never whole:never
haproxy,backend beating:noticed silent:never whole:never
haproxy,defaults beating:noticed silent:noticed whole:noticed
lighttpd beating:never silent:never whole:never
nginx beating:noticed silent:noticed whole:noticed
none beating:noticed silent:noticed whole:noticed
SEEN
