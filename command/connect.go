package command

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"
)

func connectCommand() *cobra.Command {
	c := new(connecting)
	cmd := &cobra.Command{
		Use:   "connect [" + strings.Join(clientNames, "|") + "]",
		Short: "Says how to point clients at the gateway",
		Long: `
Prints what a member sets for each client, or for one, to be copied as it is. The member's key is not in it: the clients take it from
the environment variable ` + keyVariable + `.

Without --url the gateway is looked for among the sites of the Caddy that runs. Nothing but their addresses is taken from its config.
With --ledger no gateway is asked: the model is the one that was used most in the last seven days.

With --write the config file of the client that is named, in your home directory, is changed instead; what it was before is kept beside
it, and --undo brings it back.`,
		Example: `  caddy tokenbuddy connect
  caddy tokenbuddy connect codex --url https://gateway.example.com --model large-1
  caddy tokenbuddy connect codex --url https://gateway.example.com --model large-1 --write
  caddy tokenbuddy connect codex --undo`,
		Args:      words(0, 1),
		ValidArgs: clientNames,
		RunE:      run(c.run),
	}
	c.from.addEndpointTo(cmd)
	c.from.addClosedTo(cmd)
	cmd.Flags().StringVar(&c.address, "url", "", "Address of the gateway as its members know it, such as https://gateway.example.com")
	cmd.Flags().StringVar(&c.model, "model", anyModel, "Model that the clients are to use")
	cmd.Flags().BoolVar(&c.asJSON, "json", false, "Print JSON")
	cmd.Flags().BoolVar(&c.write, "write", false, "Change the client's config file in your home directory")
	cmd.Flags().BoolVar(&c.undo, "undo", false, "Have the client's config file as it was before --write")
	for _, flag := range []string{"address", "config"} {
		cmd.MarkFlagsMutuallyExclusive("url", flag)
	}
	cmd.MarkFlagsMutuallyExclusive("write", "undo", "json")
	return cmd
}

// connecting is what the command connect was told.
type connecting struct {
	from                source
	address             string // of the gateway; empty: it is looked for
	model               string
	asJSON, write, undo bool
}

func (c *connecting) run(ctx context.Context, cmd *cobra.Command, args []string) error {
	if (c.write || c.undo) && len(args) == 0 {
		return errors.New("--write and --undo go with a client, such as codex")
	}
	if c.undo {
		return inHome(args[0], "", "", cmd.OutOrStdout(), (*client).undo)
	}
	model, err := c.choose(ctx)
	if err != nil {
		return err
	}
	base, err := c.from.base(ctx, c.address)
	if err != nil {
		return err
	}
	example := c.from.dir != "" && c.address == "" // a ledger does not say where the gateway is
	if c.write {
		switch {
		case example:
			return errors.New("--write wants --url: a ledger does not say where the gateway is")
		case model == anyModel:
			return errors.New("--write wants --model: which there are is in the answer to GET /v1/models")
		}
		return inHome(args[0], base.String(), model, cmd.OutOrStdout(), (*client).write)
	}
	clients := clientsOf(base.String(), model)
	if len(args) > 0 {
		clients = slices.DeleteFunc(clients, func(c client) bool { return c.Name != args[0] })
	}
	if c.asJSON {
		return printJSON(cmd, map[string]any{"url": base.String(), "model": model, "keyVariable": keyVariable, "clients": clients})
	}
	if example {
		fmt.Fprintf(cmd.OutOrStdout(), "# A ledger does not say where the gateway is: put its address in the place of %s, or say it with --url.\n", anyBase)
	}
	printClients(cmd.OutOrStdout(), base, model, clients)
	return nil
}

// choose gives the model that clients are to use: by a ledger the one that was used most, where none is named.
func (c *connecting) choose(ctx context.Context) (string, error) {
	if c.model == "" || strings.ContainsFunc(c.model, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return "", errors.New("--model is the id of a model")
	}
	if c.from.dir == "" || c.model != anyModel {
		return c.model, nil
	}
	used, err := c.from.mostUsed(ctx)
	return cmp.Or(used, anyModel), err
}

// inHome does something to the file that a client has in the home directory of whoever runs the command.
func inHome(name, url, model string, w io.Writer, do func(*client, io.Writer, string) error) error {
	home, err := os.UserHomeDir()
	if err != nil {
		return err
	}
	for _, c := range clientsOf(url, model) {
		if c.Name == name {
			return do(&c, w, home)
		}
	}
	return fmt.Errorf("no client named %s", name)
}

// anyModel is printed where no model was named: which there are, only a member can ask.
const anyModel = "<model>"

// anyBase is printed where a ledger was asked, which does not know the gateway's address, and none was said.
const anyBase = "https://gateway.example.com"

// mostUsed is the model that was used most lately, by the closed ledger; empty: none was.
func (s *source) mostUsed(ctx context.Context) (string, error) {
	books, err := s.closed()
	if err != nil {
		return "", err
	}
	models, err := books.TopModels(ctx, time.Now().Add(-7*24*time.Hour), 1)
	if err := errors.Join(err, books.Close()); err != nil {
		return "", err
	}
	return strings.Join(models, ""), nil
}

// base gives the gateway's address: what was said, or what the config of the Caddy says that runs.
func (s *source) base(ctx context.Context, said string) (*url.URL, error) {
	if said != "" {
		return parseBase(said)
	}
	if s.dir != "" {
		return url.Parse(anyBase)
	}
	g, err := s.gateway()
	if err != nil {
		return nil, err
	}
	config, err := g.config(ctx)
	if err != nil {
		return nil, fmt.Errorf("say with --url where the gateway is, since its Caddy can't be asked: %w", err)
	}
	switch found := sites(config); len(found) {
	case 0:
		return nil, fmt.Errorf("say with --url where the gateway is: in the config of the Caddy at %s there is no site with tokenbuddy that has an address", g.address)
	case 1:
		return url.Parse(found[0])
	default:
		return nil, fmt.Errorf("say with --url which address your members are to use, such as one of: %s", strings.Join(found, ", "))
	}
}

// parseBase reads the gateway's address, with the /v1 that some clients want or without.
func parseBase(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, errors.New("--url is an address such as https://gateway.example.com")
	}
	u.Path = strings.TrimRight(strings.TrimSuffix(strings.TrimRight(u.Path, "/"), "/v1"), "/")
	u.RawPath = ""
	return u, nil
}

// loopback tells whether only the machine itself finds the address.
func loopback(u *url.URL) bool {
	ip, err := netip.ParseAddr(u.Hostname())
	return u.Hostname() == "localhost" || err == nil && ip.IsLoopback()
}

// printClients prints what is to be copied, and in comments, which TOML and the shell have alike, what there is to know.
func printClients(w io.Writer, base *url.URL, model string, clients []client) {
	fmt.Fprintf(w, "# The gateway is at %s\n", base)
	switch {
	case loopback(base):
		fmt.Fprintln(w, "# Only this machine finds it there: say with --url what others are to use.")
	case base.Scheme == "http":
		fmt.Fprintln(w, "# Keys and prompts go there unencrypted: serve it over https.")
	}
	fmt.Fprintf(w, "# It wants the member's key in the environment of each client, as %s.\n", keyVariable)
	if model == anyModel {
		fmt.Fprintf(w, "# %s is one of those that this lists: %s\n", anyModel, curl(base.JoinPath("v1/models").String(), ""))
	}
	for _, c := range clients {
		c.print(w)
	}
}
