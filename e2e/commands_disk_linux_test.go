package e2e

import (
	"os"
	"path/filepath"
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
