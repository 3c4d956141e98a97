package command

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"github.com/tokenbuddy/caddy-tokenbuddy/admin"
	"github.com/tokenbuddy/caddy-tokenbuddy/doctor"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
)

var errUnwell = errors.New("something is wrong")

func doctorCommand() *cobra.Command {
	var from source
	var verify, asJSON bool
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Says what is wrong with the gateway, and what to do about it",
		Long: `
Looks at the gateway that runs, and says what is wrong with its ledger, registry, sellers, models, purchases, limits and certificates,
and what to do about it: a model that nobody can serve now is wrong. Then it says what there is: the ledger, what has begun and not
ended, what is kept warm, and the credit. Of a gateway that is stopped it looks at the ledger's directory. Where something is wrong, the
exit status is 1. It does not read the whole ledger, unless told to with --verify.`,
		Example: `  caddy tokenbuddy doctor
  caddy tokenbuddy doctor --verify --ledger /var/lib/caddy/.local/share/caddy/tokenbuddy`,
		Args: noWords,
		RunE: run(func(ctx context.Context, cmd *cobra.Command, _ []string) error {
			bar := newBar(cmd, "entries")
			d, err := diagnose(ctx, &from, verify, bar.at)
			bar.end()
			switch {
			case err != nil:
				return err
			case asJSON:
				err = printJSON(cmd, d)
			default:
				d.print(cmd.OutOrStdout(), time.Now())
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

// diagnose looks at the gateway that runs, or at the ledger of one that does not. Where it has to be told which, that is the error.
func diagnose(ctx context.Context, from *source, verify bool, progress ledger.Progress) (*checkup, error) {
	d := &checkup{Diagnosis: doctor.New()}
	b, err := examine(ctx, d, from)
	if b == nil || err != nil {
		return d, err
	}
	defer b.Close()
	if !verify {
		return d, nil
	}
	switch r, err := b.VerifyWithProgress(ctx, progress); {
	case err != nil:
		d.Wrong("The ledger can't be verified: "+err.Error(), "See to its disk.")
	case !r.OK:
		d.Wrong("The ledger does not hold: "+r.Problem, "Keep a copy of its whole directory as it is, compare with a backup, and restore that if need be.")
	}
	return d, nil
}

// examine says what there is to say without reading the whole ledger, and gives the books: nil where they can't be had.
func examine(ctx context.Context, d *checkup, from *source) (books, error) {
	if from.dir != "" {
		l, err := from.closed()
		if ledger.NoRoom(err) {
			d.Wrong(err.Error(), doctor.MakeRoom)
			return nil, nil
		}
		if err != nil {
			d.Wrong(err.Error(), "Nothing else can be said before the ledger opens.")
			return nil, nil
		}
		examineClosed(ctx, d, l, from)
		return l, nil
	}
	g, err := from.running()
	var status admin.Status
	if err == nil {
		_, err = g.get(ctx, http.MethodGet, "status", nil, &status)
	}
	if errors.Is(err, errWhichLedger) {
		return nil, err
	}
	if err != nil {
		d.Wrong(err.Error(), "Nothing else can be said before the gateway answers.")
		return nil, nil
	}
	d.Gateway(&status, time.Now())
	d.show(&status)
	if status.Fleet != nil {
		f := &admin.Fleet{Here: *status.Fleet}
		if _, err := g.get(ctx, http.MethodGet, "fleet", nil, f); err != nil {
			d.Wrong("How the fleet stands is not known: "+err.Error(), "See to its store.")
		}
		d.Fleet(f)
	}
	disputed(ctx, d.Diagnosis, g.purchases)
	return g, nil
}
