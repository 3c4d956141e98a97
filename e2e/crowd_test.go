package e2e

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestMemoryOfOneMember has one member take all that it gets: by bodies that hardly come, by answers that it does not read, by
// windows that its bodies announce, and by all of these at once. Another member is served meanwhile, fast, and the process stays
// small. With TOKENBUDDY_CHAOS each goes on for a minute.
func TestMemoryOfOneMember(t *testing.T) {
	t.Parallel()
	large := strings.Replace(plainAnswer, `"Hi"`, `"`+strings.Repeat("y", 7<<20)+`"`, 1)
	s := newStage(t)
	s.seller("acme", answerPlain, priced("m"))
	s.seller("talks", sayJSON(200, large), priced("large"))
	s.open("\t\tmember eve {\n\t\t\tkey sk-eve-key\n\t\t}\n\t\tmember ada {\n\t\t\tkey sk-ada-key\n\t\t}\n")
	head := func(more string) string {
		return "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer sk-eve-key\r\n" + more + "\r\n"
	}
	trickle := func(conn net.Conn, stop <-chan struct{}) {
		_, _ = io.WriteString(conn, head("Content-Length: 30000000\r\n")+`{"model":"m","x":"`)
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
				_, _ = io.WriteString(conn, "x")
			}
		}
	}
	deaf := func(conn net.Conn, stop <-chan struct{}) {
		body := chatOf("large", "")
		_, _ = io.WriteString(conn, head(fmt.Sprintf("Content-Length: %d\r\n", len(body)))+body)
		<-stop
	}
	window := func(conn net.Conn, stop <-chan struct{}) {
		// A frame whose window is 8 MiB, and the beginning of a block.
		frame := "\x28\xb5\x2f\xfd\x00\x68\xfc\xff\x00{\"model\":\"m\",\"x\":\""
		_, _ = io.WriteString(conn, head("Content-Encoding: zstd\r\nContent-Length: 100000\r\n")+frame)
		<-stop
	}
	attacks := []struct {
		name string
		n    []int // of each kind
	}{{"slow", []int{25, 0, 0}}, {"deaf", []int{0, 45, 0}}, {"windows", []int{0, 0, 150}}, {"all", []int{25, 45, 150}}}
	lasts := 2 * time.Second
	if os.Getenv("TOKENBUDDY_CHAOS") != "" {
		lasts = time.Minute
	}
	s.ask(0, "POST", "/v1/chat/completions", chatOf("m", ""), "Authorization", "Bearer sk-ada-key") // which buys
	for _, attack := range attacks {
		t.Run(attack.name, func(t *testing.T) {
			stop := make(chan struct{})
			var all sync.WaitGroup
			for kind, run := range []func(net.Conn, <-chan struct{}){trickle, deaf, window} {
				for range attack.n[kind] {
					conn, err := net.Dial("tcp", s.site)
					if err != nil {
						t.Fatal(err)
					}
					all.Go(func() {
						defer conn.Close()
						run(conn, stop)
					})
				}
			}
			p99, n := otherMember(t, s, lasts)
			// A large request of hers finds room too.
			a := s.ask(0, "POST", "/v1/chat/completions", chatOf("m", `"x":"`+strings.Repeat("x", 12<<20)+`",`), "Authorization", "Bearer sk-ada-key")
			if a.StatusCode != http.StatusOK {
				t.Errorf("another member's large request: status %d: %s", a.StatusCode, a.body)
			}
			close(stop)
			all.Wait()
			quiet, _ := otherMember(t, s, lasts/2) // a machine that has other work to do is slow without any attack
			t.Logf("%d requests of another member, p99 %s, %s after the attack; at most %d MiB in memory", n, p99, quiet, s.peakMemory()>>20)
			if p99 > 100*time.Millisecond && os.Getenv("TOKENBUDDY_CHAOS") != "" && !raced {
				t.Errorf("another member waits: p99 is %s", p99)
			}
		})
	}
	if peak := s.peakMemory(); peak > 400<<20 && !raced {
		t.Errorf("the process grew to %d MiB", peak>>20)
	}
	s.verify()
}

// otherMember has another member ask for a while, one request after the other, and gives how long nearly all took, and their number.
func otherMember(t *testing.T, s *stage, lasts time.Duration) (p99 time.Duration, n int) {
	t.Helper()
	var took []time.Duration
	for end := time.Now().Add(lasts); time.Now().Before(end); {
		begun := time.Now()
		a := s.ask(0, "POST", "/v1/chat/completions", chatOf("m", ""), "Authorization", "Bearer sk-ada-key")
		took = append(took, time.Since(begun))
		if a.StatusCode != http.StatusOK {
			t.Fatalf("another member's request: status %d: %s", a.StatusCode, a.body)
		}
		<-time.After(10 * time.Millisecond)
	}
	slices.Sort(took)
	return took[len(took)*99/100], len(took)
}
