// Package program runs an executable that a config names: only one that nobody but root and Caddy's user can change, in a
// process group of its own that is killed as a whole, with little of the environment and bounded output.
package program

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

const (
	// MaxOutput is how much a program may write to stdout.
	MaxOutput = 64 << 10
	maxStderr = 4 << 10
	// waitDelay is how long a child of the program may keep the output open after the program has ended.
	waitDelay = 500 * time.Millisecond
)

// Program is an executable with its arguments.
type Program struct {
	Path string   // absolute
	Args []string // fixed; there is no shell
	Env  []string // NAME=value; PATH is added
}

// Result is what a program has left behind.
type Result struct {
	Stdout []byte
	// Stderr is the beginning of what was written there, and StderrBytes is how much it was.
	Stderr      []byte
	StderrBytes int
	// ExitCode is -1 where a signal has ended it, or it did not start.
	ExitCode int
	// Err says in our own words why the result is not definite: it did not start, did not end in time, did not exit with 0,
	// wrote too much, or left a child behind that keeps its output open. Nil: it has exited with 0, and Stdout is whole.
	Err error
}

// Run runs the program until it ends or ctx does, and then ends whatever it has started.
func (p Program) Run(ctx context.Context, stdin []byte) Result {
	r := Result{ExitCode: -1}
	path, err := p.resolve()
	if err != nil {
		r.Err = err
		return r
	}
	stdout, stderr := &bounded{most: MaxOutput}, &bounded{most: maxStderr}
	cmd := exec.CommandContext(ctx, path, p.Args...) //nolint:gosec // the operator has named it, and it was checked
	cmd.Args[0] = p.Path                             // some programs are several, by their name
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH")}, p.Env...)
	cmd.Dir = filepath.VolumeName(p.Path) + string(filepath.Separator)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(stdin), stdout, stderr
	cmd.WaitDelay = waitDelay
	group(cmd)
	if err := cmd.Start(); err != nil {
		r.Err = errors.New("the program could not be started")
		return r
	}
	err = cmd.Wait()
	endGroup(cmd)
	r.Stdout, r.Stderr, r.StderrBytes = stdout.b.Bytes(), stderr.b.Bytes(), stderr.n
	r.ExitCode = cmd.ProcessState.ExitCode()
	exited := errors.As(err, new(*exec.ExitError))
	switch {
	case ctx.Err() != nil:
		r.Err = errors.New("the program did not end in time")
	case exited && r.ExitCode < 0:
		r.Err = errors.New("the program was ended by a signal")
	case exited:
		r.Err = fmt.Errorf("the program ended with exit code %d", r.ExitCode)
	case errors.Is(err, exec.ErrWaitDelay):
		r.Err = errors.New("the program has ended, but something that it started keeps its output open")
	case err != nil:
		r.Err = errors.New("the program's input or output broke")
	case stdout.n > MaxOutput:
		r.Err = fmt.Errorf("the program wrote more than %d bytes", MaxOutput)
	}
	return r
}

// bounded keeps the first bytes and counts the rest, so that the program is never held up by us.
type bounded struct {
	b       bytes.Buffer
	n, most int
}

func (w *bounded) Write(p []byte) (int, error) {
	w.n += len(p)
	if room := w.most - w.b.Len(); room > 0 {
		w.b.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}

// Check says whether the program may be run: its path is absolute, and it is a regular executable file which, like the
// folders and links on the way to it, belongs to root or Caddy's user and can't be changed by others.
func (p Program) Check() error {
	_, err := p.resolve()
	return err
}

// maxLinks is how many links may be on the way to a program.
const maxLinks = 40

// resolve checks the program, and gives its path without a link. Who can change a folder on the way, that of each link too, can put
// another program in its place.
func (p Program) resolve() (string, error) {
	if !filepath.IsAbs(p.Path) {
		return "", fmt.Errorf("%s: expected an absolute path", p.Path)
	}
	const slash = string(filepath.Separator)
	root := filepath.VolumeName(p.Path) + slash
	missing := fmt.Errorf("%s: there is no such file", p.Path)
	at, links := root, 0
	for rest := strings.Split(p.Path[len(root):], slash); len(rest) > 0; {
		name := rest[0]
		rest = rest[1:]
		if name == "" {
			continue
		}
		dir, err := os.Lstat(at)
		if err != nil || !dir.IsDir() {
			return "", missing
		}
		if err := ownedDir(p.Path, at, dir); err != nil {
			return "", err
		}
		next := filepath.Join(at, name) // of ".." the folder above: in at is no link any more
		info, err := os.Lstat(next)
		if err != nil {
			return "", missing
		}
		if info.Mode()&fs.ModeSymlink == 0 {
			at = next
			continue
		}
		target, err := os.Readlink(next)
		if links++; err != nil || links > maxLinks {
			return "", missing
		}
		if err := ownedLink(p.Path, next, info); err != nil {
			return "", err
		}
		if filepath.IsAbs(target) {
			at = root
		}
		rest = append(strings.Split(target, slash), rest...)
	}
	info, err := os.Lstat(at)
	if err != nil {
		return "", missing
	}
	if !info.Mode().IsRegular() {
		return "", fmt.Errorf("%s is not a file", p.Path)
	}
	return at, owned(p.Path, at, info)
}
