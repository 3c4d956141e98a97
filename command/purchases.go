package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/user"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/tokenbuddy/caddy-tokenbuddy/admin"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
)

func purchasesCommand() *cobra.Command {
	cmd := purchaseListCommand("purchases")
	list := purchaseListCommand("list")
	cmd.AddCommand(list, showCommand(), approveCommand(), cancelCommand(), settleCommand(), refundCommand())
	return cmd
}

func purchaseListCommand(use string) *cobra.Command {
	var from source
	var q ledger.PurchaseQuery
	var asJSON bool
	cmd := &cobra.Command{
		Use:   use,
		Short: "Lists the purchases, and what those wait for that have not ended",
		Long: `
Lists the purchases of tokens, the oldest first: how far each has come, what it waits for, until when, and what the payment is
called on its rail. Those that wait for a human are helped on with approve, cancel and settle.`,
		Args: noWords,
		RunE: run(func(ctx context.Context, cmd *cobra.Command, _ []string) error {
			rows, err := from.purchases(ctx, q)
			switch {
			case err != nil:
				return err
			case asJSON:
				return printJSON(cmd, rows)
			}
			printPurchases(cmd.OutOrStdout(), rows, q)
			return nil
		}),
	}
	from.addTo(cmd)
	cmd.Flags().BoolVar(&q.Open, "open", false, "Only those that have not ended")
	cmd.Flags().BoolVar(&q.Disputed, "disputed", false, "Only those that were paid for nothing, and are not refunded whole")
	cmd.Flags().StringVar(&q.Seller, "seller", "", "Only those at this seller")
	cmd.Flags().BoolVar(&asJSON, "json", false, "Print JSON")
	cmd.MarkFlagsMutuallyExclusive("open", "disputed")
	return cmd
}

// purchases gives those that are chosen, of the gateway that runs, or of a closed ledger.
func (s *source) purchases(ctx context.Context, q ledger.PurchaseQuery) ([]admin.Purchase, error) {
	if s.dir == "" {
		g, err := s.running()
		if err != nil {
			return nil, err
		}
		return g.purchases(ctx, q)
	}
	l, err := s.closed()
	if err != nil {
		return nil, err
	}
	defer l.Close()
	return purchasesOf(ctx, l, q)
}

func (g *gateway) purchases(ctx context.Context, q ledger.PurchaseQuery) (rows []admin.Purchase, err error) {
	query := url.Values{"open": {strconv.FormatBool(q.Open)}, "disputed": {strconv.FormatBool(q.Disputed)}}
	if q.Seller != "" {
		query.Set("seller", q.Seller)
	}
	_, err = g.get(ctx, http.MethodGet, "purchases", query, &rows)
	return rows, err
}

func purchasesOf(ctx context.Context, l *ledger.Ledger, q ledger.PurchaseQuery) ([]admin.Purchase, error) {
	found, err := l.Purchases(ctx, q)
	rows := make([]admin.Purchase, len(found))
	for i := range found {
		rows[i] = admin.PurchaseOf(&found[i])
	}
	return rows, err
}

func showCommand() *cobra.Command {
	var from source
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "show <id>",
		Short: "Shows one purchase, and what the journal says of it",
		Args:  words(1, 1),
		RunE: run(func(ctx context.Context, cmd *cobra.Command, args []string) error {
			p, err := from.purchase(ctx, args[0])
			switch {
			case err != nil:
				return err
			case asJSON:
				return printJSON(cmd, p)
			}
			printPurchase(cmd.OutOrStdout(), p)
			return nil
		}),
	}
	from.addTo(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "Print JSON")
	return cmd
}

func (s *source) purchase(ctx context.Context, id string) (*admin.Purchase, error) {
	if id == "" {
		return nil, errors.New("the id of the purchase is empty")
	}
	if s.dir == "" {
		g, err := s.running()
		if err != nil {
			return nil, err
		}
		p := new(admin.Purchase)
		_, err = g.get(ctx, http.MethodGet, "purchases", url.Values{"id": {id}}, p)
		return p, err
	}
	l, err := s.closed()
	if err != nil {
		return nil, err
	}
	defer l.Close()
	found, err := l.Purchases(ctx, ledger.PurchaseQuery{ID: id})
	switch {
	case err != nil:
		return nil, err
	case len(found) == 0:
		return nil, fmt.Errorf("there is no purchase %q", id)
	}
	p := admin.PurchaseOf(&found[0])
	p.Entries, err = l.Told(ctx, &found[0])
	return &p, err
}

// orderCommand is one that tells the gateway what to do with a purchase. ask adds to the query, and may be nil.
func orderCommand(cmd *cobra.Command, what string, ask func(args []string, query url.Values)) *cobra.Command {
	return asking(cmd, func(ctx context.Context, q *question) error {
		query := url.Values{what: {q.args[0]}, "by": {operator()}}
		if ask != nil {
			ask(q.args, query)
		}
		p := new(admin.Purchase)
		if _, err := q.get(ctx, http.MethodPost, "purchases", query, p); err != nil {
			return err
		}
		return q.show(p, func(w io.Writer) { printPurchase(w, p) })
	})
}

// operator is who gives the command, for the journal.
func operator() string {
	if sudo := os.Getenv("SUDO_USER"); sudo != "" {
		return sudo
	}
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return ""
}

func approveCommand() *cobra.Command {
	return orderCommand(&cobra.Command{
		Use:   "approve <id>",
		Short: "Has a purchase go on that waits for a human",
		Long: `
Has a purchase go on that waits for approval (purchase { approve ... }), or whose payment waits for a human: once that is done which
its hint asks for. It is never paid twice.`,
		Args: words(1, 1),
	}, "approve", nil)
}

func cancelCommand() *cobra.Command {
	return orderCommand(&cobra.Command{
		Use:   "cancel <id>",
		Short: "Ends a purchase whose money can't have left",
		Args:  words(1, 1),
	}, "cancel", nil)
}

func settleCommand() *cobra.Command {
	var paid, unpaid bool
	var note string
	cmd := orderCommand(&cobra.Command{
		Use:   "settle <id> --paid|--unpaid",
		Short: "Ends a purchase of which nobody can know whether it was paid, by your word",
		Long: `
Ends a purchase whose money may have left, where nothing but a human's word can tell: look at the bank's page, the wallet, the
program that pays. With --paid it is in dispute with the seller, and counts as spent; with --unpaid it goes back to the wallet and the
limits. If it was paid all the same, the money is in no book.`,
		Args: words(1, 1),
		PreRunE: func(*cobra.Command, []string) error {
			if paid == unpaid { // --paid=false, of which nobody knows what it means: the other one gives money back
				return errors.New("say either --paid or --unpaid, without a value")
			}
			return nil
		},
	}, "settle", func(_ []string, query url.Values) {
		query.Set("paid", strconv.FormatBool(paid))
		query.Set("note", note)
	})
	cmd.Flags().BoolVar(&paid, "paid", false, "The money has left")
	cmd.Flags().BoolVar(&unpaid, "unpaid", false, "The money has not left, and never will")
	cmd.Flags().StringVar(&note, "note", "", "How you know, for the journal")
	return cmd
}

func refundCommand() *cobra.Command {
	var reference, note string
	cmd := orderCommand(&cobra.Command{
		Use:   "refund <id> <usd> --reference <reference>",
		Short: "Books money that a seller has given back for a purchase",
		Long: `
Books money that has come back from a seller outside of the protocol: from dispute to the wallet that had paid. Of one purchase no more
can come back than was paid for it, and no more than is in dispute with its seller. The limits do not get it back.`,
		Args: words(2, 2),
	}, "refund", func(args []string, query url.Values) {
		query.Set("usd", args[1])
		query.Set("reference", reference)
		query.Set("note", note)
	})
	cmd.Flags().StringVar(&reference, "reference", "", "What the rail calls the refund, such as its transaction: each is booked once")
	cmd.Flags().StringVar(&note, "note", "", "For the journal")
	needs(cmd, "reference")
	return cmd
}
