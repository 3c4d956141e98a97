package market

import (
	"os"
	"syscall"
	"testing"
)

// A disk that the system calls full before our own measure does leaves its ledger among those that wait for room.
func TestRoomByTheSystemsWord(t *testing.T) {
	dir := t.TempDir()
	noteRoom(dir, &os.PathError{Op: "mkdir", Path: dir, Err: syscall.ENOSPC})
	if Full()[dir] == nil {
		t.Error("a ledger whose disk is full is not told of")
	}
	noteRoom(dir, nil)
	if Full()[dir] != nil {
		t.Error("a ledger that is open is told of as waiting for room")
	}
}
