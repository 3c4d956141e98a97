package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"

	_ "github.com/tokenbuddy/caddy-tokenbuddy"
	_ "github.com/tokenbuddy/caddy-tokenbuddy/seller"
)

// beCaddy in the environment makes the test binary the Caddy that the tests start, so that no other build is needed.
const beCaddy = "TOKENBUDDY_E2E_CADDY"

// coverDir in the environment is where the Caddys that the tests start write down what of the code they have run. GOCOVERDIR
// itself go test sets as it likes.
const coverDir = "TOKENBUDDY_GOCOVERDIR"

func TestMain(m *testing.M) {
	if os.Getenv(beCaddy) != "" {
		caddycmd.Main()
		return
	}
	flag.Parse()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "test.parallel" })
	if !given {
		_ = flag.Set("test.parallel", strconv.Itoa(waiting*runtime.GOMAXPROCS(0)))
	}
	os.Exit(m.Run())
}

// waiting is how many tests run at once for each that Go would have run: what they do most is wait, for processes that start and for
// time to pass.
const waiting = 3

// caddy is a Caddy process of a test's own, with its own data directory, ports and log.
type caddy struct {
	t     testing.TB
	dir   string // holds the Caddyfile, and below data/ Caddy's data directory with ledger and key
	site  string // host:port of the gateway's site
	admin string // host:port of the admin endpoint
	env   []string
	// program is another Caddy than the test binary; empty: that.
	program string

	cmd    *exec.Cmd
	exited chan struct{}
	log    *output
}

// sameDay waits for the next day where this one has but a minute left: what tests spend, buy and raise is of one day.
func sameDay() {
	now := time.Now().UTC()
	if left := now.Truncate(24 * time.Hour).Add(24 * time.Hour).Sub(now); left <= time.Minute {
		<-time.After(left)
	}
}

// newCaddy prepares a Caddy whose gateway site has this body of the tokenbuddy directive. It is not started yet.
// More sites or global options can be written with caddy.write before start.
func newCaddy(t testing.TB, tokenbuddy string) *caddy {
	t.Helper()
	sameDay()
	c := &caddy{t: t, dir: t.TempDir(), site: freeAddress(t), admin: freeAddress(t), log: new(output)}
	c.configure(tokenbuddy)
	t.Cleanup(c.end)
	return c
}

// configure writes the Caddyfile: the site with this body of the tokenbuddy directive, at DEBUG.
func (c *caddy) configure(tokenbuddy string) {
	c.t.Helper()
	c.write(c.global("") + fmt.Sprintf("http://%s {\n\tbind 127.0.0.1\n\ttokenbuddy {\n%s\n\t}\n}\n", c.site, tokenbuddy))
}

// global is the block of global options, with more of them if need be.
func (c *caddy) global(more string) string {
	return fmt.Sprintf("{\n\tadmin %s\n\tdebug\n\tauto_https disable_redirects\n\tskip_install_trust\n%s}\n", c.admin, more)
}

// write writes the Caddyfile as it is given.
func (c *caddy) write(caddyfile string) {
	c.t.Helper()
	if err := os.WriteFile(c.caddyfile(), []byte(caddyfile), 0o600); err != nil {
		c.t.Fatal(err)
	}
}

func (c *caddy) caddyfile() string { return filepath.Join(c.dir, "Caddyfile") }

// ledgerDir is where the ledger is when the config names no other place.
func (c *caddy) ledgerDir() string { return filepath.Join(c.dir, "data", "caddy", "tokenbuddy") }

// command is a run of the caddy program in this Caddy's environment.
func (c *caddy) command(args ...string) *exec.Cmd {
	self, err := os.Executable()
	if err != nil {
		c.t.Fatal(err)
	}
	if c.program != "" {
		self = c.program
	}
	cmd := exec.Command(self, args...)
	cmd.Dir = c.dir
	cmd.Env = append(os.Environ(), beCaddy+"=1", "HOME="+c.dir,
		"XDG_DATA_HOME="+filepath.Join(c.dir, "data"), "XDG_CONFIG_HOME="+filepath.Join(c.dir, "config"))
	if dir := os.Getenv(coverDir); dir != "" {
		cmd.Env = append(cmd.Env, "GOCOVERDIR="+dir)
	}
	cmd.Env = append(cmd.Env, c.env...)
	return cmd
}

// mostlyStarts skips a test under the race detector whose time goes into one process after the other: a start is three times as
// dear there, and a command has nothing to race with.
func mostlyStarts(t *testing.T) {
	t.Helper()
	if raced {
		t.Skip("it starts many processes, one after the other")
	}
}

// launch runs Caddy, and does not wait until it serves.
func (c *caddy) launch() {
	c.t.Helper()
	c.cmd = c.command("run", "--config", c.caddyfile(), "--adapter", "caddyfile")
	c.cmd.Stdout, c.cmd.Stderr = c.log, c.log
	if err := c.cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	exited := make(chan struct{})
	c.exited = exited
	go func() {
		_ = c.cmd.Wait()
		close(exited)
	}()
}

// start runs Caddy and waits until it serves.
func (c *caddy) start() {
	c.t.Helper()
	c.launch()
	deadline := time.Now().Add(30 * time.Second)
	for !c.log.has("serving initial configuration") {
		select {
		case <-c.exited:
			c.t.Fatalf("caddy ended before it served:\n%s", c.log)
		case <-time.After(10 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			c.t.Fatalf("caddy does not serve:\n%s", c.log)
		}
	}
}

// reload loads the Caddyfile as it is now.
func (c *caddy) reload() {
	c.t.Helper()
	if out, err := c.tryReload(); err != nil {
		c.t.Fatalf("caddy reload: %v\n%s", err, out)
	}
}

// tryReload is reload for Caddyfiles that may be refused.
func (c *caddy) tryReload() (string, error) {
	out, err := c.command("reload", "--config", c.caddyfile(), "--adapter", "caddyfile", "--address", c.admin).CombinedOutput()
	// The servers of the old config close their connections about now, and a POST that goes into one of them is not sent again.
	http.DefaultClient.CloseIdleConnections()
	return string(out), err
}

// stop ends Caddy as an operator does, and waits for its end.
func (c *caddy) stop() {
	c.t.Helper()
	_ = c.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-c.exited:
	case <-time.After(30 * time.Second):
		c.t.Fatalf("caddy does not stop:\n%s", c.log)
	}
	c.log.forget("serving initial configuration")
}

// end ends Caddy after a test: at once, but where coverage is asked for, which a process writes down when it exits by itself.
func (c *caddy) end() {
	if os.Getenv(coverDir) != "" && c.cmd != nil && c.cmd.Process != nil {
		_ = c.cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-c.exited:
		case <-time.After(10 * time.Second):
		}
	}
	c.kill()
}

// kill ends Caddy with SIGKILL, if it runs.
func (c *caddy) kill() {
	if c.cmd == nil || c.cmd.Process == nil {
		return
	}
	_ = c.cmd.Process.Kill()
	<-c.exited
	c.log.forget("serving initial configuration")
}

// url is an address of the gateway.
func (c *caddy) url(path string) string { return "http://" + c.site + path }

// post sends a JSON body to the gateway and gives the answer and its whole body.
func (c *caddy) post(path, body string, header ...string) (*http.Response, []byte) {
	c.t.Helper()
	res, err := c.send(context.Background(), path, body, header...)
	if err != nil {
		c.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		c.t.Fatalf("POST %s: reading the answer: %v (after %q)", path, err, b)
	}
	return res, b
}

// tryPost is post for answers that may be cut: what came of the body is given.
func (c *caddy) tryPost(path, body string) (*http.Response, []byte) {
	c.t.Helper()
	res, err := c.send(context.Background(), path, body)
	if err != nil {
		c.t.Fatal(err)
	}
	defer res.Body.Close()
	b, _ := io.ReadAll(res.Body)
	return res, b
}

// send sends a JSON body to the gateway. Headers are given as name, value, name, value.
func (c *caddy) send(ctx context.Context, path, body string, header ...string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url(path), strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	return http.DefaultClient.Do(req)
}

// look gets a path of the admin endpoint.
func (c *caddy) look(path string) (status int, body []byte) {
	c.t.Helper()
	res, err := http.Get("http://" + c.admin + path)
	if err != nil {
		c.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err = io.ReadAll(res.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return res.StatusCode, body
}

// entry is what the tests read of a ledger entry.
type entry struct {
	ID               string `json:"id"`
	Kind             string `json:"kind"`
	RequestID        string `json:"requestId"`
	Member           string `json:"member"`
	RequestedModel   string `json:"requestedModel"`
	Model            string `json:"model"`
	Protocol         string `json:"protocol"`
	Seller           string `json:"seller"`
	Attempts         int    `json:"attempts"`
	Status           string `json:"status"`
	PromptTokens     int64  `json:"promptTokens"`
	CompletionTokens int64  `json:"completionTokens"`
	CacheReadTokens  int64  `json:"cacheReadTokens"`
	BilledMicros     int64  `json:"billedMicros"`
	ExpenseMicros    int64  `json:"expenseMicros"`
	BilledSource     string `json:"billedSource"`
	SettlementID     string `json:"settlementId"`
	IdempotencyKey   string `json:"idempotencyKey"`
	PurchaseID       string `json:"purchaseId"`
	State            string `json:"state"`
	Note             string `json:"note"`
	Flags            []string
	Attempt          *entry // of a failed attempt that was waste
	Correction       struct {
		Entry, RequestID, Member string
		BilledMicros             int64
	}
	Order    struct{ Order, By, From, Member string } // of an order
	Trace    []struct{ Seller, Kind, Decision string }
	Postings []struct {
		Account      string `json:"account"`
		AmountMicros int64  `json:"amountMicros"`
	} `json:"postings"`
}

// entries gives the ledger's entries of a kind, or all where kind is empty.
func (c *caddy) entries(kind string) []entry {
	c.t.Helper()
	return slices.DeleteFunc(c.entriesAfter(""), func(e entry) bool { return kind != "" && e.Kind != kind })
}

// entriesAfter gives the entries that came after the one of that id.
func (c *caddy) entriesAfter(cursor string) []entry {
	c.t.Helper()
	status, body := c.look("/tokenbuddy/ledger/entries?cursor=" + cursor)
	if status != http.StatusOK {
		c.t.Fatalf("entries: status %d: %s", status, body)
	}
	var all []entry
	lines := bufio.NewScanner(bytes.NewReader(body))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var e entry
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			c.t.Fatalf("entries: %v in %s", err, lines.Bytes())
		}
		all = append(all, e)
	}
	return all
}

// verify fails the test when the ledger does not hold.
func (c *caddy) verify() {
	c.t.Helper()
	if status, body := c.look("/tokenbuddy/ledger/verify"); status != http.StatusOK {
		c.t.Fatalf("verify: status %d: %s", status, body)
	}
}

// eventually waits until what becomes true does, for things that are done in the background.
func eventually(t testing.TB, what string, true_ func() bool) {
	t.Helper()
	deadline := time.Now().Add(15 * time.Second)
	for !true_() {
		if time.Now().After(deadline) {
			t.Fatalf("not within 15 s: %s", what)
		}
		<-time.After(20 * time.Millisecond)
	}
}

// nextPort makes ports differ among tests that run at once, in this process and in others: Caddy shares a port that another
// Caddy listens on without a word. They are below those that the system gives to outgoing connections.
var nextPort atomic.Int64

func init() { nextPort.Store(int64(os.Getpid()) * 101) }

// freeAddress is a loopback address that nobody listens on, for as long as the test runs.
//
// Caddy sets SO_REUSEPORT, so that two of them could have one port and share its connections. Hence the same port of another
// loopback address is held as a sign for tests in other processes. Ports from which the system makes connections are left
// out: any client could have one when Caddy wants it.
func freeAddress(t testing.TB) string {
	t.Helper()
	for range 1000 {
		port := strconv.Itoa(10_000 + rand.IntN(20_000))
		sign, err := net.Listen("tcp", net.JoinHostPort("127.0.0.2", port))
		if err != nil && runtime.GOOS == "linux" {
			continue
		}
		if err == nil { // elsewhere that address may not be there
			t.Cleanup(func() { _ = sign.Close() })
		}
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", port))
		if err != nil {
			continue
		}
		_ = l.Close()
		return l.Addr().String()
	}
	t.Fatal("no free port")
	return ""
}

// output collects what a process prints.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

func (o *output) has(s string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return bytes.Contains(o.buf.Bytes(), []byte(s))
}

// forget blanks out a text, so that has can wait for it to come again.
func (o *output) forget(s string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	b := bytes.ReplaceAll(o.buf.Bytes(), []byte(s), []byte(strings.Repeat("-", len(s))))
	o.buf = *bytes.NewBuffer(bytes.Clone(b))
}
