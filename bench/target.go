package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// target is a way to the seller: a process before it, or none.
type target struct {
	name    string
	address string
	admin   string // of a Caddy
	dir     string
	process *exec.Cmd
	exited  chan struct{}
	log     bytes.Buffer
}

// The names of the targets.
const (
	direct  = "direct"
	proxy   = "reverse_proxy"
	nginx   = "nginx"
	gateway = "gateway"
	crowd   = "gateway, 100,000 sellers"
	ledger  = "gateway, 300,000 entries"
)

// caller asks the processes of the benchmark, which are all on loopback.
var caller http.Client

// freeAddress gives an address on loopback on which nobody listens.
func freeAddress() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // closed at once
	if err != nil {
		return "", err
	}
	defer listener.Close()
	return listener.Addr().String(), nil
}

// startSeller starts the seller in a process of its own.
func startSeller(ctx context.Context) (*target, error) {
	t := &target{name: direct}
	var err error
	if t.address, err = freeAddress(); err != nil {
		return nil, err
	}
	if err := t.startSelf("seller", t.address); err != nil {
		return nil, err
	}
	return t, t.await(ctx, "/healthz")
}

const globals = `{
	admin %s
	auto_https off
	skip_install_trust
	log {
		level ERROR
	}
}
`

// startCaddy starts this program as a Caddy whose site has the directive.
func startCaddy(ctx context.Context, name, directive string) (*target, error) {
	t := &target{name: name}
	var err error
	if t.dir, err = os.MkdirTemp("", "bench"); err != nil {
		return nil, err
	}
	if t.address, err = freeAddress(); err != nil {
		return t, err
	}
	if t.admin, err = freeAddress(); err != nil {
		return t, err
	}
	file := filepath.Join(t.dir, "Caddyfile")
	site := fmt.Sprintf(globals+"http://%s {\n\tbind 127.0.0.1\n%s\n}\n", t.admin, t.address, directive)
	if err := os.WriteFile(file, []byte(site), 0o600); err != nil {
		return t, err
	}
	if err := t.startSelf("caddy", "run", "--config", file, "--adapter", "caddyfile"); err != nil {
		return t, err
	}
	return t, t.await(ctx, "/")
}

// gatewayTo is the directive that makes a site a gateway to the seller, through a registry of n sellers.
func gatewayTo(seller string, n int) string {
	return fmt.Sprintf(`	tokenbuddy {
		registry http://%s/registry.json?n=%d {
			max_size 64MiB
			timeout 1m
		}
		seller_networks 127.0.0.0/8
		payment mock
		purchase {
			amount 50
			daily_limit 1000000
		}
	}`, seller, n)
}

// startNginx starts an nginx with a worker for each core, which buffers nothing.
func startNginx(ctx context.Context, seller string) (*target, error) {
	t := &target{name: nginx}
	var err error
	if t.dir, err = os.MkdirTemp("", "bench"); err != nil {
		return nil, err
	}
	if t.address, err = freeAddress(); err != nil {
		return t, err
	}
	file := filepath.Join(t.dir, "nginx.conf")
	config := fmt.Sprintf(`daemon off;
worker_processes auto;
pid %[1]s/pid;
error_log stderr crit;
events { worker_connections 4096; }
http {
	access_log off;
	client_body_temp_path %[1]s;
	proxy_temp_path %[1]s;
	fastcgi_temp_path %[1]s;
	uwsgi_temp_path %[1]s;
	scgi_temp_path %[1]s;
	client_max_body_size 32m;
	client_body_buffer_size 8m;
	keepalive_requests 1000000000;
	upstream seller { server %[3]s; keepalive 512; keepalive_requests 1000000000; }
	server {
		listen %[2]s;
		location / {
			proxy_pass http://seller;
			proxy_http_version 1.1;
			proxy_set_header Connection "";
			proxy_buffering off;
		}
	}
}
`, t.dir, t.address, seller)
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		return t, err
	}
	if err := t.start(exec.Command("nginx", "-p", t.dir, "-c", file)); err != nil { //nolint:noctx,gosec // what the operator has installed; it is ended by end
		return t, err
	}
	return t, t.await(ctx, "/healthz")
}

func (t *target) startSelf(as string, args ...string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.Command(self, args...) //nolint:noctx,gosec // this program itself; it is ended by end
	cmd.Env = append(os.Environ(), role+"="+as)
	if t.dir != "" {
		cmd.Env = append(cmd.Env, "HOME="+t.dir, "XDG_DATA_HOME="+filepath.Join(t.dir, "data"), "XDG_CONFIG_HOME="+filepath.Join(t.dir, "config"))
	}
	return t.start(cmd)
}

func (t *target) start(cmd *exec.Cmd) error {
	cmd.Stdout, cmd.Stderr = &t.log, &t.log
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("%s: %w", t.name, err)
	}
	t.process, t.exited = cmd, make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(t.exited)
	}()
	return nil
}

// await waits until the target answers.
func (t *target) await(ctx context.Context, path string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+t.address+path, nil)
		if err != nil {
			return err
		}
		if res, err := caller.Do(req); err == nil {
			_ = res.Body.Close()
			return nil
		}
		select {
		case <-t.exited:
			return fmt.Errorf("%s ended before it served:\n%s", t.name, t.log.String())
		case <-ctx.Done():
			return fmt.Errorf("%s does not serve: %w", t.name, ctx.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// end ends the process as an operator does, and removes what it wrote.
func (t *target) end() {
	if t == nil {
		return
	}
	if t.process != nil {
		_ = t.process.Process.Signal(syscall.SIGTERM)
		select {
		case <-t.exited:
		case <-time.After(10 * time.Second):
			_ = t.process.Process.Kill()
			<-t.exited
		}
	}
	if t.dir != "" {
		_ = os.RemoveAll(t.dir)
	}
}

// cost gives the CPU time that the target has used so far. The direct line costs nothing.
func (t *target) cost() (time.Duration, error) {
	if t.name == direct {
		return 0, nil
	}
	sum, err := cpuTime(t.process.Process.Pid)
	for _, child := range children(t.process.Process.Pid) {
		more, _ := cpuTime(child)
		sum += more
	}
	return sum, err
}

// memory gives what the target has in memory, in kB.
func (t *target) memory() (int, error) {
	sum, err := residentKB(t.process.Process.Pid)
	for _, child := range children(t.process.Process.Pid) {
		more, _ := residentKB(child)
		sum += more
	}
	return sum, err
}

// allocations gives how many objects, and bytes, a Caddy has allocated so far; 0 for what is none.
func (t *target) allocations(ctx context.Context) (objects, bytes_ float64, err error) {
	if t.admin == "" {
		return 0, 0, nil
	}
	body, err := t.ask(ctx, "/metrics")
	if err != nil {
		return 0, 0, err
	}
	for line := range bytes.Lines(body) {
		name, value, _ := bytes.Cut(bytes.TrimSpace(line), []byte(" "))
		switch string(name) {
		case "go_memstats_mallocs_total":
			objects, err = strconv.ParseFloat(string(value), 64)
		case "go_memstats_alloc_bytes_total":
			bytes_, err = strconv.ParseFloat(string(value), 64)
		}
		if err != nil {
			return 0, 0, err
		}
	}
	return objects, bytes_, nil
}

// ask gets a path of a Caddy's admin endpoint.
func (t *target) ask(ctx context.Context, path string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+t.admin+path, nil)
	if err != nil {
		return nil, err
	}
	res, err := caller.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = errors.New(res.Status)
	}
	return body, err
}
