//go:build !unix

package program

import (
	"fmt"
	"io/fs"
	"os/exec"
)

func group(*exec.Cmd) {}

func endGroup(*exec.Cmd) {}

func owned(path, _ string, _ fs.FileInfo) error {
	return fmt.Errorf("%s: programs are run on Unix systems only", path)
}

func ownedDir(path, _ string, _ fs.FileInfo) error { return owned(path, "", nil) }

func ownedLink(path, _ string, _ fs.FileInfo) error { return owned(path, "", nil) }
