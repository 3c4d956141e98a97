package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
)

func backupCommand() *cobra.Command {
	var from source
	var path string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "backup -o <file>",
		Short: "Backs up the ledger, while the gateway works",
		Long: `
Writes a backup of the ledger as it is at one moment. Nobody can spend what is in it without the ledger's key, which is not in it:
keep a copy of the key in another place.`,
		Example: `  caddy tokenbuddy backup -o tokenbuddy.backup
  caddy tokenbuddy backup -o - | ssh elsewhere 'cat > tokenbuddy.backup'`,
		Args: noWords,
		RunE: run(func(ctx context.Context, cmd *cobra.Command, _ []string) error {
			if asJSON && path == "-" {
				return errors.New("--json and -o - both want standard output: name a file")
			}
			b, err := from.open()
			if err != nil {
				return err
			}
			defer b.Close()
			bar := newBar(cmd, "bytes")
			passed := &passing{bar: bar}
			err = write(cmd, path, func(w io.Writer) error {
				passed.w = w
				return b.Backup(ctx, passed)
			})
			bar.end()
			switch {
			case err != nil:
				return err
			case asJSON:
				return printJSON(cmd, map[string]any{"file": path, "bytes": passed.n})
			case path != "-":
				fmt.Fprintf(cmd.ErrOrStderr(), "%s in %s. Without the ledger's key nothing can be restored from it.\n", humanize.IBytes(passed.n), path)
			}
			return nil
		}),
	}
	from.addTo(cmd)
	cmd.Flags().StringVarP(&path, "output", "o", "", "File to write, which appears when it is whole; - is standard output")
	needs(cmd, "output")
	cmd.Flags().BoolVar(&asJSON, "json", false, "Print JSON")
	return cmd
}

func restoreCommand() *cobra.Command {
	r := new(restoring)
	cmd := &cobra.Command{
		Use:   "restore <file> --ledger <directory>",
		Short: "Makes a ledger from a backup, in a directory that is empty",
		Long: `
Makes a ledger from a backup and checks all of it. What has happened since the backup was made is not in it, so no token is trusted
before its seller has served a request with it. The directory must be empty or not be there, no gateway may use it, and the key must
be the one that the ledger had. - is standard input.

A gateway of a fleet has shipped entries since the backup, and is not believed without them: with --fleet, and what stands behind fleet
in the config, they are taken from there, with what they have changed, and checked as well. With --new-identity it comes back without them, as another
gateway.`,
		Example: `  caddy tokenbuddy restore tokenbuddy.backup --ledger /var/lib/caddy/.local/share/caddy/tokenbuddy
  caddy tokenbuddy restore tokenbuddy.backup --ledger /var/lib/caddy/.local/share/caddy/tokenbuddy --fleet 'postgres {env.FLEET_DSN}'`,
		Args: words(1, 1),
		RunE: run(r.run),
	}
	cmd.Flags().StringVar(&r.to.dir, "ledger", "", "Directory of the ledger, which is empty or not there")
	cmd.Flags().StringVar(&r.to.key, "key", "", "The key's placeholder, such as {env.NAME} or {file./path}, where the config has one")
	needs(cmd, "ledger")
	cmd.Flags().StringVar(&r.fleet, "fleet", "", "Complete it by what its fleet has: the words behind fleet in the config, such as 'postgres {env.FLEET_DSN}'")
	cmd.Flags().BoolVar(&r.anew, "new-identity", false, "Make it another gateway of its fleet, which has entries of the old one that the backup does not have")
	cmd.MarkFlagsMutuallyExclusive("fleet", "new-identity")
	cmd.Flags().BoolVar(&r.asJSON, "json", false, "Print the report as JSON")
	return cmd
}

// restoring is what the command restore was told.
type restoring struct {
	to     source
	fleet  string // the words that stand behind fleet in a config
	anew   bool   // under a new identity
	asJSON bool
}

func (r *restoring) run(ctx context.Context, cmd *cobra.Command, args []string) error {
	o, err := r.to.withKey()
	if err != nil {
		return err
	}
	o.NewIdentity = r.anew
	if cmd.Flags().Changed("fleet") { // also by a variable that is empty
		shipped, done, err := openFleet(ctx, r.fleet, func(what string) { fmt.Fprintln(cmd.ErrOrStderr(), "warning: "+what) })
		if err != nil {
			return err
		}
		defer done()
		o.Shipped = shipped
	}
	in, size, err := openBackup(cmd, args[0])
	if err != nil {
		return err
	}
	defer in.Close()
	bar := newBar(cmd, "bytes")
	report, err := ledger.Restore(ctx, o, &passing{r: in, total: size, bar: bar})
	bar.end()
	if err != nil {
		return r.to.explain(err)
	}
	if r.asJSON {
		err = printJSON(cmd, report)
	} else {
		printRestored(cmd.OutOrStdout(), o.Dir, report)
	}
	if err == nil && !report.OK {
		return errNotWhole
	}
	return err
}

// printRestored says what has come of a backup.
func printRestored(w io.Writer, dir string, r ledger.Report) {
	if !r.OK {
		fmt.Fprintf(w, "Nothing was restored: the ledger in it does NOT hold.\nproblem  %s\n", r.Problem)
		return
	}
	printCompleted(w, r)
	fmt.Fprintf(w, "The ledger is restored in %s, and holds.\nentries  %s\nhead     %s\n"+
		"No token is trusted before its seller has served a request with it.\n", dir, humanize.Comma(int64(r.Entries)), r.Head)
	printMissing(w, dir, r.Missing)
}

// printCompleted says what of a restored ledger is its fleet's, and what is lost.
func printCompleted(w io.Writer, r ledger.Report) {
	if r.Completed > 0 {
		fmt.Fprintf(w, "After those of the backup the fleet has %s entries, which are in it.\n", humanize.Comma(int64(r.Completed)))
	}
	if r.LostMicros > 0 {
		fmt.Fprintf(w, "Members have spent $%s more, as the fleet was told, by entries that were not shipped: it counts in their budgets, and is in no other sum.\n", r.LostMicros)
	}
}

// printMissing says which archive files have to be copied beside a restored ledger.
func printMissing(w io.Writer, dir string, files []string) {
	if len(files) == 0 {
		return
	}
	fmt.Fprintf(w, "Archive files that belong to it and are not here, so that what is in them could not be checked:\n")
	for _, f := range files {
		fmt.Fprintf(w, "  %s\n", f)
	}
	fmt.Fprintf(w, "Copy them into %s.archive, then run caddy tokenbuddy verify. Requests are served without them; statements and exports of their months are not.\n", dir)
}

// openBackup gives a backup and how long it is, if that is known.
func openBackup(cmd *cobra.Command, path string) (io.ReadCloser, uint64, error) {
	if path == "-" {
		return io.NopCloser(cmd.InOrStdin()), 0, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	return f, uint64(info.Size()), nil
}

// passing counts what is read or written, of so much if that is known.
type passing struct {
	r        io.Reader
	w        io.Writer
	n, total uint64
	bar      *bar
}

func (p *passing) Read(b []byte) (int, error) {
	n, err := p.r.Read(b)
	p.count(n)
	return n, err
}

func (p *passing) Write(b []byte) (int, error) {
	n, err := p.w.Write(b)
	p.count(n)
	return n, err
}

func (p *passing) count(n int) {
	p.n += uint64(n)
	p.bar.at(p.n, p.total)
}
