package pgtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// nobody is who runs the server where the test is root, whom PostgreSQL refuses.
const nobody = 65534

func own(dir string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	return os.Chown(dir, nobody, nobody)
}

// unprivileged has a program run as nobody where the test is root, and end with it.
func unprivileged(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGQUIT}
	if os.Geteuid() == 0 {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: nobody, Gid: nobody}
	}
}

// process is a running server.
type process struct {
	cmd   *exec.Cmd
	ended chan struct{}
}

// run starts a server, whose words go to a file.
func run(program, dir, log string, args ...string) (*process, error) {
	out, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	cmd := exec.Command(program, args...) //nolint:gosec,noctx // a test's own program, which is ended by the cluster
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, out, out
	cmd.Env = append(os.Environ(), "LC_ALL=C", "PGTZ=UTC")
	unprivileged(cmd)
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{cmd: cmd, ended: make(chan struct{})}
	go func() {
		cmd.Wait()
		close(p.ended)
	}()
	return p, nil
}

func (p *process) wait() { <-p.ended }

func (p *process) alive() bool {
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

// interrupt asks for a fast shutdown: sessions are ended, and a checkpoint is made.
func (p *process) interrupt() error { return p.cmd.Process.Signal(syscall.SIGINT) }

// kill kills the server and its children, which may be stopped.
func (p *process) kill() error {
	if err := p.freeze(); err != nil {
		return err
	}
	children, err := p.children()
	if err != nil {
		return err
	}
	if err := p.cmd.Process.Kill(); err != nil {
		return err
	}
	return signal(syscall.SIGKILL, children)
}

// freeze stops the first process, so that it makes no more of them: one that is made while they are looked for would outlive it, and keep the
// memory that they share from the next server.
func (p *process) freeze() error {
	if err := p.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		return err
	}
	ctx, stop := context.WithTimeout(context.Background(), startTime)
	defer stop()
	for {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
		if err != nil {
			return err
		}
		// pid (name) state ppid
		if _, rest, _ := strings.Cut(string(stat), ") "); !strings.HasPrefix(rest, "R") && !strings.HasPrefix(rest, "S") && !strings.HasPrefix(rest, "D") {
			return nil
		}
		if err := wait(ctx); err != nil {
			return fmt.Errorf("PostgreSQL does not stop: %w", err)
		}
	}
}

// children are the server's processes but the first. A backend's are its own.
func (p *process) children() (pids []int, err error) {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil, err
	}
	for _, path := range stats {
		stat, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended meanwhile
		}
		// pid (name) state ppid
		_, rest, _ := strings.Cut(string(stat), ") ")
		if words := strings.Fields(rest); len(words) > 1 && words[1] == strconv.Itoa(p.cmd.Process.Pid) {
			pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
			if err != nil {
				return nil, err
			}
			pids = append(pids, pid)
		}
	}
	return pids, nil
}

func signal(s syscall.Signal, pids []int) (err error) {
	for _, pid := range pids {
		if e := syscall.Kill(pid, s); e != nil && !errors.Is(e, syscall.ESRCH) {
			err = e
		}
	}
	return err
}

// pause stops all processes of the server with SIGSTOP, or lets them go on.
func (p *process) pause(on bool) error {
	s := syscall.SIGCONT
	if on {
		if err := p.freeze(); err != nil {
			return err
		}
		s = syscall.SIGSTOP
	}
	children, err := p.children()
	if err != nil {
		return err
	}
	return signal(s, append(children, p.cmd.Process.Pid))
}
