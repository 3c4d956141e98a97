#!/usr/bin/env bash
# A server in Go that systemd starts with ProcSubset=pid lets 128 connections wait to be accepted, whatever net.core.somaxconn says.
#
# Seen 2026-11-29 with go1.26 on Linux (somaxconn 4096), a listener that accepts nothing, and clients that connect. Go reads the length of
# the queue from /proc/sys/net/core/somaxconn and takes 128, without a word, where that can't be read. ProcSubset=pid, which `systemd-analyze
# security` asks for, mounts a /proc with nothing in it but processes (here: the same mount, subset=pid, in a namespace of its own). nginx
# (511) and others say the number themselves and do not notice.
#
# What follows for a gateway: hundreds of agents that connect again at once, as after a restart or a reload, find the queue full. Linux
# drops their SYN, and they come a second later, or three, or seven; no log has a word of it. So leave ProcSubset out of its unit.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
export GOFLAGS=-trimpath GOCACHE=$tmp/cache GO111MODULE=off
cat >queue.go <<'GO'
package main

import (
	"fmt"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

func main() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	defer l.Close()
	var in atomic.Int64
	var clients sync.WaitGroup
	for range 400 { // nobody is accepted: who gets in waits in the queue
		clients.Go(func() {
			if _, err := net.DialTimeout("tcp", l.Addr().String(), 500*time.Millisecond); err == nil {
				in.Add(1) // and it stays, to the end of the program
			}
		})
	}
	clients.Wait()
	fmt.Println(runtime.Version(), in.Load())
}
GO
go build -o queue queue.go
somaxconn=$(cat /proc/sys/net/core/somaxconn)
[[ $somaxconn -ge 1000 ]] || {
	echo "net.core.somaxconn is $somaxconn here: nothing to see below 1000"
	exit 0
}
read -r version whole <<<"$(./queue)"
# The child of unshare is the first process of its namespace, whose /proc it mounts.
read -r _ subset <<<"$(unshare --user --map-root-user --mount --pid --fork sh -c 'mount -t proc -o subset=pid proc /proc && exec ./queue')"
echo "$version, net.core.somaxconn $somaxconn: of 400 clients that connect at once, while nobody is accepted,"
echo "  with a whole /proc        $whole are in"
echo "  with ProcSubset=pid       $subset are in"
if [[ $whole != 400 || $subset -gt 140 || $subset -lt 100 ]]; then
	echo "not what was seen: expected 400 and 129"
	exit 1
fi
