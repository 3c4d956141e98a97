package command

import (
	"bufio"
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
	"time"

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
	address, err := caddycmd.DetermineAdminAPIAddress(f.address, nil, f.config, f.adapter)
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

// explain makes of an error of Caddy's client one that says what to do. It has no types to go by.
func (g *gateway) explain(err error) error {
	_, answer, refused := strings.Cut(err.Error(), "caddy responded with error: HTTP ")
	if !refused {
		return fmt.Errorf("no Caddy answers at %s: is it running? Say with --address or --config where its admin endpoint is%s (%w)",
			g.address, g.orElse, err)
	}
	status, body, _ := strings.Cut(answer, ": ")
	var said struct {
		Error string `json:"error"`
	}
	if json.Unmarshal([]byte(body), &said) != nil || said.Error == "" {
		if status == strconv.Itoa(http.StatusNotFound) {
			return fmt.Errorf("the Caddy at %s does not know this request: does it have tokenbuddy in it, in the version of this command?", g.address)
		}
		return fmt.Errorf("the Caddy at %s answers with status %s: %s", g.address, status, strings.TrimSpace(body))
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

// getWatched is get for what takes long: progress is told meanwhile.
func (g *gateway) getWatched(ctx context.Context, path string, query url.Values, progress ledger.Progress, v any) error {
	return g.watched(ctx, http.MethodGet, path, query, progress, v)
}

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

// page is how many entries are asked for at once: some megabytes, which keep the gateway from nothing.
const page = 5000

// Entries gives the entries that q chooses, page by page.
func (g *gateway) Entries(ctx context.Context, q ledger.Query, yield func(*ledger.Entry) error) error {
	return g.Lines(ctx, q, g.decoded(yield))
}

// decoded reads entries as this gateway gives them.
func (g *gateway) decoded(yield func(*ledger.Entry) error) func(raw []byte) error {
	return func(raw []byte) error {
		e := new(ledger.Entry)
		if err := json.Unmarshal(raw, e); err != nil {
			return fmt.Errorf("the gateway at %s gives what is no entry: %w", g.address, err)
		}
		return yield(e)
	}
}

// Lines is Entries for their JSON.
func (g *gateway) Lines(ctx context.Context, q ledger.Query, yield func(raw []byte) error) error {
	for {
		n, err := g.page(ctx, &q, yield)
		if err != nil || n < page {
			return err
		}
	}
}

// page gives the entries after the cursor, how many there were, and puts the cursor behind them.
func (g *gateway) page(ctx context.Context, q *ledger.Query, yield func(raw []byte) error) (n int, err error) {
	query := url.Values{"limit": {strconv.Itoa(page)}}
	for name, value := range map[string]string{
		"from": timeText(q.From), "to": timeText(q.To), "member": q.Member, "model": q.Model, "seller": q.Seller, "cursor": q.Cursor,
	} {
		if value != "" {
			query.Set(name, value)
		}
	}
	res, err := g.ask(ctx, http.MethodGet, "ledger/entries", query, admin.NDJSON)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	for lines := (lineReader{in: bufio.NewReaderSize(res.Body, 64<<10)}); ; n++ {
		raw, err := lines.next()
		if errors.Is(err, io.EOF) {
			return n, nil
		}
		if err != nil {
			return n, fmt.Errorf("the gateway at %s broke off, see its log: %w", g.address, err)
		}
		if err := yield(raw); err != nil {
			return n, err
		}
		q.Cursor = ledger.IDOf(raw)
	}
}

// lineReader reads lines of any length. io.EOF is the end after a whole one.
type lineReader struct {
	in   *bufio.Reader
	long []byte
}

// next gives a line without its line feed. It is good until the next call.
func (r *lineReader) next() ([]byte, error) {
	r.long = r.long[:0]
	for {
		part, err := r.in.ReadSlice('\n')
		switch {
		case err == nil && len(r.long) == 0:
			return part[:len(part)-1], nil
		case err == nil:
			r.long = append(r.long, part[:len(part)-1]...)
			return r.long, nil
		case errors.Is(err, bufio.ErrBufferFull):
			r.long = append(r.long, part...)
		case errors.Is(err, io.EOF) && len(part)+len(r.long) > 0:
			return nil, io.ErrUnexpectedEOF
		default:
			return nil, err
		}
	}
}

// Balances gives the accounts, and after which entry they were so.
func (g *gateway) Balances(ctx context.Context) (b ledger.Balances, err error) {
	header, err := g.get(ctx, http.MethodGet, "ledger/accounts", nil, &b.Accounts)
	if err != nil {
		return b, err
	}
	b.Head = header.Get(admin.HeaderHead)
	b.Entries, err = strconv.ParseUint(header.Get(admin.HeaderEntries), 10, 64)
	if err != nil {
		return b, fmt.Errorf("the gateway at %s does not say after which entry its balances were so: is it of the version of this command?", g.address)
	}
	return b, nil
}

// Statement gives what came of the money in a period.
func (g *gateway) Statement(ctx context.Context, p ledger.Period, by string, progress ledger.Progress) (s ledger.Statement, err error) {
	query := url.Values{"by": {by}, "from": {timeText(p.From)}, "to": {timeText(p.To)}, "zone": {p.Zone.String()}}
	err = g.getWatched(ctx, "ledger/statement", query, progress, &s)
	return s, err
}

// VerifyWithProgress has the gateway verify its ledger.
func (g *gateway) VerifyWithProgress(ctx context.Context, progress ledger.Progress) (r ledger.Report, err error) {
	err = g.getWatched(ctx, "ledger/verify", nil, progress, &r)
	return r, err
}

// Backup gives the gateway's backup of its ledger. One that breaks off is an error.
func (g *gateway) Backup(ctx context.Context, w io.Writer) error {
	res, err := g.ask(ctx, http.MethodGet, "ledger/backup", nil, "*/*")
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if _, err := io.Copy(w, res.Body); err != nil {
		return fmt.Errorf("the backup of the gateway at %s broke off: %w", g.address, err)
	}
	return nil
}

// Close has nothing to do: no connection is kept.
func (*gateway) Close() error { return nil }

// timeText is how a time is written for the admin endpoint.
func timeText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Format(time.RFC3339Nano)
}

// Archive has the gateway move the entries of months that end before a time into files.
func (g *gateway) Archive(ctx context.Context, before time.Time, to string, progress ledger.Progress) (done ledger.Archived, err error) {
	query := url.Values{"before": {timeText(before)}}
	if to != "" {
		query.Set("to", to)
	}
	return done, g.watched(ctx, http.MethodPost, "ledger/archive", query, progress, &done)
}
