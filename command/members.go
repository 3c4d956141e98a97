package command

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/spf13/cobra"

	"github.com/tokenbuddy/caddy-tokenbuddy/admin"
)

func membersCommand() *cobra.Command {
	var from gatewayFlags
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "members",
		Short: "Lists the members, what they may spend, and what they have spent",
		Long: `
Lists the members of the Caddyfile, those that were added at run time, and who else has asked since the gateway began: what each has
spent, holds, and has left today, this week and this month, when it was last seen, and what it was refused for. Changes are made with
the commands below: they act at once, are kept in the ledger over restarts, and each is an entry of its journal. What the Caddyfile says
of a member comes first.`,
		Example: `  caddy tokenbuddy members add ada --daily-budget 5 --models 'gpt-*' --group build
  caddy tokenbuddy members rotate ada --keep 24h
  caddy tokenbuddy members raise ada 10 --until tomorrow`,
		Args: noWords,
		RunE: run(func(ctx context.Context, cmd *cobra.Command, _ []string) error {
			g, err := from.gateway()
			if err != nil {
				return err
			}
			var rows []admin.Member
			if _, err := g.get(ctx, http.MethodGet, "members", nil, &rows); err != nil {
				return err
			}
			if asJSON {
				return printJSON(cmd, rows)
			}
			printMembers(cmd.OutOrStdout(), rows)
			return nil
		}),
	}
	from.addTo(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "Print JSON")
	cmd.AddCommand(addMemberCommand(), setMemberCommand(), rotateMemberCommand(), raiseMemberCommand(), removeMemberCommand(),
		memberWord("disable", "Has a member's keys open nothing, until it is enabled"),
		memberWord("enable", "Has the keys of a member that was disabled open again"))
	return cmd
}

// memberFlags are what can be said of a member.
type memberFlags struct{ daily, weekly, monthly, models, rate, group string }

func (f *memberFlags) addTo(cmd *cobra.Command) {
	for _, flag := range f.all() {
		cmd.Flags().StringVar(flag.to, flag.name, "", flag.usage)
	}
}

type memberFlag struct {
	name  string
	to    *string
	usage string
}

func (f *memberFlags) all() []memberFlag {
	return []memberFlag{
		{"daily-budget", &f.daily, "US dollars that may be spent in a day; none: no bound"},
		{"weekly-budget", &f.weekly, "US dollars that may be spent in a week; none: no bound"},
		{"monthly-budget", &f.monthly, "US dollars that may be spent in a month; none: no bound"},
		{"models", &f.models, "Globs of the models that may be used, with spaces between them; none: all"},
		{"rate", &f.rate, "How many requests may be made in which time, such as '60 1m'; none: no bound"},
		{"group", &f.group, "The Caddyfile's group that the member is in; none: in none"},
	}
}

// said is what was said, and whether anything was.
func (f *memberFlags) said(cmd *cobra.Command) (s admin.MemberSaid, anything bool) {
	var models *string
	for i, to := range []**string{&s.DailyBudget, &s.WeeklyBudget, &s.MonthlyBudget, &models, &s.Rate, &s.Group} {
		if flag := f.all()[i]; cmd.Flags().Changed(flag.name) {
			*to, anything = flag.to, true
		}
	}
	if models != nil {
		s.Models = new(admin.GlobsOf(*models))
	}
	return s, anything
}

// memberOrder is a command that tells the gateway something about a member.
func memberOrder(cmd *cobra.Command, do func(ctx context.Context, g *gateway, cmd *cobra.Command, args []string, asJSON bool) error) *cobra.Command {
	var from gatewayFlags
	var asJSON bool
	cmd.RunE = run(func(ctx context.Context, cmd *cobra.Command, args []string) error {
		if args[0] == "" {
			return errors.New("the member's name is empty")
		}
		g, err := from.gateway()
		if err != nil {
			return err
		}
		return do(ctx, g, cmd, args, asJSON)
	})
	from.addTo(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "Print JSON")
	return cmd
}

// tellMember gives an order about a member, and reads the answer into v.
func (g *gateway) tellMember(ctx context.Context, method, name, word string, said admin.MemberSaid, v any) error {
	path := "members/" + url.PathEscape(name)
	if word != "" {
		path += "/" + word
	}
	return g.tell(ctx, method, path, url.Values{"by": {operator()}}, said, v)
}

// showMember prints a member as it is by now.
func showMember(cmd *cobra.Command, row admin.Member, asJSON bool) error {
	if asJSON {
		return printJSON(cmd, row)
	}
	printMembers(cmd.OutOrStdout(), []admin.Member{row})
	return nil
}

// showKey prints a new key: alone on standard output, so that it can be taken from there.
func showKey(cmd *cobra.Command, k admin.NewKey, asJSON bool) (err error) {
	if asJSON {
		err = printJSON(cmd, k)
	} else {
		fmt.Fprintln(cmd.ErrOrStderr(), "This is the key of "+k.Name+". It is kept nowhere, and can't be shown again:")
		_, err = fmt.Fprintln(cmd.OutOrStdout(), k.Key)
	}
	if err != nil {
		return fmt.Errorf("the key is lost: %w: caddy tokenbuddy members rotate %s makes another", err, k.Name)
	}
	return nil
}

func addMemberCommand() *cobra.Command {
	flags := new(memberFlags)
	cmd := memberOrder(&cobra.Command{
		Use:   "add <name>",
		Short: "Makes a member, and prints its key, once",
		Args:  words(1, 1),
	}, func(ctx context.Context, g *gateway, cmd *cobra.Command, args []string, asJSON bool) error {
		said, _ := flags.said(cmd)
		said.Name = args[0]
		var k admin.NewKey
		if err := g.tell(ctx, http.MethodPost, "members", url.Values{"by": {operator()}}, said, &k); err != nil {
			return err
		}
		return showKey(cmd, k, asJSON)
	})
	flags.addTo(cmd)
	return cmd
}

func setMemberCommand() *cobra.Command {
	flags := new(memberFlags)
	cmd := memberOrder(&cobra.Command{
		Use:   "set <name>",
		Short: "Changes what a member may do that was added at run time",
		Args:  words(1, 1),
	}, func(ctx context.Context, g *gateway, cmd *cobra.Command, args []string, asJSON bool) error {
		said, anything := flags.said(cmd)
		if !anything {
			return errors.New("what is to be another? See --help")
		}
		var row admin.Member
		if err := g.tellMember(ctx, http.MethodPatch, args[0], "", said, &row); err != nil {
			return err
		}
		return showMember(cmd, row, asJSON)
	})
	flags.addTo(cmd)
	return cmd
}

func rotateMemberCommand() *cobra.Command {
	var keep string
	cmd := memberOrder(&cobra.Command{
		Use:   "rotate <name>",
		Short: "Makes a member a new key, and prints it, once",
		Args:  words(1, 1),
	}, func(ctx context.Context, g *gateway, cmd *cobra.Command, args []string, asJSON bool) error {
		var k admin.NewKey
		if err := g.tellMember(ctx, http.MethodPost, args[0], "rotate", admin.MemberSaid{Keep: keep}, &k); err != nil {
			return err
		}
		if err := showKey(cmd, k, asJSON); err != nil || asJSON {
			return err
		}
		told := "The old key is refused from now on."
		if k.KeptUntil != nil {
			told = "The old key is good until " + k.KeptUntil.Format("2006-01-02 15:04:05") + " UTC."
		}
		fmt.Fprintln(cmd.ErrOrStderr(), told)
		return nil
	})
	cmd.Flags().StringVar(&keep, "keep", "24h", "How long the old key is good; 0s: it is refused at once")
	return cmd
}

func raiseMemberCommand() *cobra.Command {
	var until, reference string
	cmd := memberOrder(&cobra.Command{
		Use:   "raise <name> <usd>",
		Short: "Raises a member's daily budget by so much, for a while",
		Long: `
Raises the daily budget of a member by so many US dollars, today or until a time. It may be any member that has a daily budget, those of
the Caddyfile too. The budgets of its week, its month and its group stay as they are.`,
		Example: "  caddy tokenbuddy members raise ada 10 --until tomorrow",
		Args:    words(2, 2),
	}, func(ctx context.Context, g *gateway, cmd *cobra.Command, args []string, asJSON bool) error {
		var row admin.Member
		if err := g.tellMember(ctx, http.MethodPost, args[0], "raise", admin.MemberSaid{USD: args[1], Until: until, Reference: reference}, &row); err != nil {
			return err
		}
		return showMember(cmd, row, asJSON)
	})
	cmd.Flags().StringVar(&until, "until", "", "When that ends: a time such as 2026-01-31T12:00:00Z, or 18:00 of today, the beginning of a day such as 2026-01-31, or tomorrow (default: the end of today)")
	cmd.Flags().StringVar(&reference, "reference", "", "What this raise is called: under a name that is in force the budget is not raised again, so that a script may try again")
	return cmd
}

func removeMemberCommand() *cobra.Command {
	return memberOrder(&cobra.Command{
		Use:   "remove <name>",
		Short: "Forgets a member that was added at run time; what it has spent stays in the books",
		Args:  words(1, 1),
	}, func(ctx context.Context, g *gateway, cmd *cobra.Command, args []string, asJSON bool) error {
		var said map[string]any
		if err := g.tellMember(ctx, http.MethodDelete, args[0], "", admin.MemberSaid{}, &said); err != nil {
			return err
		}
		if asJSON {
			return printJSON(cmd, said)
		}
		fmt.Fprintln(cmd.OutOrStdout(), "Member "+args[0]+" is removed.")
		return nil
	})
}

// memberWord is a word that the gateway is told about a member.
func memberWord(word, short string) *cobra.Command {
	return memberOrder(&cobra.Command{
		Use:   word + " <name>",
		Short: short,
		Args:  words(1, 1),
	}, func(ctx context.Context, g *gateway, cmd *cobra.Command, args []string, asJSON bool) error {
		var row admin.Member
		if err := g.tellMember(ctx, http.MethodPost, args[0], word, admin.MemberSaid{}, &row); err != nil {
			return err
		}
		return showMember(cmd, row, asJSON)
	})
}
