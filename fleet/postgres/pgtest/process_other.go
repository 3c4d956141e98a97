//go:build !linux

package pgtest

import (
	"errors"
	"os/exec"
)

func own(string) error { return nil }

func unprivileged(*exec.Cmd) {}

var errLinux = errors.New("pgtest runs on Linux only")

type process struct{}

func run(string, string, string, ...string) (*process, error) { return nil, errLinux }

func (*process) wait()            {}
func (*process) alive() bool      { return false }
func (*process) interrupt() error { return errLinux }
func (*process) kill() error      { return errLinux }
func (*process) pause(bool) error { return errLinux }
