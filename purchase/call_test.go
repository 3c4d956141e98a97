package purchase

import (
	"errors"
	"net"
	"os"
	"syscall"
	"testing"
)

// Why a seller can't be reached is told, and nothing that a stranger wrote.
func TestUnreachable(t *testing.T) {
	for want, err := range map[string]error{
		"the seller can't be reached: its name has no address": &net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", Name: "x"}},
		"the seller can't be reached: connection refused":      &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)},
		"the seller can't be reached":                          errors.New("something that the seller has said"),
	} {
		if got := unreachable(err); got.Error() != want || !errors.Is(got, ErrUnreached) || !errors.Is(got, errUnknown) {
			t.Errorf("%v: %s, want %s", err, got, want)
		}
	}
}
