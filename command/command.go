// Package command is `caddy tokenbuddy`: what people ask of a gateway in a terminal. It asks the admin endpoint of the Caddy that
// runs, or reads the directory of a ledger that none has open.
package command

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/signal"
	"syscall"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"
)

// Command is the command that is registered with Caddy.
func Command() caddycmd.Command {
	return caddycmd.Command{
		Name:  "tokenbuddy",
		Usage: "<command>",
		Short: "Looks into a tokenbuddy gateway and gets its books out",
		Long: `
Looks into the gateway of the Caddy that runs, over its admin endpoint. The ledger of one that does not run can be read from
its directory, with --ledger.`,
		CobraFunc: func(cmd *cobra.Command) {
			for _, sub := range []*cobra.Command{
				statementCommand(), exportCommand(), verifyCommand(), backupCommand(), restoreCommand(), archiveCommand(), sellersCommand(), purchasesCommand(), membersCommand(), requestCommand(), doctorCommand(),
				connectCommand(), pageCommand(), fleetCommand(),
			} {
				cmd.AddCommand(sub)
			}
			cmd.Args = noWords
			cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
		},
	}
}

// run makes a command's function of one that wants a context, which ends when its user wants it to.
func run(f func(ctx context.Context, cmd *cobra.Command, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		if err := chosen(cmd); err != nil {
			return err
		}
		ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
		defer stop()
		out := &output{to: cmd.OutOrStdout()}
		cmd.SetOut(out)
		err := f(ctx, cmd, args)
		if err != nil && ctx.Err() != nil {
			return errors.New("interrupted")
		}
		return cmp.Or(err, out.err)
	}
}

// output remembers that something was not written, as on a full disk: commands print without asking, and one whose output is not whole
// has not done well.
type output struct {
	to  io.Writer
	err error
}

func (o *output) Write(p []byte) (n int, err error) {
	n, err = o.to.Write(p)
	o.err = cmp.Or(o.err, err)
	return n, err
}

// printJSON is what --json gives.
func printJSON(cmd *cobra.Command, v any) error {
	encoder := json.NewEncoder(cmd.OutOrStdout())
	encoder.SetIndent("", "  ")
	return encoder.Encode(v)
}
