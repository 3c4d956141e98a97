package command

import (
	"context"
	"io"

	"github.com/spf13/cobra"
)

// question is what a command asks of the gateway that runs, or tells it.
type question struct {
	*gateway
	cmd    *cobra.Command
	args   []string
	asJSON bool
}

// asking has a command put a question to the gateway that its flags say.
func asking(cmd *cobra.Command, ask func(ctx context.Context, q *question) error) *cobra.Command {
	var from gatewayFlags
	var asJSON bool
	cmd.RunE = run(func(ctx context.Context, cmd *cobra.Command, args []string) error {
		g, err := from.gateway()
		if err != nil {
			return err
		}
		return ask(ctx, &question{g, cmd, args, asJSON})
	})
	from.addTo(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "Print JSON")
	return cmd
}

// show prints the answer, as JSON or for people.
func (q *question) show(answer any, write func(w io.Writer)) error {
	if q.asJSON {
		return printJSON(q.cmd, answer)
	}
	write(q.cmd.OutOrStdout())
	return nil
}
