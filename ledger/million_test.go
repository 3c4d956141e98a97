package ledger_test

import (
	"bufio"
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/billing"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

const entriesOfMillion = 1_000_000

// million gives the directory of a closed ledger with a million inferences. Making it takes a minute: TOKENBUDDY_MILLION
// names a directory where it is kept for the next time.
func million(b *testing.B) string {
	b.Helper()
	dir := os.Getenv("TOKENBUDDY_MILLION")
	if dir == "" {
		dir = b.TempDir()
	}
	if _, err := os.Stat(filepath.Join(dir, "MANIFEST")); err == nil {
		return dir
	}
	l, err := ledger.Open(ledger.Options{Dir: dir, Key: testKey})
	if err != nil {
		b.Fatal(err)
	}
	buy(b, l, "t", "acme", money.Max)
	began := time.Now()
	settleMany(b, l, entriesOfMillion)
	b.Logf("a million inferences in %s, %.0f bytes each on disk while open", time.Since(began).Round(time.Second),
		float64(onDisk(b, dir))/entriesOfMillion)
	if err := l.Close(); err != nil {
		b.Fatal(err)
	}
	return dir
}

// realHold has names and ids of the usual length, of a team of twenty that uses five models.
func realHold(n int, token string) ledger.Hold {
	return ledger.Hold{
		ID: ledger.NewID(), Seller: "acme", Origin: "https://llm.acme.example", TokenID: token, Price: price, Attempt: 1,
		AmountMicros: 90_000,
		Request: ledger.Request{
			RequestID: ledger.NewID(), IdempotencyKey: ledger.NewID(), Member: fmt.Sprint("member-", n%20),
			RequestedModel: "large", Model: fmt.Sprintf("acme/large-%d", n%5), Protocol: "chat_completions",
			PromptHash: "0d9c2a6b1e7f4c5588aa0d3f9b6e2c41", Shape: billing.Shape{BodyBytes: 4_800, PromptWhole: true},
		},
	}
}

func realInference(h ledger.Hold) ledger.Inference {
	in := inference(h, 4_900)
	in.Usage = billing.Usage{Tokens: money.Tokens{Prompt: 1_200, Completion: 250}, PromptKnown: true, CompletionKnown: true}
	in.AnswerText, in.TimeToFirstByte, in.Duration = 1_100, 212*time.Millisecond, 5310*time.Millisecond
	return in
}

// onDisk is how many bytes a directory takes on the disk; holes take none.
func onDisk(tb testing.TB, dir string) (sum int64) {
	tb.Helper()
	if err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			sum += taken(info)
		}
		return err
	}); err != nil {
		tb.Fatal(err)
	}
	return sum
}

// BenchmarkMillion measures a ledger with a million entries: what an inference takes on disk, how long a process takes
// from its start until a hold is durable, with which memory, and how long it takes to verify all.
func BenchmarkMillion(b *testing.B) {
	const variable = "LEDGER_TO_BE_STARTED_IN"
	if dir := os.Getenv(variable); dir != "" {
		start(b, dir)
		return
	}
	dir := million(b)
	b.Run("disk", func(b *testing.B) {
		for b.Loop() {
			b.ReportMetric(float64(onDisk(b, dir))/entriesOfMillion, "bytes/inference")
		}
	})
	b.Run("start", func(b *testing.B) {
		var memory float64
		for b.Loop() {
			cmd := exec.Command(os.Args[0], "-test.run=^$", "-test.bench=^BenchmarkMillion$", "-test.benchtime=1x")
			cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s", variable, dir))
			in, err := cmd.StdinPipe()
			if err != nil {
				b.Fatal(err)
			}
			out, err := cmd.StdoutPipe()
			if err == nil {
				err = cmd.Start()
			}
			if err != nil {
				b.Fatal(err)
			}
			lines := bufio.NewScanner(out)
			for lines.Scan() {
				if said, ok := strings.CutPrefix(lines.Text(), "served "); ok {
					var kB float64
					fmt.Sscan(said, &kB)
					memory = max(memory, kB/1024)
					break
				}
			}
			b.StopTimer()
			in.Close() // lets it close the ledger and go
			for lines.Scan() {
			}
			if err := cmd.Wait(); err != nil {
				b.Fatal(err)
			}
			b.StartTimer()
		}
		b.ReportMetric(memory, "MB")
	})
	b.Run("verify", func(b *testing.B) {
		l := open(b, ledger.Options{Dir: dir})
		for b.Loop() {
			if r := mustVerify(b, l); r.Entries < entriesOfMillion {
				b.Fatalf("%d entries", r.Entries)
			}
		}
	})
}

// start opens the ledger and serves one request, says so, and waits for the end of its input.
func start(b *testing.B, dir string) {
	l := open(b, ledger.Options{Dir: dir})
	h := ledger.Hold{ID: ledger.NewID(), Request: ledger.Request{RequestID: "start", Member: "ann"}, Seller: "acme", TokenID: "t"}
	if err := l.PlaceHold(h).Wait(context.Background()); err != nil {
		b.Fatal(err)
	}
	fmt.Println("served", residentKB())
	_, _ = bufio.NewReader(os.Stdin).ReadByte()
	if err := l.ReleaseHold(h.ID).Wait(context.Background()); err != nil {
		b.Fatal(err)
	}
}

// residentKB is the memory of this process, or 0 where the system does not say.
func residentKB() (kB int) {
	status, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			fmt.Sscan(rest, &kB)
		}
	}
	return kB
}
