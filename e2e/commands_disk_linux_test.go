package e2e

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestDoctorOfFullDisk warns of a small disk before it is full, over the endpoint and of the directory.
func TestDoctorOfFullDisk(t *testing.T) {
	mostlyStarts(t)
	t.Parallel()
	disk := t.TempDir()
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=400m"); err != nil {
		t.Skipf("NOT TESTED: a small disk can't be mounted here (%v); it takes root", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(disk, syscall.MNT_DETACH) })
	books := filepath.Join(disk, "books")
	c := newCaddy(t, "")
	c.configure(market(registryOf(t, []string{"m"}, newSeller(t, "acme", answerPlain)), "\t\tledger badger "+books+"\n"))
	c.start()
	c.doctor(true, []string{"--address", c.admin}, "MiB of 400 MiB are free on the disk of the ledger "+books, "Make room")
	if err := os.WriteFile(filepath.Join(disk, "hog"), make([]byte, 200<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is full", func() bool { return c.log.has("ledger.disk.full") })
	c.doctor(true, []string{"--address", c.admin}, "takes no entries", "the disk is nearly full")
	c.stop()
	c.doctor(true, []string{"--ledger", books}, "MiB are left for "+books, "Make room")
}

// TestOutputThatIsLost has the disk be full to which a command's output goes: what nobody can read was not done well, and of a member's new key,
// which is shown once, it is said what to do.
func TestOutputThatIsLost(t *testing.T) {
	t.Parallel()
	s := startBooks(t)
	s.good("members", "add", "kim", "--address", s.admin)
	for args, want := range map[string]string{
		"ledger":                    "no space left on device",
		"ledger --json":             "no space left on device",
		"export":                    "no space left on device",
		"verify":                    "no space left on device",
		"sellers":                   "no space left on device",
		"purchases":                 "no space left on device",
		"members":                   "no space left on device",
		"request":                   "no space left on device",
		"connect curl":              "no space left on device",
		"backup -o -":               "no space left on device",
		"members add eve":           "no space left on device: caddy tokenbuddy members rotate eve makes another",
		"members rotate kim":        "no space left on device: caddy tokenbuddy members rotate kim makes another",
		"members rotate kim --json": "no space left on device: caddy tokenbuddy members rotate kim makes another",
	} {
		full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		cmd := s.command(append(append([]string{"tokenbuddy"}, strings.Fields(args)...), "--address", s.admin)...)
		var complaint bytes.Buffer
		cmd.Stdout, cmd.Stderr = full, &complaint
		if err := cmd.Run(); err == nil || !strings.Contains(complaint.String(), want) {
			t.Errorf("caddy tokenbuddy %s: %v, it says %q, want %q", args, err, complaint.String(), want)
		}
		_ = full.Close()
	}
}
