package command

import (
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/tokenbuddy/caddy-tokenbuddy/atomicfile"
)

// write writes a file that is there when it is whole and durable, or not at all; it is for its owner alone. "-" is standard
// output.
func write(cmd *cobra.Command, path string, f func(io.Writer) error) error {
	if path == "-" {
		return f(cmd.OutOrStdout())
	}
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("%s is there and is no file", path)
	}
	var failed error // for a reason that is not the file's
	err := atomicfile.Write(path, func(w io.Writer) error {
		failed = f(w)
		return failed
	})
	if err != nil && failed == nil {
		return fmt.Errorf("can't write %s: %w", path, err)
	}
	return err
}
