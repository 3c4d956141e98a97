package e2e

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// smallDisk mounts a disk of 400 MiB for a test.
func smallDisk(t *testing.T) string {
	disk := t.TempDir()
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=400m"); err != nil {
		t.Skipf("NOT TESTED: a small disk can't be mounted here (%v); it takes root", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(disk, syscall.MNT_DETACH) })
	return disk
}

// fill writes so many MiB on a disk; empty takes them away.
func fill(t *testing.T, disk string, mib int) (empty func()) {
	t.Helper()
	hog := filepath.Join(disk, "hog")
	if err := os.WriteFile(hog, make([]byte, mib<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := os.Remove(hog); err != nil {
			t.Fatal(err)
		}
	}
}

// TestFullDisk fills the ledger's disk: nothing is sent any more, and it goes on by itself when there is room.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	disk := smallDisk(t)
	seller := newSeller(t, "acme", answerPlain)
	c := newCaddy(t, "")
	c.configure(market(registryOf(t, []string{"m"}, seller), "\t\tledger badger "+filepath.Join(disk, "books")+"\n"))
	c.start()
	infer := func() int {
		res, body := c.post("/v1/chat/completions", chatBody)
		if res.StatusCode == http.StatusServiceUnavailable && (res.Header.Get("Retry-After") != "10" || !strings.Contains(string(body), "disk")) {
			t.Errorf("it is not said why, %v: %s", res.Header, body)
		}
		return res.StatusCode
	}
	if status := infer(); status != http.StatusOK {
		t.Fatalf("status %d with room", status)
	}
	empty := fill(t, disk, 200)
	eventually(t, "nothing is sent", func() bool { return infer() == http.StatusServiceUnavailable })
	asked := len(seller.inferences())
	if status := infer(); status != http.StatusServiceUnavailable || len(seller.inferences()) != asked {
		t.Errorf("status %d, and the seller was asked %d times more", status, len(seller.inferences())-asked)
	}
	c.verify()
	empty()
	eventually(t, "it goes on", func() bool { return infer() == http.StatusOK })
	for _, message := range []string{"ledger.disk.full", "ledger.disk.recovered"} {
		if !c.log.has(message) {
			t.Errorf("%s is not logged", message)
		}
	}
	c.stop()
}

// TestFullDiskAtStart starts a gateway whose ledger has no room, in a Caddy with another site: that one serves, and the gateway says
// 503 until there is room, and then opens by itself. A reload meanwhile is taken.
func TestFullDiskAtStart(t *testing.T) {
	t.Parallel()
	disk := smallDisk(t)
	seller := newSeller(t, "acme", answerPlain)
	c := newCaddy(t, "")
	elsewhere := freeAddress(t)
	books := filepath.Join(disk, "books")
	gateway := fmt.Sprintf("http://%s {\n\tbind 127.0.0.1\n\ttokenbuddy {\n%s\n\t}\n}\n", c.site,
		market(registryOf(t, []string{"m"}, seller), "\t\tledger badger "+books+"\n"))
	c.write(c.global("") + gateway + fmt.Sprintf("http://%s {\n\tbind 127.0.0.1\n\trespond lives\n}\n", elsewhere))
	lives := func() {
		t.Helper()
		res, err := http.Get("http://" + elsewhere)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if said, _ := io.ReadAll(res.Body); string(said) != "lives" {
			t.Errorf("the other site says %q", said)
		}
	}
	for _, before := range []bool{false, true} { // without a ledger there, and with one
		empty := fill(t, disk, 250)
		c.start()
		for _, path := range []string{"/v1/chat/completions", "/v1/messages"} {
			res, body := c.post(path, chatBody)
			if res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") != "10" || !strings.Contains(string(body), "disk") {
				t.Errorf("%s, a ledger is there: %t: status %d, %v: %s", path, before, res.StatusCode, res.Header, body)
			}
		}
		lives()
		c.doctor(true, []string{"--address", c.admin}, "is not open", "by itself when there is room")
		c.reload()
		lives()
		empty()
		eventually(t, "it opens", func() bool {
			res, _ := c.post("/v1/chat/completions", chatBody)
			return res.StatusCode == http.StatusOK
		})
		c.reload()
		c.verify()
		c.stop()
	}
	if n := len(seller.paid); n != 1 {
		t.Errorf("%d purchases", n)
	}
}

// TestFullDiskOften fills the disk again and again while streams are open: they go on to their ends, the process lives, the
// other site serves, nothing is lost, and it goes on by itself when there is room. It is two times by default, twenty with
// TOKENBUDDY_CHAOS.
func TestFullDiskOften(t *testing.T) {
	mostlyStarts(t)
	t.Parallel()
	disk := smallDisk(t)
	more := make(chan struct{})
	seller := newSeller(t, "acme", settledBy(func(w http.ResponseWriter, r *http.Request, body []byte) {
		if !strings.Contains(string(body), `"stream":true`) {
			answerPlain(w, r, body)
			return
		}
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, roleEvent+textEvent("begun"))
		w.(http.Flusher).Flush()
		select {
		case <-more:
		case <-r.Context().Done():
		}
		_, _ = io.WriteString(w, endEvents)
	}))
	c := newCaddy(t, "")
	elsewhere := freeAddress(t)
	c.write(c.global("") + fmt.Sprintf("http://%s {\n\tbind 127.0.0.1\n\ttokenbuddy {\n%s\n\t}\n}\nhttp://%s {\n\tbind 127.0.0.1\n\trespond lives\n}\n",
		c.site, market(registryOf(t, []string{"m"}, seller), "\t\tledger badger "+filepath.Join(disk, "books")+"\n"), elsewhere))
	c.start()
	served := 0
	for range chaosSize(2, 20) {
		eventually(t, "it serves", func() bool {
			res, _ := c.post("/v1/chat/completions", chatBody)
			if res.StatusCode == http.StatusOK {
				served++
			}
			return res.StatusCode == http.StatusOK
		})
		var streams []*bufio.Reader
		for range 5 {
			res, err := c.send(context.Background(), "/v1/chat/completions", `{"stream":true,`+chatBody[1:])
			if err != nil || res.StatusCode != http.StatusOK {
				t.Fatalf("%v, %v", res, err)
			}
			defer res.Body.Close()
			stream := bufio.NewReader(res.Body)
			if _, err := io.ReadFull(stream, make([]byte, len(roleEvent+textEvent("begun")))); err != nil {
				t.Fatal(err)
			}
			streams = append(streams, stream)
			served++
		}
		empty := fill(t, disk, 0)
		for mib := 397; ; mib -= 4 { // all there is, but for what the ledger has
			if err := os.WriteFile(filepath.Join(disk, "hog"), make([]byte, mib<<20), 0o600); err == nil {
				break
			}
		}
		eventually(t, "nothing is sent", func() bool {
			res, _ := c.post("/v1/chat/completions", chatBody)
			if res.StatusCode == http.StatusOK {
				served++
			}
			return res.StatusCode == http.StatusServiceUnavailable
		})
		for range streams {
			more <- struct{}{}
		}
		for _, stream := range streams {
			if rest, err := io.ReadAll(stream); err != nil || string(rest) != endEvents {
				t.Errorf("a stream ended with %q, %v", rest, err)
			}
		}
		res, err := http.Get("http://" + elsewhere)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		empty()
	}
	eventually(t, "all is booked", func() bool { return len(c.entries("inference")) == served })
	c.verify()
	c.stop()
	c.start()
	c.verify()
	if n := len(c.entries("inference")); n != served {
		t.Errorf("%d entries for %d requests", n, served)
	}
}
