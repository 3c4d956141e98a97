//go:build unix

package program

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

func script(t *testing.T, text string) Program {
	t.Helper()
	path := filepath.Join(t.TempDir(), "pay")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text), 0o755); err != nil {
		t.Fatal(err)
	}
	return Program{Path: path}
}

func TestRun(t *testing.T) {
	t.Setenv("SECRET_OF_CADDY", "hunter2")
	for name, tc := range map[string]struct {
		text, stdin, stdout, err string
	}{
		"echo":          {text: "cat", stdin: "in", stdout: "in"},
		"arguments":     {text: `echo "$1|$2|$#"`, stdout: "a b|$HOME|2\n"},
		"environment":   {text: `echo "$LND_DIR|$SECRET_OF_CADDY|$HOME"`, stdout: "/lnd||\n"},
		"no stdin read": {text: "echo ok", stdin: strings.Repeat("x", 1<<20), stdout: "ok\n"},
		"exit 3":        {text: "echo half; exit 3", stdout: "half\n", err: "exit code 3"},
		"signal":        {text: "kill -9 $$", err: "by a signal"},
		"too much":      {text: "head -c 70000 /dev/zero | tr '\\0' x", stdout: strings.Repeat("x", MaxOutput), err: "more than"},
		"stderr":        {text: "head -c 1000000 /dev/zero >&2; echo ok", stdout: "ok\n"},
	} {
		p := script(t, tc.text)
		p.Args, p.Env = []string{"a b", "$HOME"}, []string{"LND_DIR=/lnd"}
		r := p.Run(t.Context(), []byte(tc.stdin))
		if string(r.Stdout) != tc.stdout || (r.Err == nil) != (tc.err == "") || r.Err != nil && !strings.Contains(r.Err.Error(), tc.err) {
			t.Errorf("%s: %q, %v", name, r.Stdout, r.Err)
		}
		if len(r.Stderr) > maxStderr || name == "stderr" && r.StderrBytes != 1_000_000 {
			t.Errorf("%s: %d bytes of stderr, %d of them kept", name, r.StderrBytes, len(r.Stderr))
		}
	}
}

// TestRunEndsTheGroup: a child that keeps the output open neither holds us up nor lives on.
func TestRunEndsTheGroup(t *testing.T) {
	for name, tc := range map[string]struct{ text, err string }{
		"left behind": {"sleep 300 & echo $! >&2; echo ok", "keeps its output open"},
		"quiet child": {"sleep 300 >/dev/null 2>&1 </dev/null & echo $! >&2; echo ok", ""},
		"in time":     {"sleep 300 & echo $! >&2; wait", "did not end in time"},
		"deaf":        {"trap '' TERM INT HUP; sleep 300 & echo $! >&2; while :; do wait; done", "did not end in time"},
	} {
		begun := filepath.Join(t.TempDir(), "begun")
		p := script(t, strings.Replace(tc.text, "echo $! >&2", "echo $! >&2; : > "+begun, 1))
		ctx, cancel := context.WithCancel(t.Context())
		if tc.err == "did not end in time" {
			go func() { // its time is over once it has a child
				for there := false; !there; runtime.Gosched() {
					_, err := os.Stat(begun)
					there = err == nil
				}
				cancel()
			}()
		}
		r := p.Run(ctx, nil)
		cancel()
		if (r.Err == nil) != (tc.err == "") || r.Err != nil && !strings.Contains(r.Err.Error(), tc.err) {
			t.Errorf("%s: %v", name, r.Err)
		}
		child, err := strconv.Atoi(strings.TrimSpace(string(r.Stderr)))
		if err != nil {
			t.Fatalf("%s: %q", name, r.Stderr)
		}
		// It was killed before Run came back; it may be a moment until it is gone. One that lives on runs into the test's deadline.
		for !gone(child) {
			runtime.Gosched()
		}
	}
}

// gone says whether a process has been killed: it is no more, or a zombie that its new parent has not buried yet.
func gone(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return true
	}
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return true
	}
	_, after, _ := strings.Cut(string(stat), ") ")
	return strings.HasPrefix(after, "Z") || strings.HasPrefix(after, "X")
}

// chain gives a link to a link to a path; the folder of the second has this mode.
func chain(t *testing.T, path string, mode os.FileMode) string {
	t.Helper()
	between, first := filepath.Join(t.TempDir(), "between"), filepath.Join(t.TempDir(), "first")
	if err := os.Symlink(path, between); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(between, first); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Dir(between), mode); err != nil {
		t.Fatal(err)
	}
	return first
}

func TestCheck(t *testing.T) {
	good := script(t, "exit 0")
	if err := good.Check(); err != nil {
		t.Fatal(err)
	}
	at := func(change func(path string) string) error {
		p := script(t, "exit 0")
		return Program{Path: change(p.Path)}.Check()
	}
	for name, tc := range map[string]struct {
		change func(path string) string
		words  string
	}{
		"relative":                  {func(string) string { return "pay" }, "absolute path"},
		"missing":                   {func(p string) string { return p + "2" }, "no such file"},
		"folder":                    {filepath.Dir, "is not a file"},
		"group may write":           {func(p string) string { os.Chmod(p, 0o775); return p }, "can be written by others"},
		"all may write":             {func(p string) string { os.Chmod(p, 0o757); return p }, "can be written by others"},
		"not executable":            {func(p string) string { os.Chmod(p, 0o644); return p }, "is not executable"},
		"an open folder":            {func(p string) string { os.Chmod(filepath.Dir(p), 0o777); return p }, "others can change the folder"},
		"link, good":                {func(p string) string { os.Symlink(p, p+".link"); return p + ".link" }, ""},
		"a chain of links":          {func(p string) string { return chain(t, p, 0o700) }, ""},
		"a chain by an open folder": {func(p string) string { return chain(t, p, 0o777) }, "others can change the folder"},
		"a link above it, in an open folder": {func(p string) string {
			return filepath.Join(chain(t, filepath.Dir(p), 0o777), filepath.Base(p))
		}, "others can change the folder"},
		"a link to itself": {func(p string) string { os.Symlink(p+".link", p+".link"); return p + ".link" }, "no such file"},
		"link to open one": {func(p string) string { os.Chmod(p, 0o777); os.Symlink(p, p+".link"); return p + ".link" }, "can be written by others"},
	} {
		err := at(tc.change)
		if (err == nil) != (tc.words == "") || err != nil && !strings.Contains(err.Error(), tc.words) {
			t.Errorf("%s: %v; want %q", name, err, tc.words)
		}
	}
	if os.Geteuid() == 0 {
		err := at(func(p string) string { os.Chown(p, 12345, -1); return p })
		if err == nil || !strings.Contains(err.Error(), "belongs to somebody else") {
			t.Errorf("another's file: %v", err)
		}
		err = at(func(p string) string { os.Symlink(p, p+".link"); os.Lchown(p+".link", 12345, -1); return p + ".link" })
		if err == nil || !strings.Contains(err.Error(), "belongs to somebody else") {
			t.Errorf("another's link: %v", err)
		}
		err = at(func(p string) string { os.Chown(filepath.Dir(p), 12345, -1); return p })
		if err == nil || !strings.Contains(err.Error(), "others can change the folder") {
			t.Errorf("another's folder: %v", err)
		}
	}
}
