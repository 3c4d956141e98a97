#!/usr/bin/env bash
# "Pay ada 1250" of an answer that broke off, and the end of another answer from the same letter on, are one answer to wget, without an error; what it asked for by POST it asks for up to twenty times.
#
# Seen 2026-12-01 with Debian's wget 1.21.3-1+deb12u1 and curl 7.88.1-10+deb12u15, which are in the scripts of those who ask a model without an SDK.
# Expected: a POST is sent once unless one has asked for more, and what was given out of half an answer is half an answer, with an error. wget tries each request twenty times, POST too, and after a break asks for what is missing: by "Range: bytes=13-",
# with the same question. A model's server knows no ranges and answers anew, with 200, and in other words. wget takes that for the whole file, of which it has thirteen letters, passes over as many and writes the rest: of two answers one,
# which neither the exit status nor a word on standard error ("-q") tells from a good one. It does so for streams as well. While no answer is whole it asks on for three minutes, with pauses of one to ten seconds, twenty prompts and twenty beginnings are paid, and the
# output has the first one's. A 429 or a 503 it doesn't ask again for, and it does not show what they say. curl asks once, and says 18. With "--retry", for 429 and 503, the words of each refusal stand before the answer on its output, and it is a success: no JSON to whoever reads
# it; with "--retry-all-errors" halves stand there one after the other. So a script asks with "--tries=1", or with curl into a file (-o), which is begun anew with each try.
set -euo pipefail
tmp=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; wait; rm -rf "$tmp"' EXIT
cd "$tmp"
mkdir -p lists/partial cache/archives/partial
apt=(apt-get -qq -o "Dir::State::lists=$tmp/lists" -o "Dir::Cache=$tmp/cache" -o APT::Sandbox::User=root)
"${apt[@]}" update
"${apt[@]}" download wget=1.21.3-1+deb12u1 curl=7.88.1-10+deb12u15 libcurl4=7.88.1-10+deb12u15
for package in ./*.deb; do
	dpkg -x "$package" root
	dpkg-deb -W --showformat '${Package} ${Version}\n' "$package"
done | grep -E '^(wget|curl) '
cat >main.go <<'GO'
package main

import (
	"fmt"
	"io"
	"log"
	"net/http"
)

func main() {
	log.SetOutput(io.Discard)
	questions := map[string][]string{}
	http.HandleFunc("GET /", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, len(questions[r.URL.Path]), " questions") })
	http.HandleFunc("POST /", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		asked := append(questions[r.URL.Path], string(body))
		questions[r.URL.Path] = asked
		kind := r.URL.Path[len(r.URL.Path)-1]
		switch {
		case kind == 'b': // broken off, each time
			fmt.Fprint(w, "Pay ada 1250")
		case len(asked) > 1: // a second time models have other words
			fmt.Fprint(w, "Don't pay ada any more, as all of her dollars are spent.\n")
			return
		case kind == 'l': // broken off, with a length that is known
			w.Header().Set("Content-Length", "23")
			fmt.Fprint(w, "Pay ada 1250")
		case kind == 's': // broken off, a stream
			w.Header().Set("Content-Type", "text/event-stream")
			fmt.Fprint(w, "Pay ada 1250")
		case kind == 'r':
			w.WriteHeader(http.StatusTooManyRequests)
			fmt.Fprint(w, "Ask again. ")
			return
		}
		http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	})
	panic(http.ListenAndServe("127.0.0.1:22860", nil))
}
GO
go build -o server main.go
./server &
url=http://127.0.0.1:22860
export LD_LIBRARY_PATH=$tmp/root/usr/lib/x86_64-linux-gnu
export HOME=$tmp PATH=$tmp/root/usr/bin:$PATH # no settings of one's own
curl -s -o ready --retry 50 --retry-delay 1 --retry-connrefused "$url/ready"

try() { # name, path, command
	local name=$1 path=$2 status=0
	shift 2
	"$@" "$url/$path" >out 2>err || status=$?
	printf '%s: %s, status %d, has "%s"\n' "$name" "$(curl -s "$url/$path")" "$status" "$(<out)"
}
{
	for kind in l s r; do
		case $kind in l) what='of a known length' ;; s) what='a stream' ;; r) what='refused once' ;; esac
		try "wget, $what" "wget/$kind" wget -q -O - --post-data '{}'
		try "curl, $what" "curl/$kind" curl -s -d '{}'
		try "curl --retry 3, $what" "curl3/$kind" curl -s -d '{}' --retry 3 --retry-delay 1
		try "curl --retry-all-errors, $what" "curlall/$kind" curl -s -d '{}' --retry 3 --retry-delay 1 --retry-all-errors
	done
	try 'wget, never whole, no pauses' wget/b wget -q -O - --waitretry=0 --post-data '{}'
} | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
wget, of a known length: 2 questions, status 0, has "Pay ada 1250a any more, as all of her dollars are spent."
curl, of a known length: 1 questions, status 18, has "Pay ada 1250"
curl --retry 3, of a known length: 1 questions, status 18, has "Pay ada 1250"
curl --retry-all-errors, of a known length: 2 questions, status 0, has "Pay ada 1250Don't pay ada any more, as all of her dollars are spent."
wget, a stream: 2 questions, status 0, has "Pay ada 1250a any more, as all of her dollars are spent."
curl, a stream: 1 questions, status 18, has "Pay ada 1250"
curl --retry 3, a stream: 1 questions, status 18, has "Pay ada 1250"
curl --retry-all-errors, a stream: 2 questions, status 0, has "Pay ada 1250Don't pay ada any more, as all of her dollars are spent."
wget, refused once: 1 questions, status 8, has ""
curl, refused once: 1 questions, status 0, has "Ask again. "
curl --retry 3, refused once: 2 questions, status 0, has "Ask again. Don't pay ada any more, as all of her dollars are spent."
curl --retry-all-errors, refused once: 2 questions, status 0, has "Ask again. Don't pay ada any more, as all of her dollars are spent."
wget, never whole, no pauses: 20 questions, status 4, has "Pay ada 1250"
SEEN
