#!/usr/bin/env bash
# What a Caddy module asks for with ctx.OnCancel or ctx.OnExit in Provision never happens.
#
# Seen 2026-11-27 with github.com/caddyserver/caddy/v2 2.11.9 (Go 1.26).
# The Context that Provision gets is a value: the functions are kept in this copy, and it is another one whose end calls
# them. None is called when the config is only validated, when another one takes its place, when Caddy is stopped, or when
# the process ends gracefully by SIGTERM, though caddy.OnExit, the package's own, is then. The context's Done channel does
# close each time, so context.AfterFunc works where OnCancel, made for the same, does not.
# And validating runs Provision and Cleanup without Start and Stop.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
export GOMODCACHE=$tmp/modules GOFLAGS='-modcacherw -trimpath'
cat >main.go <<'GO'
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/caddyserver/caddy/v2"
)

var events, done = make(chan string, 100), make(chan bool, 100)

type probe struct {
	Name string `json:"name"`
}

func (probe) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "probe", New: func() caddy.Module { return new(probe) }}
}

func (p *probe) Provision(ctx caddy.Context) error {
	events <- "provisioned"
	ctx.OnCancel(func() { events <- "OnCancel" })
	ctx.OnExit(func(context.Context) { fmt.Println("ctx.OnExit") })
	context.AfterFunc(ctx, func() { done <- true })
	return nil
}
func (p *probe) Start() error   { events <- "started"; return nil }
func (p *probe) Stop() error    { events <- "stopped"; return nil }
func (p *probe) Cleanup() error { events <- "cleaned up"; return nil }

func show(what string, err error) {
	fmt.Print(what, ":")
	for len(events) > 0 {
		fmt.Print(" ", <-events, ",")
	}
	fmt.Println(" error", err)
}

func wait(what string, err error) {
	<-done
	show(what+", context done", err)
}

func config(name string) []byte {
	return []byte(`{"admin":{"disabled":true},"logging":{"logs":{"default":{"level":"ERROR"}}},"apps":{"probe":{"name":"` + name + `"}}}`)
}

func main() {
	caddy.RegisterModule(probe{})
	var cfg caddy.Config
	if err := json.Unmarshal(config("checked"), &cfg); err != nil {
		log.Fatal(err)
	}
	wait("validate", caddy.Validate(&cfg))
	show("first config", caddy.Load(config("first"), false))
	wait("second config", caddy.Load(config("second"), false))
	wait("stop", caddy.Stop())
	show("third config", caddy.Load(config("third"), false))
	caddy.OnExit(func(context.Context) { fmt.Println("SIGTERM: caddy.OnExit") })
	caddy.TrapSignals()
	signal.Notify(make(chan os.Signal, 1), syscall.SIGTERM) // Caddy's own trap is set a moment later
	for range 50 {
		_ = syscall.Kill(os.Getpid(), syscall.SIGTERM)
		time.Sleep(200 * time.Millisecond) // Caddy ends the process
	}
}
GO
go mod init probe 2>go.log && go get github.com/caddyserver/caddy/v2@v2.11.9 2>>go.log || { cat go.log; exit 1; }
go list -m github.com/caddyserver/caddy/v2
go run . 2>go.log | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
validate, context done: provisioned, cleaned up, error <nil>
first config: provisioned, started, error <nil>
second config, context done: provisioned, started, stopped, cleaned up, error <nil>
stop, context done: stopped, cleaned up, error <nil>
third config: provisioned, started, error <nil>
SIGTERM: caddy.OnExit
SEEN
