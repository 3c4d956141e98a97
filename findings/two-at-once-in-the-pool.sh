#!/usr/bin/env bash
# Caddy's UsagePool, which is there so that a thing exists once, makes the next one while the last one is still being closed.
#
# Seen 2026-11-27 with github.com/caddyserver/caddy/v2 2.11.9 (Go 1.26).
# Delete takes the key out of the pool and then calls Destruct. Who asks for the key meanwhile does not wait: it is not
# there, so a new one is made beside the old one. Where that is a database with a lock on its directory, a port or a file, a
# reload that ends the last use and begins the next can meet it: the constructor has to try again for as long as a
# Destruct may take.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
export GOMODCACHE=$tmp/modules GOFLAGS='-modcacherw -trimpath'
cat >main.go <<'GO'
package main

import (
	"fmt"
	"os"

	"github.com/caddyserver/caddy/v2"
)

var closing, mayClose = make(chan struct{}), make(chan struct{})

type store struct{ name string }

func open(name string) func() (caddy.Destructor, error) {
	return func() (caddy.Destructor, error) {
		lock, err := os.OpenFile("lock", os.O_CREATE|os.O_EXCL, 0o600)
		fmt.Printf("%s opens: lock taken by another: %v\n", name, os.IsExist(err))
		if err != nil {
			return nil, err
		}
		return store{name}, lock.Close()
	}
}

func (s store) Destruct() error {
	fmt.Println(s.name, "begins to close")
	close(closing)
	<-mayClose
	fmt.Println(s.name, "is closed")
	return os.Remove("lock")
}

func main() {
	pool := caddy.NewUsagePool()
	_, loaded, err := pool.LoadOrNew("directory", open("first"))
	fmt.Println("first: loaded", loaded, "error", err != nil)
	deleted := make(chan struct{})
	go func() { defer close(deleted); pool.Delete("directory") }()
	<-closing
	_, loaded, err = pool.LoadOrNew("directory", open("second"))
	fmt.Println("second: loaded", loaded, "error", err != nil)
	close(mayClose)
	<-deleted
}
GO
go mod init probe 2>go.log && go get github.com/caddyserver/caddy/v2@v2.11.9 2>>go.log || { cat go.log; exit 1; }
go list -m github.com/caddyserver/caddy/v2
go run . | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
first opens: lock taken by another: false
first: loaded false error false
first begins to close
second opens: lock taken by another: true
second: loaded false error true
first is closed
SEEN
