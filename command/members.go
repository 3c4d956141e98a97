package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/spf13/cobra"

	"github.com/tokenbuddy/caddy-tokenbuddy/admin"
)

func membersCommand() *cobra.Command {
	cmd := memberListCommand("members")
	cmd.AddCommand(memberListCommand("list"), addMemberCommand(), setMemberCommand(), rotateMemberCommand(), raiseMemberCommand(), removeMemberCommand(),
		memberWord("disable", "Has a member's keys open nothing, until it is enabled"),
		memberWord("enable", "Has the keys of a member that was disabled open again"))
	return cmd
}

func memberListCommand(use string) *cobra.Command {
	return asking(&cobra.Command{
		Use:   use,
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
	}, func(ctx context.Context, q *question) error {
		var rows []admin.Member
		if _, err := q.get(ctx, http.MethodGet, "members", nil, &rows); err != nil {
			return err
		}
		return q.show(rows, func(w io.Writer) { printMembers(w, rows) })
	})
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

// memberOrder has a command tell the gateway something about the member that is its first word.
func memberOrder(cmd *cobra.Command, tell func(ctx context.Context, q *question) error) *cobra.Command {
	return asking(cmd, func(ctx context.Context, q *question) error {
		if q.args[0] == "" {
			return errors.New("the member's name is empty")
		}
		if name := q.args[0]; name == "." || name == ".." {
			return fmt.Errorf("nothing can be ordered of a member called %q: it would stand in a path, which is another one then", name)
		}
		return tell(ctx, q)
	})
}

// tellMember gives an order about the member, and reads the answer into v.
func (q *question) tellMember(ctx context.Context, method, word string, said admin.MemberSaid, v any) error {
	path := "members/" + url.PathEscape(q.args[0])
	if word != "" {
		path += "/" + word
	}
	return q.tell(ctx, method, path, url.Values{"by": {operator()}}, said, v)
}

// changeMember gives an order about the member, and prints it as it is by then.
func (q *question) changeMember(ctx context.Context, method, word string, said admin.MemberSaid) error {
	var row admin.Member
	if err := q.tellMember(ctx, method, word, said, &row); err != nil {
		return err
	}
	return q.show(row, func(w io.Writer) { printMembers(w, []admin.Member{row}) })
}

// showKey prints a new key: alone on standard output, so that it can be taken from there.
func (q *question) showKey(k admin.NewKey) (err error) {
	if q.asJSON {
		err = printJSON(q.cmd, k)
	} else {
		fmt.Fprintln(q.cmd.ErrOrStderr(), "This is the key of "+k.Name+". It is kept nowhere, and can't be shown again:")
		_, err = fmt.Fprintln(q.cmd.OutOrStdout(), k.Key)
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
	}, func(ctx context.Context, q *question) error {
		said, _ := flags.said(q.cmd)
		said.Name = q.args[0]
		var k admin.NewKey
		if err := q.tell(ctx, http.MethodPost, "members", url.Values{"by": {operator()}}, said, &k); err != nil {
			return err
		}
		return q.showKey(k)
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
	}, func(ctx context.Context, q *question) error {
		said, anything := flags.said(q.cmd)
		if !anything {
			return errors.New("what is to be another? See --help")
		}
		return q.changeMember(ctx, http.MethodPatch, "", said)
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
	}, func(ctx context.Context, q *question) error {
		var k admin.NewKey
		if err := q.tellMember(ctx, http.MethodPost, "rotate", admin.MemberSaid{Keep: keep}, &k); err != nil {
			return err
		}
		if err := q.showKey(k); err != nil || q.asJSON {
			return err
		}
		told := "The old key is refused from now on."
		if k.KeptUntil != nil {
			told = "The old key is good until " + k.KeptUntil.UTC().Format(time.DateTime) + " UTC."
		}
		fmt.Fprintln(q.cmd.ErrOrStderr(), told)
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
	}, func(ctx context.Context, q *question) error {
		return q.changeMember(ctx, http.MethodPost, "raise", admin.MemberSaid{USD: q.args[1], Until: until, Reference: reference})
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
	}, func(ctx context.Context, q *question) error {
		var said map[string]any
		if err := q.tellMember(ctx, http.MethodDelete, "", admin.MemberSaid{}, &said); err != nil {
			return err
		}
		return q.show(said, func(w io.Writer) { fmt.Fprintln(w, "Member "+q.args[0]+" is removed.") })
	})
}

// memberWord is a word that the gateway is told about a member.
func memberWord(word, short string) *cobra.Command {
	return memberOrder(&cobra.Command{
		Use:   word + " <name>",
		Short: short,
		Args:  words(1, 1),
	}, func(ctx context.Context, q *question) error {
		return q.changeMember(ctx, http.MethodPost, word, admin.MemberSaid{})
	})
}
