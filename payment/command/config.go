package command

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/tokenbuddy/caddy-tokenbuddy/payment/internal/program"
	"github.com/tokenbuddy/caddy-tokenbuddy/words"
)

// Config is what the operator says of the method.
type Config struct {
	// The name that sellers know the method by: 1 to 32 lower-case letters, digits, '_' and '-'. Several methods of this
	// module differ in it. Default: command.
	Name string `json:"name,omitempty"`

	// The program, an absolute path, and its arguments. There is no shell. The file and the folders above it must belong to
	// root or Caddy's user, and be writable by nobody else. Required.
	Run []string `json:"run"`

	// The environment variables of Caddy that the program sees beside PATH. Default: none.
	Env []string `json:"env,omitempty"`

	// How long one step may take, 1s to 4m. Default: 25s.
	Timeout caddy.Duration `json:"timeout,omitempty"`

	// Whether what the program writes to stderr goes to Caddy's log, up to 4 KiB of it. It must then hold no secret. Default:
	// no; only how much it was is logged.
	LogStderr bool `json:"log_stderr,omitempty"`
}

const (
	defaultName    = "command"
	defaultTimeout = 25 * time.Second
	minTimeout     = time.Second
	maxTimeout     = 4 * time.Minute
)

var (
	validName     = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,31}$`)
	validVariable = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
)

// UnmarshalCaddyfile reads
//
//	payment command {
//		name    lightning
//		run     /usr/local/bin/pay-lightning [<args...>]
//		env     LND_DIR HOME
//		timeout 25s
//		log_stderr
//	}
func (m *Method) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	return words.Read(d, []words.Word{
		{Name: "name", Usage: "<name>", Set: words.Text(&m.Name, checkName)},
		{Name: "run", Usage: "<program> [<args...>]", Set: func(args []string) error {
			m.Run = args
			return nil
		}},
		{Name: "env", Usage: "<variable...>", Set: func(args []string) error {
			m.Env = args
			return checkEnv(args)
		}},
		{Name: "timeout", Usage: "<duration>", Set: func(args []string) error {
			d, err := caddy.ParseDuration(args[0])
			if err != nil {
				return fmt.Errorf("%q is not a duration: expected a number with a unit, such as 25s", args[0])
			}
			m.Timeout = caddy.Duration(d)
			return checkTimeout(d)
		}},
		{Name: "log_stderr", Set: func([]string) error {
			m.LogStderr = true
			return nil
		}},
	})
}

func checkName(s string) error {
	if !validName.MatchString(s) {
		return fmt.Errorf("%q is no name of a method: expected 1 to 32 lower-case letters, digits, '_' and '-'", s)
	}
	return nil
}

func checkEnv(names []string) error {
	for i, name := range names {
		if !validVariable.MatchString(name) {
			return errors.New("expected the names of environment variables, without values")
		}
		if slices.Contains(names[:i], name) {
			return fmt.Errorf("%s is there twice", name)
		}
	}
	return nil
}

func checkTimeout(d time.Duration) error {
	if d < minTimeout || d > maxTimeout {
		return fmt.Errorf("%s is out of range: expected %s to %s", d, minTimeout, maxTimeout)
	}
	return nil
}

// resolve checks the config. It looks at the program's file, and does not run it.
func (m *Method) resolve(ctx caddy.Context) error {
	if m.name = m.Name; m.name == "" {
		m.name = defaultName
	}
	if err := checkName(m.name); err != nil {
		return fmt.Errorf("name: %w", err)
	}
	if err := checkEnv(m.Env); err != nil {
		return fmt.Errorf("env: %w", err)
	}
	if m.timeout = time.Duration(m.Timeout); m.timeout == 0 {
		m.timeout = defaultTimeout
	}
	if err := checkTimeout(m.timeout); err != nil {
		return fmt.Errorf("timeout: %w", err)
	}
	if len(m.Run) == 0 {
		return errors.New("run is missing: expected the program that pays, such as run /usr/local/bin/pay")
	}
	m.program = program.Program{Path: m.Run[0], Args: m.Run[1:]}
	for _, name := range m.Env {
		if value, ok := os.LookupEnv(name); ok {
			m.program.Env = append(m.program.Env, name+"="+value)
		}
	}
	if err := program.AdminIsLocal(ctx); err != nil {
		return err
	}
	if err := m.program.Check(); err != nil {
		return fmt.Errorf("run: %w", err)
	}
	return nil
}
