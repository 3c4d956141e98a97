// Command serve starts a PostgreSQL for a test that is of another module, prints its DSN on a line, and ends it when its standard input ends. It
// exits with 3 where PostgreSQL is not installed.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/tokenbuddy/caddy-tokenbuddy/fleet/postgres/pgtest"
)

func main() {
	c, err := pgtest.Start()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		if errors.Is(err, pgtest.ErrMissing) {
			os.Exit(3)
		}
		os.Exit(1)
	}
	defer c.Close()
	fmt.Fprintln(os.Stdout, c.DSN())
	_, _ = io.Copy(io.Discard, os.Stdin)
}
