package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/spf13/cobra"

	"github.com/tokenbuddy/caddy-tokenbuddy/admin"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
)

// finding is something that the doctor has found.
type finding struct {
	Wrong bool   `json:"wrong"` // somebody has to do something; else it is only good to know
	What  string `json:"what"`
	Todo  string `json:"todo"`
}

// diagnosis is what the doctor says of a gateway, or of its ledger.
type diagnosis struct {
	OK       bool      `json:"ok"`
	Findings []finding `json:"findings"`
}

var errUnwell = errors.New("something is wrong")

func doctorCommand() *cobra.Command {
	var from source
	var verify, asJSON bool
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Says what is wrong with the gateway, and what to do about it",
		Long: `
Looks at the gateway that runs, and says what is wrong with its ledger, registry, sellers, purchases and limits, and what to do
about it. Of a gateway that is stopped it looks at the ledger's directory. Where something is wrong, the exit status is 1. It does not
read the whole ledger, unless told to with --verify.`,
		Example: `  caddy tokenbuddy doctor
  caddy tokenbuddy doctor --verify --ledger /var/lib/caddy/.local/share/caddy/tokenbuddy`,
		Args: cobra.NoArgs,
		RunE: run(func(ctx context.Context, cmd *cobra.Command, _ []string) error {
			bar := newBar(cmd, "entries")
			d := diagnose(ctx, &from, verify, bar.at)
			bar.end()
			var err error
			if asJSON {
				err = printJSON(cmd, d)
			} else {
				d.print(cmd.OutOrStdout())
			}
			if err == nil && !d.OK {
				return errUnwell
			}
			return err
		}),
	}
	from.addTo(cmd)
	cmd.Flags().BoolVar(&verify, "verify", false, "Read and check the whole ledger too, as caddy tokenbuddy verify does")
	cmd.Flags().BoolVar(&asJSON, "json", false, "Print JSON")
	return cmd
}

func (d *diagnosis) print(w io.Writer) {
	for _, f := range d.Findings {
		word := "note  "
		if f.Wrong {
			word = "WRONG "
		}
		fmt.Fprintf(w, "%s %s\n       %s\n", word, f.What, f.Todo)
	}
	if d.OK {
		fmt.Fprintln(w, "Nothing is wrong.")
	}
}

// diagnose looks at the gateway that runs, or at the ledger of one that does not.
func diagnose(ctx context.Context, from *source, verify bool, progress ledger.Progress) *diagnosis {
	d := &diagnosis{OK: true, Findings: []finding{}}
	b := d.look(ctx, from)
	if b == nil {
		return d
	}
	defer b.Close()
	if !verify {
		return d
	}
	switch r, err := b.VerifyWithProgress(ctx, progress); {
	case err != nil:
		d.wrong("The ledger can't be verified: "+err.Error(), "See to its disk.")
	case !r.OK:
		d.wrong("The ledger does not hold: "+r.Problem, "Keep a copy of its whole directory as it is, compare with a backup, and restore that if need be.")
	}
	return d
}

// look says what there is to say without reading the whole ledger, and gives the books: nil where they can't be had.
func (d *diagnosis) look(ctx context.Context, from *source) books {
	if from.dir != "" {
		l, err := from.closed()
		if errors.Is(err, ledger.ErrNoRoom) {
			d.wrong(err.Error(), makeRoom)
			return nil
		}
		if err != nil {
			d.wrong(err.Error(), "Nothing else can be said before the ledger opens.")
			return nil
		}
		d.closed(ctx, l, from)
		return l
	}
	g, err := from.running()
	var status admin.Status
	if err == nil {
		_, err = g.get(ctx, http.MethodGet, "status", nil, &status)
	}
	if err != nil {
		d.wrong(err.Error(), "Nothing else can be said before the gateway answers.")
		return nil
	}
	d.gateway(&status)
	d.disputed(ctx, g.purchases)
	return g
}

func (d *diagnosis) wrong(what, todo string) {
	d.OK = false
	d.Findings = append(d.Findings, finding{true, what, todo})
}

func (d *diagnosis) note(what, todo string) {
	d.Findings = append(d.Findings, finding{false, what, todo})
}
