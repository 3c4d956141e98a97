package command

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/tokenbuddy/caddy-tokenbuddy/admin"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/market"
)

// gatewayFlags say which gateway is asked.
type gatewayFlags struct{ address, config, adapter, of string }

func (f *gatewayFlags) addTo(cmd *cobra.Command) {
	f.addEndpointTo(cmd)
	cmd.Flags().StringVar(&f.of, "of", "", "Directory of the ledger that is meant, where the gateway has several open")
}

// addEndpointTo is addTo for what is asked of a Caddy, whatever ledgers it has open.
func (f *gatewayFlags) addEndpointTo(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.address, "address", "", "Address of Caddy's admin endpoint (default: that of --config, else Caddy's own)")
	cmd.Flags().StringVarP(&f.config, "config", "c", "", "Configuration file that says where the admin endpoint is")
	cmd.Flags().StringVarP(&f.adapter, "adapter", "a", "", "Name of the config adapter for --config")
}

// gateway is a gateway that runs, on its admin endpoint.
type gateway struct {
	address, of string
	orElse      string // what else can be done where no gateway runs; may be empty
	oneOfFleet  bool   // an answer was about the books of one gateway of several
}

func (f *gatewayFlags) gateway() (*gateway, error) {
	asked := f.address
	if at, isURL := strings.CutPrefix(asked, "http://"); isURL { // as one has it from curl: Caddy would look for a host named http
		asked = strings.TrimSuffix(at, "/")
	}
	address, err := caddycmd.DetermineAdminAPIAddress(asked, nil, f.config, f.adapter)
	if err != nil {
		return nil, fmt.Errorf("where is Caddy's admin endpoint? %w", err)
	}
	of := f.of
	if of != "" && !filepath.IsAbs(of) { // as the gateway knows it
		if of, err = market.Resolve(of); err != nil {
			return nil, fmt.Errorf("--of %s: %w", f.of, err)
		}
	}
	return &gateway{address: address, of: of}, nil
}

// ask sends a request about the gateway, whose answer's body ends with the context.
func (g *gateway) ask(ctx context.Context, method, path string, query url.Values, accept string) (*http.Response, error) {
	return g.send(ctx, method, g.uri(path, query), accept, nil)
}

// tell sends an order about the gateway, with its words as JSON, and reads the answer into v.
func (g *gateway) tell(ctx context.Context, method, path string, query url.Values, words, v any) error {
	raw, err := json.Marshal(words)
	if err != nil {
		return err
	}
	res, err := g.send(ctx, method, g.uri(path, query), "application/json", bytes.NewReader(raw))
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if err := json.NewDecoder(res.Body).Decode(v); err != nil {
		return fmt.Errorf("the answer of the gateway at %s can't be read: %w", g.address, err)
	}
	return nil
}

// uri is where the gateway is asked; the path is escaped.
func (g *gateway) uri(path string, query url.Values) string {
	if query == nil {
		query = url.Values{}
	}
	if g.of != "" {
		query.Set("ledger", g.of)
	}
	return "/tokenbuddy/" + path + "?" + query.Encode()
}

// send sends a request to the admin endpoint, whose answer's body ends with the context.
func (g *gateway) send(ctx context.Context, method, uri, accept string, body io.Reader) (*http.Response, error) {
	// Each request has a connection of its own, which is not kept: a long list is many requests.
	header := http.Header{"Connection": {"close"}, "Accept": {accept}}
	if body != nil {
		header.Set("Content-Type", "application/json")
	}
	res, err := answered(ctx, func() (*http.Response, error) { return caddycmd.AdminAPIRequest(g.address, method, uri, header, body) })
	switch {
	case err != nil && ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil:
		return nil, g.explain(err)
	}
	g.oneOfFleet = g.oneOfFleet || res.Header.Get(admin.HeaderFleet) == admin.OneOfFleet
	stop := context.AfterFunc(ctx, func() { res.Body.Close() })
	res.Body = &endingBody{res.Body, stop}
	return res, nil
}

// answered waits for the answer to a request of Caddy's client, which knows no context, or for the end of the context.
func answered(ctx context.Context, request func() (*http.Response, error)) (*http.Response, error) {
	type answer struct {
		res *http.Response
		err error
	}
	answers := make(chan answer, 1)
	go func() {
		res, err := request() //nolint:bodyclose // whoever gets it does
		answers <- answer{res, err}
	}()
	select {
	case a := <-answers:
		return a.res, a.err
	case <-ctx.Done():
		go func() {
			if late := <-answers; late.err == nil {
				_ = late.res.Body.Close() // nobody reads it
			}
		}()
		return nil, ctx.Err()
	}
}

// endingBody is a body that is no longer closed by its context once it is closed.
type endingBody struct {
	io.ReadCloser
	stop func() bool
}

func (b *endingBody) Close() error {
	b.stop()
	return b.ReadCloser.Close()
}

// refusal gives what the admin endpoint has answered to a request that Caddy's client makes an error of: it has no types to go by. False:
// it has answered nothing.
func refusal(err error) (status int, body string, refused bool) {
	_, answer, _ := strings.Cut(err.Error(), "caddy responded with error: HTTP ")
	code, body, _ := strings.Cut(answer, ": ")
	status, err = strconv.Atoi(code)
	return status, body, err == nil
}

// explain makes of an error of Caddy's client one that says what to do.
func (g *gateway) explain(err error) error {
	status, body, refused := refusal(err)
	if !refused {
		return fmt.Errorf("no Caddy answers at %s: is it running? Say with --address or --config where its admin endpoint is%s (%w)",
			g.address, g.orElse, err)
	}
	var said struct {
		Error string `json:"error"`
	}
	if json.Unmarshal([]byte(body), &said) != nil || said.Error == "" {
		if status == http.StatusNotFound {
			return fmt.Errorf("the Caddy at %s does not know this request: does it have tokenbuddy in it, in the version of this command?", g.address)
		}
		return fmt.Errorf("the Caddy at %s answers with status %d: %s", g.address, status, strings.TrimSpace(body))
	}
	if which, several := strings.CutPrefix(said.Error, "say which ledger with ?ledger="); several {
		return fmt.Errorf("%w%s", errWhichLedger, which)
	}
	return fmt.Errorf("the gateway at %s refuses: %s", g.address, said.Error)
}

// errWhichLedger begins what is said where the Caddy has several ledgers open: which there are follows.
var errWhichLedger = errors.New("say which ledger with --of")

// get reads a JSON answer into v and gives its header.
func (g *gateway) get(ctx context.Context, method, path string, query url.Values, v any) (http.Header, error) {
	res, err := g.ask(ctx, method, path, query, "application/json")
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if err := json.NewDecoder(res.Body).Decode(v); err != nil {
		return nil, fmt.Errorf("the answer of the gateway at %s can't be read: %w", g.address, err)
	}
	return res.Header, nil
}

// config gives the config that the Caddy runs with, as JSON. It may hold secrets.
func (g *gateway) config(ctx context.Context) ([]byte, error) {
	res, err := g.send(ctx, http.MethodGet, "/config/", "application/json", nil)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	config, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, fmt.Errorf("the config of the Caddy at %s can't be read: %w", g.address, err)
	}
	return config, nil
}

// watched is ask for what takes long: progress is told meanwhile, and the answer is read into v at its end.
func (g *gateway) watched(ctx context.Context, method, path string, query url.Values, progress ledger.Progress, v any) error {
	res, err := g.ask(ctx, method, path, query, admin.NDJSON)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	for decoder := json.NewDecoder(res.Body); ; {
		var line admin.Line
		if err := decoder.Decode(&line); err != nil {
			return fmt.Errorf("the gateway at %s broke off, see its log: %w", g.address, err)
		}
		if line.Result != nil {
			return json.Unmarshal(line.Result, v)
		}
		if progress != nil {
			progress(line.Done, line.Total)
		}
	}
}
