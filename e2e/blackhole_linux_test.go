package e2e

import (
	"fmt"
	"net"
	"syscall"
	"testing"
	"time"
)

func init() {
	waysToBeDead["swallows packets"] = func(t *testing.T) (*fakeSeller, func()) {
		s := newSeller(t, "dead", answerPlain)
		s.URL = "http://" + blackHole(t)
		return s, nil
	}
}

// blackHole is an address that does not answer those who want to connect: as a machine that has gone does, or a firewall. It
// belongs to a listener that accepts nobody and whose queue is full.
func blackHole(t *testing.T) string {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Close(fd) })
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Listen(fd, 0); err != nil {
		t.Fatal(err)
	}
	name, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	address := fmt.Sprintf("127.0.0.1:%d", name.(*syscall.SockaddrInet4).Port)
	for range 10 {
		conn, err := net.DialTimeout("tcp", address, time.Second)
		if err != nil {
			return address
		}
		t.Cleanup(func() { _ = conn.Close() })
	}
	t.Skip("this system has a queue for everyone")
	return ""
}
