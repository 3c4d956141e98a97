#!/usr/bin/env bash
# A stream that its server breaks off, so that nobody takes half an answer for all of it, is a whole one behind nginx, lighttpd and an older Caddy.
#
# Seen 2026-11-29 with Debian's nginx 1.22.1-9+deb12u11, haproxy 2.6.12-1+deb12u4, apache2 2.4.71-1~deb12u1, lighttpd 1.4.69-1 and
# caddy 2.6.2-5, each with the fewest lines that hand requests on, a server in Go (1.26) that aborts its handler, and curl.
# Expected: a connection that is torn behind a proxy is torn before it, as with HAProxy and Apache, and a client has an error. nginx
# speaks HTTP/1.0 to its servers where it isn't told another version: there an answer without a length ends with its connection, and torn
# looks like over, so nginx writes the last chunk for it. lighttpd keeps all of it and sends it with a length, unless it is told to stream.
# Caddy 2.6 sees the error, logs it, and ends the answer well all the same (2.11.9, tried apart from this, tears it). So breaking off tells the
# clients of a plain nginx nothing, unless who is asked by HTTP/1.0 resets the connection in the place of closing it: then nginx tears the
# answer too, and what came before still arrives where it does not buffer ("X-Accel-Buffering: no"). Behind the other two a gateway has to
# write an error event first, and its users, whose loops have no other way to know, have to look for [DONE], message_stop or a finish reason.
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
	"net"
	"net/http"
	"time"
)

// torn breaks an answer off: as a handler does, or by a reset where it was asked for by HTTP/1.0.
func torn(reset bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		w.Header().Set("X-Accel-Buffering", "no")
		fmt.Fprint(w, "data: half an answer\n\n")
		http.NewResponseController(w).Flush()
		<-time.After(300 * time.Millisecond)
		if reset && r.ProtoMinor == 0 {
			conn, _, _ := http.NewResponseController(w).Hijack()
			conn.(*net.TCPConn).SetLinger(0)
			conn.Close()
		}
		panic(http.ErrAbortHandler)
	}
}

func main() {
	http.HandleFunc("/up", func(http.ResponseWriter, *http.Request) {})
	http.HandleFunc("/torn", torn(false))
	http.HandleFunc("/reset", torn(true))
	panic(http.ListenAndServe("127.0.0.1:22630", nil))
}
GO
go build -o server main.go
./server &

cat >nginx.conf <<CONF
daemon off; pid $tmp/nginx.pid; events {}
http {
	access_log off; client_body_temp_path $tmp; proxy_temp_path $tmp; fastcgi_temp_path $tmp; uwsgi_temp_path $tmp; scgi_temp_path $tmp;
	server { listen 127.0.0.1:22631; location / { proxy_pass http://127.0.0.1:22630; } }
	server { listen 127.0.0.1:22632; location / { proxy_pass http://127.0.0.1:22630; proxy_http_version 1.1; } }
}
CONF
cat >haproxy.cfg <<CONF
defaults
	mode http
	timeout connect 5s
	timeout client 30s
	timeout server 30s
listen front
	bind 127.0.0.1:22633
	server only 127.0.0.1:22630
CONF
cat >apache.conf <<CONF
$(for module in mpm_event authz_core proxy proxy_http; do echo "LoadModule ${module}_module $tmp/root/usr/lib/apache2/modules/mod_$module.so"; done)
ServerName localhost
ServerRoot $tmp
User nobody
Group nogroup
Mutex file:$tmp default
PidFile $tmp/apache.pid
ErrorLog $tmp/apache.log
Listen 127.0.0.1:22634
ProxyPass / http://127.0.0.1:22630/
CONF
for port in 22635 22636; do
	cat >$port.conf <<CONF
server.modules = ("mod_proxy")
server.document-root = "$tmp"
server.bind = "127.0.0.1"
server.port = $port
proxy.server = ("" => (("host" => "127.0.0.1", "port" => 22630)))
CONF
done
echo 'server.stream-response-body = 1' >>22636.conf
printf '{\nadmin off\nauto_https off\n}\nhttp://127.0.0.1:22637 {\nreverse_proxy 127.0.0.1:22630\n}\n' >Caddyfile
{
	root/usr/sbin/nginx -c "$tmp/nginx.conf" -p "$tmp" -e "$tmp/nginx.log" &
	root/usr/sbin/haproxy -f haproxy.cfg &
	root/usr/sbin/apache2 -DFOREGROUND -f "$tmp/apache.conf" &
	for port in 22635 22636; do root/usr/sbin/lighttpd -D -m "$tmp/root/usr/lib/lighttpd" -f $port.conf & done
	HOME=$tmp root/usr/bin/caddy run --config Caddyfile &
} >proxies.log 2>&1

proxies=(none nginx 'nginx, HTTP/1.1' haproxy apache lighttpd 'lighttpd, streaming' caddy)
for at in "${!proxies[@]}"; do
	url=http://127.0.0.1:$((22630 + at))
	curl -s -o /dev/null --retry 50 --retry-delay 1 --retry-connrefused --max-time 20 "$url/up" || { cat proxies.log; exit 1; }
	for how in torn reset; do
		end='torn'
		words=$(curl -sN -m 10 -d '{}' "$url/$how") && end='a good end'
		echo "${proxies[at]}, ${how}: ${words}, $end"
	done
done | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
none, torn: data: half an answer, torn
none, reset: data: half an answer, torn
nginx, torn: data: half an answer, a good end
nginx, reset: data: half an answer, torn
nginx, HTTP/1.1, torn: data: half an answer, torn
nginx, HTTP/1.1, reset: data: half an answer, torn
haproxy, torn: data: half an answer, torn
haproxy, reset: data: half an answer, torn
apache, torn: data: half an answer, torn
apache, reset: data: half an answer, torn
lighttpd, torn: data: half an answer, a good end
lighttpd, reset: data: half an answer, a good end
lighttpd, streaming, torn: data: half an answer, torn
lighttpd, streaming, reset: data: half an answer, torn
caddy, torn: data: half an answer, a good end
caddy, reset: data: half an answer, a good end
SEEN
