package command

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/tokenbuddy/caddy-tokenbuddy/admin"
	"github.com/tokenbuddy/caddy-tokenbuddy/recent"
)

func requestCommand() *cobra.Command {
	var (
		from   source
		asJSON bool
		limit  int
		q      = map[string]*string{"member": new(string), "model": new(string), "seller": new(string), "outcome": new(string)}
	)
	cmd := &cobra.Command{
		Use:   "request [<id>]",
		Short: "Shows one request, or the last ones",
		Long: `
Shows what became of one request, by the X-Request-Id of its answer: who asked for what, each attempt with its seller, status, times and
why it failed, what it cost and how that is known, the purchase that has paid, and its entries of the journal. The gateway remembers its
last requests, also those that it has refused; of others the books have what sellers were asked for, and are read whole for it, as with
--ledger; with --fleet those of all gateways are. Without an id it lists the requests that are remembered, the last first.`,
		Example: `  caddy tokenbuddy request 0198f2b4-8c55-7000-a3c6-0d6f7a1f3b5e
  caddy tokenbuddy request --outcome refused --member ada`,
		Args: words(0, 1),
		RunE: run(func(ctx context.Context, cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				return showRequest(ctx, cmd, &from, args[0], asJSON)
			}
			query := url.Values{"limit": {strconv.Itoa(limit)}}
			for name, value := range q {
				if *value != "" {
					query.Set(name, *value)
				}
			}
			return listRequests(ctx, cmd, &from, query, asJSON)
		}),
	}
	from.addFleetTo(cmd)
	cmd.Flags().StringVar(q["member"], "member", "", "Only requests of this member")
	cmd.Flags().StringVar(q["model"], "model", "", "Only requests for this model, as it was asked for or as it was served")
	cmd.Flags().StringVar(q["seller"], "seller", "", "Only requests for which this seller was tried")
	cmd.Flags().StringVar(q["outcome"], "outcome", "", "Only requests that ended so: ok, interrupted, client_gone, failed, refused, no_credit or purchase_limit")
	cmd.Flags().IntVar(&limit, "limit", 20, "How many requests to list")
	cmd.Flags().BoolVar(&asJSON, "json", false, "Print JSON")
	return cmd
}

// showRequest prints one request, by its id.
func showRequest(ctx context.Context, cmd *cobra.Command, from *source, id string, asJSON bool) error {
	if id == "" {
		return errors.New("the id of the request is empty")
	}
	for _, name := range []string{"member", "model", "seller", "outcome", "limit"} {
		if cmd.Flags().Changed(name) {
			return fmt.Errorf("--%s is for the list: leave it out, or the id", name)
		}
	}
	told, g, err := from.request(ctx, id)
	if err != nil {
		return err
	}
	if g != nil {
		sayOne(cmd, g)
	}
	if asJSON {
		return printJSON(cmd, told)
	}
	printRequest(cmd.OutOrStdout(), told)
	return nil
}

// listRequests prints the last requests that the query chooses.
func listRequests(ctx context.Context, cmd *cobra.Command, from *source, query url.Values, asJSON bool) error {
	if from.fleet {
		return errors.New("the last requests are remembered by each gateway alone: --fleet is for request <id>")
	}
	if from.dir != "" {
		return errors.New("the last requests are remembered by a gateway that runs: say which one is meant, as in request <id> --ledger <directory>")
	}
	g, err := from.running()
	if err != nil {
		return err
	}
	var rows []recent.Row
	if _, err = g.get(ctx, http.MethodGet, "requests", query, &rows); err != nil {
		return err
	}
	if asJSON {
		return printJSON(cmd, rows)
	}
	printRequests(cmd.OutOrStdout(), rows)
	return nil
}

// request asks a gateway for one request, and gives the gateway, or looks for it in the ledger of one that is stopped.
func (s *source) request(ctx context.Context, id string) (*admin.Told, *gateway, error) {
	told := new(admin.Told)
	if s.dir == "" {
		g, err := s.running()
		if err != nil {
			return nil, nil, err
		}
		query := url.Values{"id": {id}}
		if s.fleet {
			query.Set("fleet", "1")
		}
		_, err = g.get(ctx, http.MethodGet, "requests", query, told)
		return told, g, err
	}
	l, err := s.closed()
	if err != nil {
		return nil, nil, err
	}
	defer l.Close()
	told, err = admin.RequestOf(ctx, l, nil, id)
	return told, nil, err
}
