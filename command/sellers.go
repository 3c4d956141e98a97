package command

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tokenbuddy/caddy-tokenbuddy/admin"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/routing"
)

func sellersCommand() *cobra.Command {
	var from gatewayFlags
	var asJSON bool
	sellers := func(method string, query url.Values) func(context.Context, *cobra.Command, []string) error {
		return func(ctx context.Context, cmd *cobra.Command, args []string) error {
			g, err := from.gateway()
			if err != nil {
				return err
			}
			if len(args) > 0 {
				query = url.Values{"forgive": args}
			}
			var rows []admin.Seller
			if _, err := g.get(ctx, method, "sellers", query, &rows); err != nil {
				return err
			}
			if asJSON {
				return printJSON(cmd, rows)
			}
			printSellers(cmd.OutOrStdout(), rows, time.Now())
			return nil
		}
	}
	cmd := &cobra.Command{
		Use:   "sellers",
		Short: "Lists the sellers that were dealt with, and how they do",
		Long:  `Lists the sellers that the gateway has dealt with since it started, how they do, and what is left there.`,
		Args:  cobra.NoArgs,
		RunE:  run(sellers(http.MethodGet, nil)),
	}
	forgive := &cobra.Command{
		Use:   "forgive <seller>",
		Short: "Lets a seller be bought from again whose last two tokens served nothing",
		Args:  cobra.ExactArgs(1),
		RunE:  run(sellers(http.MethodPost, nil)),
	}
	cmd.AddCommand(forgive)
	for _, c := range []*cobra.Command{cmd, forgive} {
		from.addTo(c)
		c.Flags().BoolVar(&asJSON, "json", false, "Print JSON")
	}
	return cmd
}

func printSellers(w io.Writer, rows []admin.Seller, now time.Time) {
	if len(rows) == 0 {
		fmt.Fprintln(w, "No seller was dealt with since the gateway started.")
		return
	}
	t := &table{words: "0128"}
	t.add("seller", "url", "circuit", "health", "first byte", "in flight", "left", "wasted", "remark")
	t.add(rule...)
	var left, wasted money.Micros
	for _, s := range rows {
		latency := "-"
		if s.LatencyMs > 0 {
			latency = strconv.FormatInt(s.LatencyMs, 10) + " ms"
		}
		t.add(shown(s.SellerID), shown(s.URL), string(s.Circuit), strconv.Itoa(s.HealthScore), latency, strconv.FormatInt(s.InFlight, 10),
			s.LeftMicros.Fixed(), s.WastedMicros.Fixed(), remark(&s, now))
		left += s.LeftMicros
		wasted += s.WastedMicros
	}
	t.add(rule...)
	t.add("total", "", "", "", "", "", left.Fixed(), wasted.Fixed())
	t.print(w)
}

// remark says what stands between a seller and requests.
func remark(s *admin.Seller, now time.Time) string {
	var remarks []string
	if s.NoMoreMoney {
		remarks = append(remarks, "gets no more money: its last two tokens served nothing")
	}
	if s.DueAt != nil && s.DueAt.After(now) {
		remarks = append(remarks, "asked again in "+s.DueAt.Sub(now).Round(time.Second).String())
	}
	if s.ConsecutiveFailures > 0 && s.Circuit != routing.CircuitClosed {
		remarks = append(remarks, fmt.Sprintf("%d failures in a row", s.ConsecutiveFailures))
	}
	return strings.Join(remarks, "; ")
}
