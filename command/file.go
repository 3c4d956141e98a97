package command

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
)

// write writes a file that is there when it is whole and durable, or not at all; it is for its owner alone. "-" is standard
// output.
func write(cmd *cobra.Command, path string, f func(io.Writer) error) (err error) {
	if path == "-" {
		return f(cmd.OutOrStdout())
	}
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("%s is there and is no file", path)
	}
	temp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*") // mode 0600
	if err != nil {
		return fmt.Errorf("can't write beside %s: %w", path, err)
	}
	defer os.Remove(temp.Name()) // what is left of it after an error
	if err := f(temp); err != nil {
		return errors.Join(err, temp.Close())
	}
	if err := errors.Join(temp.Sync(), temp.Close()); err != nil {
		return fmt.Errorf("can't write %s: %w", path, err)
	}
	return os.Rename(temp.Name(), path)
}
