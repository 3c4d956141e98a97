package command

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// noWords is for a command that takes flags alone. Where it has commands below it, a word is taken for one of them.
func noWords(cmd *cobra.Command, args []string) error {
	if len(args) > 0 && cmd.HasSubCommands() {
		return fmt.Errorf("there is no command %q: see %s --help", args[0], cmd.CommandPath())
	}
	return words(0, 0)(cmd, args)
}

// needs has a command refuse to run without a flag, and say how it is used.
func needs(cmd *cobra.Command, flag string) {
	cmd.PreRunE = func(cmd *cobra.Command, _ []string) error {
		if !cmd.Flags().Changed(flag) {
			return fmt.Errorf("--%s is missing: expected %s", flag, cmd.UseLine())
		}
		return nil
	}
}

// choosing are the flags that say which rows are meant, which ledger or gateway, where they go, and of an order how long it holds and what it is called.
var choosing = []string{
	"member", "model", "seller", "outcome", "from", "to", "zone", "ledger", "key", "of", "output", "address", "config", "url", "keep", "until", "reference",
}

// chosen refuses one of them that is empty, as that of a variable which nobody has set: all rows would be meant, of all time, the gateway that runs
// here, or another order each time that it is given.
func chosen(cmd *cobra.Command) error {
	for _, name := range choosing {
		if flag := cmd.Flags().Lookup(name); flag != nil && flag.Changed && flag.Value.String() == "" {
			return fmt.Errorf("--%s is empty: leave it out, or say which", name)
		}
	}
	return nil
}

// words is for a command that takes at least and at most so many words, and where it has a list of them, one of these.
func words(least, most int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) < least:
			return fmt.Errorf("something is missing: expected %s", cmd.UseLine())
		case len(args) > most:
			return fmt.Errorf("unexpected word %q: expected %s", args[most], cmd.UseLine())
		}
		for _, arg := range args {
			if len(cmd.ValidArgs) > 0 && !slices.Contains(cmd.ValidArgs, arg) {
				return fmt.Errorf("unexpected word %q: expected one of %s", arg, strings.Join(cmd.ValidArgs, ", "))
			}
		}
		return nil
	}
}
