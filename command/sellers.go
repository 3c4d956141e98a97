package command

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tokenbuddy/caddy-tokenbuddy/admin"
	"github.com/tokenbuddy/caddy-tokenbuddy/doctor"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/orders"
	"github.com/tokenbuddy/caddy-tokenbuddy/plain"
	"github.com/tokenbuddy/caddy-tokenbuddy/routing"
)

func sellersCommand() *cobra.Command {
	cmd := sellerListCommand("sellers")
	cmd.AddCommand(sellerListCommand("list"), forgiveCommand(), refreshCommand(),
		sellerOrder("pause", "Sends a seller no more requests, also after a restart, until it is resumed"),
		sellerOrder("resume", "Sends a seller that was paused requests again"))
	return cmd
}

func sellerListCommand(use string) *cobra.Command {
	var from source
	var asJSON bool
	cmd := &cobra.Command{
		Use:   use,
		Short: "Lists the sellers, and how they do",
		Long: `
Lists the sellers that the gateway knows, how they do, and what is left there. With --ledger it lists those that the ledger
knows, and what became of the money there.`,
		Args: noWords,
		RunE: run(func(ctx context.Context, cmd *cobra.Command, _ []string) error {
			if from.dir == "" {
				g, err := from.running()
				if err != nil {
					return err
				}
				return (&question{g, cmd, nil, asJSON}).sellers(ctx, http.MethodGet, nil)
			}
			l, err := from.closed()
			if err != nil {
				return err
			}
			defer l.Close()
			rows, err := sellersOf(ctx, l)
			switch {
			case err != nil:
				return err
			case asJSON:
				return printJSON(cmd, rows)
			}
			printSellerBooks(cmd.OutOrStdout(), rows)
			return nil
		}),
	}
	from.addTo(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "Print JSON")
	return cmd
}

func forgiveCommand() *cobra.Command {
	return asking(&cobra.Command{
		Use:   "forgive <seller>",
		Short: "Lets a seller be bought from again whose last two tokens served next to nothing",
		Args:  words(1, 1),
	}, func(ctx context.Context, q *question) error {
		return q.sellers(ctx, http.MethodPost, url.Values{"forgive": q.args})
	})
}

// sellerOrder is a word that the gateway is told about a seller.
func sellerOrder(word, short string) *cobra.Command {
	return asking(&cobra.Command{
		Use:   word + " <seller>",
		Short: short,
		Args:  words(1, 1),
	}, func(ctx context.Context, q *question) error {
		return q.sellers(ctx, http.MethodPost, url.Values{word: q.args, "by": {operator()}})
	})
}

func refreshCommand() *cobra.Command {
	cmd := asking(&cobra.Command{
		Use:   "refresh",
		Short: "Reads the registry now, and lists the sellers that there are then",
		Args:  noWords,
	}, func(ctx context.Context, q *question) error {
		var registries []routing.RegistryStatus
		if _, err := q.get(ctx, http.MethodPost, "registry", nil, &registries); err != nil {
			return err
		}
		if q.asJSON {
			return printJSON(q.cmd, registries)
		}
		for _, r := range registries {
			fmt.Fprintf(q.cmd.OutOrStdout(), "%s: version %s, %d sellers, %d entries left out\n", plain.Name(r.URL), plain.Name(r.Version), r.Sellers, r.LeftOut)
		}
		return q.sellers(ctx, http.MethodGet, nil)
	})
	cmd.Flags().Lookup("json").Usage = "Print JSON: how the registries are then"
	return cmd
}

// sellers asks the gateway about its sellers, and prints them: of many those that an order was about.
func (q *question) sellers(ctx context.Context, method string, query url.Values) error {
	var rows []admin.Seller
	if _, err := q.get(ctx, method, "sellers", query, &rows); err != nil {
		return err
	}
	if q.asJSON {
		return printJSON(q.cmd, rows)
	}
	printSellers(q.cmd.OutOrStdout(), onlyOf(rows, q.args), time.Now())
	var over struct {
		Selection *orders.Selection `json:"selection"`
	}
	if _, err := q.get(ctx, http.MethodGet, "selection", nil, &over); err != nil {
		return err
	}
	if over.Selection != nil {
		fmt.Fprintf(q.cmd.OutOrStdout(), "The selection %s is put over the Caddyfile's.\n", doctor.SelectionWords(over.Selection))
	}
	return nil
}

// onlyOf are the rows of these sellers, or all of them where there is none of theirs.
func onlyOf(rows []admin.Seller, ids []string) []admin.Seller {
	var only []admin.Seller
	for i := range rows {
		if slices.Contains(ids, rows[i].SellerID) {
			only = append(only, rows[i])
		}
	}
	if only == nil {
		return rows
	}
	return only
}

func printSellers(w io.Writer, rows []admin.Seller, now time.Time) {
	if len(rows) == 0 {
		fmt.Fprintln(w, "No seller is known.")
		return
	}
	t := &table{words: []int{0, 1, 2, 8}}
	t.add("seller", "url", "circuit", "health", "first byte", "in flight", "left", "wasted", "remark")
	t.add(rule...)
	var left, wasted money.Micros
	for _, s := range rows {
		latency := "-"
		if s.LatencyMs > 0 {
			latency = strconv.FormatInt(s.LatencyMs, 10) + " ms"
		}
		t.add(plain.Name(s.SellerID), plain.Name(s.URL), string(s.Circuit), strconv.Itoa(s.HealthScore), latency, strconv.FormatInt(s.InFlight, 10),
			s.LeftMicros.Fixed(), s.WastedMicros.Fixed(), sellerRemark(&s, now))
		left += s.LeftMicros
		wasted += s.WastedMicros
	}
	t.add(rule...)
	t.add("total", "", "", "", "", "", left.Fixed(), wasted.Fixed())
	t.print(w)
}

// sellerRemark says what stands between a seller and requests.
func sellerRemark(s *admin.Seller, now time.Time) string {
	var remarks []string
	if s.Paused {
		remarks = append(remarks, "paused")
	}
	if s.Excluded {
		remarks = append(remarks, "excluded in the Caddyfile")
	}
	if s.Gone {
		remarks = append(remarks, "no config or registry names it there any more")
	}
	if s.NoMoreMoney {
		remarks = append(remarks, "gets no more money: its last two tokens served next to nothing, "+s.LostMicros.String()+" are lost")
	}
	if s.DisputedMicros > 0 {
		remarks = append(remarks, s.DisputedMicros.String()+" in dispute")
	}
	if s.Refuses != nil {
		remarks = append(remarks, fmt.Sprintf("refuses the account there (%d)", s.Refuses.Status))
	}
	if s.SetBackUntil != nil && s.SetBackUntil.After(now) {
		remarks = append(remarks, "asked after the others for "+s.SetBackUntil.Sub(now).Round(time.Second).String()+", as it overbilled")
	}
	if s.DueAt != nil && s.DueAt.After(now) {
		remarks = append(remarks, "asked again in "+s.DueAt.Sub(now).Round(time.Second).String())
	}
	if s.ConsecutiveFailures > 0 && s.Circuit != routing.CircuitClosed {
		remarks = append(remarks, fmt.Sprintf("%d failures in a row", s.ConsecutiveFailures))
	}
	return strings.Join(remarks, "; ")
}
