package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/spf13/cobra"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger/store"
	"github.com/tokenbuddy/caddy-tokenbuddy/market"
)

// books are a ledger, wherever it is read: a *ledger.Ledger is one, and so is a gateway.
type books interface {
	Entries(ctx context.Context, q ledger.Query, yield func(*ledger.Entry) error) error
	Lines(ctx context.Context, q ledger.Query, yield func(raw []byte) error) error
	Balances(ctx context.Context) (ledger.Balances, error)
	Statement(ctx context.Context, p ledger.Period, by string, progress ledger.Progress) (ledger.Statement, error)
	VerifyWithProgress(ctx context.Context, progress ledger.Progress) (ledger.Report, error)
	Backup(ctx context.Context, w io.Writer) error
	Close() error
}

// source is where the books are, by the flags of a command.
type source struct {
	gatewayFlags
	dir, key string
	fleet    bool // all gateways of the fleet are meant
	keyless  bool // set by closed: there is no key, so nothing that is sealed is looked into
}

func (s *source) addTo(cmd *cobra.Command) {
	s.gatewayFlags.addTo(cmd)
	s.addClosedTo(cmd)
	cmd.MarkFlagsMutuallyExclusive("ledger", "of")
}

// addClosedTo adds what says which ledger is meant that no gateway has open.
func (s *source) addClosedTo(cmd *cobra.Command) {
	cmd.Flags().StringVar(&s.dir, "ledger", "", "Directory of a ledger that no gateway has open; the admin endpoint is not asked")
	cmd.Flags().StringVar(&s.key, "key", "", "With --ledger: the key's placeholder, such as {env.NAME} or {file./path}, where the config has one")
	cmd.MarkFlagsMutuallyExclusive("ledger", "address")
	cmd.MarkFlagsMutuallyExclusive("ledger", "config")
}

// addFleetTo is addTo for a command that can read the books of all gateways of a fleet.
func (s *source) addFleetTo(cmd *cobra.Command) {
	s.addTo(cmd)
	cmd.Flags().BoolVar(&s.fleet, "fleet", false, "Read the books of all gateways of the fleet, as far as they were shipped; a gateway that runs is asked")
	cmd.MarkFlagsMutuallyExclusive("ledger", "fleet")
}

// open opens the books to be read.
func (s *source) open() (books, error) {
	if s.dir != "" {
		return s.closed()
	}
	g, err := s.running()
	if err == nil && s.fleet {
		return &fleetBooks{gateway: g}, nil
	}
	return g, err
}

// running is the gateway that runs.
func (s *source) running() (*gateway, error) {
	if s.key != "" {
		return nil, errors.New("--key belongs to --ledger: a gateway that runs has its key")
	}
	g, err := s.gateway()
	if err != nil {
		return nil, err
	}
	g.orElse = ", or read the ledger of a gateway that is stopped with --ledger <directory>"
	return g, nil
}

// closed opens the ledger in the directory, to be read.
func (s *source) closed() (*ledger.Ledger, error) {
	o, err := s.options()
	if err != nil {
		return nil, err
	}
	o.ReadOnly = true
	if o.Key == nil { // without a key all but what is sealed can be read
		if o.Key, err = store.ReadKey(market.KeyFile()); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	s.keyless = o.Key == nil
	l, err := ledger.Open(o)
	if err != nil {
		return nil, s.explain(err)
	}
	return l, nil
}

// owned opens the ledger in the directory as a gateway does, to be written to.
func (s *source) owned() (*ledger.Ledger, error) {
	o, err := s.withKey()
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(o.Dir); err != nil {
		return nil, fmt.Errorf("--ledger %s: %w", s.dir, err)
	}
	l, err := ledger.Open(o)
	if err != nil {
		return nil, s.explain(err)
	}
	return l, nil
}

// withKey gives the options with the key, which who writes to the ledger needs.
func (s *source) withKey() (ledger.Options, error) {
	o, err := s.options()
	if err != nil || o.Key != nil {
		return o, err
	}
	if o.Key, err = store.ReadKey(market.KeyFile()); err != nil {
		return o, fmt.Errorf("the key of the ledger is not here: put the key file back as %s, or say with --key where it is (%w)", market.KeyFile(), err)
	}
	return o, nil
}

// options are those of the closed directory, with the key if the flag names one.
func (s *source) options() (ledger.Options, error) {
	dir, err := market.Resolve(s.dir)
	if err != nil {
		return ledger.Options{}, fmt.Errorf("--ledger %s: %w", s.dir, err)
	}
	o := ledger.Options{Dir: dir, Anchor: market.AnchorFile(dir)}
	if s.key == "" {
		return o, nil
	}
	// A key on the command line would be in the shell's history and in the list of processes.
	if !strings.HasPrefix(s.key, "{") || !strings.HasSuffix(s.key, "}") {
		return o, errors.New("--key is not the key itself, which others could see, but where it is: a placeholder as in the Caddyfile, such as {env.NAME} or {file./path}")
	}
	secret, err := caddy.NewReplacer().ReplaceOrErr(s.key, true, true)
	if err != nil {
		return o, fmt.Errorf("--key %s is empty: set the environment variable, or write the file, that it names", s.key)
	}
	o.Key = store.KeyFromSecret(secret)
	return o, nil
}

// explain says what to do about an error of opening the directory, where this command knows it better than the ledger.
func (s *source) explain(err error) error {
	if errors.Is(err, ledger.ErrInUse) {
		return fmt.Errorf("a gateway has the ledger %s open: leave out --ledger, and the gateway is asked over its admin endpoint "+
			"(--of %s where it has several open, --address where it is not at %s)", s.dir, s.dir, caddy.DefaultAdminListen)
	}
	return err
}
