package command

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/tokenbuddy/caddy-tokenbuddy/admin"
	fleetbooks "github.com/tokenbuddy/caddy-tokenbuddy/fleet/books"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/plain"
)

// fleetBooks are the books of all gateways of a fleet, as one of them reads them.
type fleetBooks struct {
	*gateway
	far admin.FleetStatement // of which gateways, and how far; known once something was read
}

// Entries is Lines, decoded.
func (b *fleetBooks) Entries(ctx context.Context, q ledger.Query, yield func(*ledger.Entry) error) error {
	return b.Lines(ctx, q, b.decoded(yield))
}

// Lines gives the entries of all gateways by their times. They come in one answer: a part of them is not found without reading all before.
func (b *fleetBooks) Lines(ctx context.Context, q ledger.Query, yield func(raw []byte) error) error {
	query := entriesQuery(&q)
	query.Set("fleet", "1")
	res, err := b.ask(ctx, http.MethodGet, "ledger/entries", query, admin.NDJSON)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if err := json.Unmarshal([]byte(res.Header.Get(admin.HeaderFleet)), &b.far.Gateways); err != nil {
		return fmt.Errorf("the gateway at %s does not say how far the books of the others are: is it of the version of this command? %w", b.address, err)
	}
	return b.lines(res.Body, yield)
}

// Statement gives what came of the money in a period, at all gateways.
func (b *fleetBooks) Statement(ctx context.Context, p ledger.Period, by string, progress ledger.Progress) (ledger.Statement, error) {
	query := url.Values{"by": {by}, "from": {timeText(p.From)}, "to": {timeText(p.To)}, "zone": {p.Zone.String()}, "fleet": {"1"}}
	err := b.watched(ctx, http.MethodGet, "ledger/statement", query, progress, &b.far)
	return b.far.Statement, err
}

// verify has the gateway verify the books of all.
func (b *fleetBooks) verify(ctx context.Context, progress ledger.Progress) (r fleetbooks.Report, err error) {
	err = b.watched(ctx, http.MethodGet, "ledger/verify", url.Values{"fleet": {"1"}}, progress, &r)
	return r, err
}

// sayOfWhom says which gateways' books were read, where there are several.
func sayOfWhom(cmd *cobra.Command, b books) {
	switch b := b.(type) {
	case *fleetBooks:
		b.print(cmd.ErrOrStderr())
	case *gateway:
		sayOne(cmd, b)
	}
}

func sayOne(cmd *cobra.Command, g *gateway) {
	if g.oneOfFleet {
		fmt.Fprintln(cmd.ErrOrStderr(), "These are the books of one gateway of a fleet; with --fleet they are those of all.")
	}
}

// print says how far the books of each gateway are.
func (b *fleetBooks) print(w io.Writer) {
	fmt.Fprintln(w, "The books of all gateways of the fleet, as far as they were shipped:")
	t := &table{words: []int{0, 2}}
	for i := range b.far.Gateways {
		g := &b.far.Gateways[i]
		name, last := plain.Name(g.Gateway), "no entry yet"
		if g.Name != "" {
			name = plain.Name(g.Name)
		}
		if g.Entries > 0 {
			last = "the last of " + g.At.UTC().Format(time.DateTime) + " UTC"
		}
		if g.Self {
			last += ", this one"
		}
		t.add(name, humanize.Comma(int64(g.Entries))+" entries", last)
	}
	t.print(w)
}
