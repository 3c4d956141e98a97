//go:build unix

package program

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"syscall"
)

// group gives the program a process group of its own, all of which is killed when its time is over.
func group(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
}

// endGroup kills what the program has left behind.
func endGroup(cmd *exec.Cmd) { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }

const othersMayWrite = 0o022

func owned(path, resolved string, info fs.FileInfo) error {
	switch {
	case !ours(info):
		return fmt.Errorf("%s belongs to somebody else: expected root or the user that Caddy runs as (%s)", path, resolved)
	case info.Mode().Perm()&othersMayWrite != 0:
		return fmt.Errorf("%s can be written by others: take that from them with chmod go-w %s", path, resolved)
	case info.Mode().Perm()&0o111 == 0:
		return fmt.Errorf("%s is not executable", path)
	}
	return nil
}

// ownedDir leaves a group that may write alone (root:staff on Debian), and folders like /tmp, in which nobody can replace
// what belongs to another.
func ownedDir(path, dir string, info fs.FileInfo) error {
	if !ours(info) || info.Mode().Perm()&0o002 != 0 && info.Mode()&fs.ModeSticky == 0 {
		return fmt.Errorf("%s: others can change the folder %s, and so the program", path, dir)
	}
	return nil
}

// ownedLink refuses a link that its owner can turn elsewhere, in a folder like /tmp.
func ownedLink(path, link string, info fs.FileInfo) error {
	if !ours(info) {
		return fmt.Errorf("%s: the link %s belongs to somebody else: expected root or the user that Caddy runs as", path, link)
	}
	return nil
}

func ours(info fs.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && (st.Uid == 0 || int(st.Uid) == os.Geteuid())
}
