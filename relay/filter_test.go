package relay

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
	"go.uber.org/goleak"

	"github.com/tokenbuddy/caddy-tokenbuddy/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// seen is what a filter found in a stream.
type seen struct {
	Name, Data string
	Whole      bool
	Settlement bool
}

// notes is a sink that remembers. The data of a block that was too long is put together again.
type notes struct{ all []seen }

func (n *notes) event(name, data []byte, whole bool) bool {
	n.all = append(n.all, seen{Name: string(name), Data: string(data), Whole: whole})
	return whole && string(data) == "take me out"
}

func (n *notes) tail(data []byte) { n.all[len(n.all)-1].Data += string(data) }

func (n *notes) settlement(data []byte) {
	n.all = append(n.all, seen{Name: wire.SettlementEvent, Data: string(data), Whole: true, Settlement: true})
}

func (s seen) String() string {
	switch {
	case s.Settlement:
		return fmt.Sprintf("settlement %q", s.Data)
	case !s.Whole:
		return fmt.Sprintf("long event %q %q", s.Name, s.Data)
	}
	return fmt.Sprintf("event %q %q", s.Name, s.Data)
}

// TestFilterScripts runs the scripts in testdata/filter: a line is a read, with its line ends written as \r and \n. The
// output has what each read made ready, and what the sink was told.
func TestFilterScripts(t *testing.T) {
	datadriven.Walk(t, "testdata/filter", func(t *testing.T, path string) {
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			found := &notes{}
			f := newFilter(found)
			d.MaybeScanArgs(t, "max", &f.max)
			var out strings.Builder
			told := 0
			tell := func(b []byte) {
				fmt.Fprintf(&out, "%q\n", b)
				for ; told < len(found.all); told++ {
					fmt.Fprintf(&out, "  %s\n", found.all[told])
				}
			}
			for line := range strings.SplitSeq(d.Input, "\n") {
				p, err := strconv.Unquote(`"` + strings.ReplaceAll(line, `"`, `\"`) + `"`)
				if err != nil {
					d.Fatalf(t, "%s: %v", line, err)
				}
				tell(f.Write([]byte(p)))
			}
			switch d.Cmd {
			case "ended":
				out.WriteString("end ")
				tell(f.End())
			case "cut":
				fmt.Fprintf(&out, "cut: gap %q\n", f.Gap())
			default:
				d.Fatalf(t, "%s is neither ended nor cut", d.Cmd)
			}
			return out.String()
		})
	})
}

// reference does what the filter does, but naively, on the whole stream at once.
func reference(in []byte, most int) (out string, all []seen) {
	type line struct{ text, end string }
	var lines []line
	rest := string(in)
	if after, ok := strings.CutPrefix(rest, byteOrderMark); ok {
		out, rest = byteOrderMark, after
	}
	for rest != "" {
		i := strings.IndexAny(rest, "\r\n")
		if i < 0 {
			lines = append(lines, line{rest, ""})
			break
		}
		end := rest[i : i+1]
		if strings.HasPrefix(rest[i:], "\r\n") {
			end = "\r\n"
		}
		lines = append(lines, line{rest[:i], end})
		rest = rest[i+len(end):]
	}
	var block []line
	finish := func(blank string) {
		size := min(len(blank), 1)
		var text, comments, name string
		var data []string
		named := false
		for _, l := range block {
			size += len(l.text + l.end)
			text += l.text + l.end
			field, value, _ := strings.Cut(l.text, ":")
			value = strings.TrimPrefix(value, " ")
			switch {
			case strings.HasPrefix(l.text, ":"):
				comments += l.text + l.end
			case field == "event":
				name, named = value, true
			case field == "data":
				data = append(data, value)
			}
		}
		s := seen{Name: name, Data: strings.Join(data, "\n"), Whole: size <= most}
		switch {
		case s.Whole && (name == wire.SettlementEvent || s.Data == "take me out"):
			s.Settlement = name == wire.SettlementEvent
			out += comments
			all = append(all, s)
		default:
			out += text + blank
			if !s.Whole || len(data) > 0 || named {
				all = append(all, s)
			}
		}
		block = nil
	}
	for _, l := range lines {
		switch {
		case l.text == "" && block == nil, strings.HasPrefix(l.text, ":") && block == nil:
			out += l.text + l.end
		case l.text == "":
			finish(l.end)
		default:
			block = append(block, l)
		}
	}
	if block != nil {
		finish("")
	}
	return out, all
}

// run puts a stream through a filter in the pieces that cut gives.
func run(in []byte, most int, cut func(left int) int) (out []byte, all []seen, widest int) {
	found := &notes{}
	f := newFilter(found)
	f.max = most
	for len(in) > 0 {
		n := min(cut(len(in)), len(in))
		at := len(in) * 7 % 64 // room before it, sometimes more than is held and sometimes less
		out = append(out, f.WriteBehind(append(make([]byte, at), in[:n]...), at)...)
		widest = max(widest, len(f.buf)-f.hold)
		in = in[n:]
	}
	return append(out, f.End()...), found.all, widest
}

// words are what streams are made of, so that random bytes become streams worth trying.
var words = []string{
	"\n", "\n", "\r", "\r\n", "\r\n", "\n\n", "\r\r", "\r\n\r\n", "\n\r", "data:", "data: ", "data", "event:", "event: ", "event",
	wire.SettlementEvent, "event: " + wire.SettlementEvent + "\n", "event:" + wire.SettlementEvent + "\r", ":", ": ping", " ",
	`{"billedMicros":1,"settlementId":"s"}`, "x", "0123456789abcdef", "\xEF", "\xBB", "\xBF", byteOrderMark, "\x00", "id: 1\n", "Event:",
	"dat", "evento:", "data: x\n\n", "data: take me out\n\n", "take me out",
}

func stream(b []byte) []byte {
	var s []byte
	for _, c := range b {
		s = append(s, words[int(c)%len(words)]...)
	}
	return s
}

func equal(t *testing.T, in []byte, most int, cut func(int) int) {
	t.Helper()
	out, all, widest := run(in, most, cut)
	wantOut, wantAll := reference(in, most)
	if string(out) != wantOut {
		t.Fatalf("of %q at most %d held came\n%q, want\n%q", in, most, out, wantOut)
	}
	for i := range wantAll { // the name of a long block is as far as it was held
		if i < len(all) && !wantAll[i].Whole {
			all[i].Name, wantAll[i].Name = "", ""
		}
	}
	if fmt.Sprint(all) != fmt.Sprint(wantAll) {
		t.Fatalf("of %q at most %d held was told\n%v, want\n%v", in, most, all, wantAll)
	}
	if widest > most {
		t.Fatalf("of %q %d bytes were held, at most %d may be", in, widest, most)
	}
}

func FuzzFilter(f *testing.F) {
	f.Add([]byte("event: tokenbuddy.settlement\ndata: {}\n\n"), true, uint64(1), uint8(64))
	f.Add([]byte("data: x\r\n\r\nevent:tokenbuddy.settlement\r\ndata:{}\r\n\r\n"), true, uint64(2), uint8(200))
	f.Add([]byte{0, 13, 15, 0, 9, 21, 5, 6, 7, 8}, false, uint64(3), uint8(40))
	f.Add([]byte{27, 18, 19, 1, 12, 15, 2, 1, 2, 18, 19, 3, 3}, false, uint64(4), uint8(100))
	f.Fuzz(func(t *testing.T, in []byte, raw bool, seed uint64, most uint8) {
		if !raw {
			in = stream(in)
		}
		r := rand.New(rand.NewPCG(seed, 0))
		for _, cut := range []func(int) int{
			func(n int) int { return n },
			func(int) int { return 1 },
			func(n int) int { return 1 + r.IntN(n) },
		} {
			equal(t, in, int(most)+8, cut)
			equal(t, in, maxHold, cut)
		}
	})
}

// boundaries gives the places in a stream where a settlement may stand: where no block and no line is under way.
func boundaries(in []byte) (at []int) {
	begin := 0
	if bytes.HasPrefix(in, []byte(byteOrderMark)) {
		begin = len(byteOrderMark)
	}
	at = append(at, begin)
	field := false
	for i := begin; i < len(in); {
		end := bytes.IndexAny(in[i:], "\r\n")
		if end < 0 {
			break
		}
		line := in[i : i+end]
		i += end + 1
		if in[i-1] == '\r' && i < len(in) && in[i] == '\n' {
			i++
		}
		if len(line) == 0 {
			field = false
		} else if line[0] != ':' {
			field = true
		}
		if !field {
			at = append(at, i)
		}
	}
	return at
}

// settled checks that in comes out as it is and settles with a settlement at the place, however it is cut.
func settled(t *testing.T, in []byte, at int, seed uint64) {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, uint64(at)))
	end := []string{"\n", "\r\n", "\r"}[r.IntN(3)]
	if end == "\r" && at < len(in) && in[at] == '\n' {
		end = "\n" // that LF would belong to the settlement's last CR
	}
	if end == "\n" && at > 0 && in[at-1] == '\r' {
		end = "\r\n"
	}
	data := fmt.Sprintf(`{"settlementId":"s","billedMicros":%d}`, at)
	block := []string{"event: " + wire.SettlementEvent, "data: " + data}
	if r.IntN(2) == 0 {
		block[0], block[1] = block[1], block[0]
	}
	with := append(append(append([]byte{}, in[:at]...), strings.Join(block, end)+end+end...), in[at:]...)
	out, all, _ := run(with, maxHold, func(n int) int { return 1 + r.IntN(min(n, 1+r.IntN(4096))) })
	plain, before, _ := run(in, maxHold, func(n int) int { return n })
	if !bytes.Equal(out, plain) {
		t.Fatalf("a settlement at %d changed the stream", at)
	}
	found := 0
	for _, s := range all {
		if s.Settlement && s.Data == data {
			found++
		}
	}
	if found != 1 || len(all) != len(before)+1 {
		t.Fatalf("the settlement at %d was found %d times, with %d events beside it instead of %d", at, found, len(all)-1, len(before))
	}
}

func FuzzSettlementAnywhere(f *testing.F) {
	f.Add([]byte{9, 22, 5, 9, 22, 7, 18, 19, 0}, uint64(1))
	f.Add([]byte{27, 9, 22, 6, 9, 22, 5, 12, 15, 5}, uint64(2))
	f.Fuzz(func(t *testing.T, b []byte, seed uint64) {
		in := stream(b[:min(len(b), 100)]) // a try for each place: the time grows with the square
		for _, at := range boundaries(in) {
			settled(t, in, at, seed)
		}
	})
}

func TestRecordings(t *testing.T) {
	files, _ := filepath.Glob("../../shared/fixtures/*/*.sse")
	if len(files) == 0 {
		t.Skip("no recordings here")
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			in, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			r := rand.New(rand.NewPCG(uint64(len(in)), 7))
			for _, most := range []int{1, 100, 4096} {
				out, _, _ := run(in, maxHold, func(n int) int { return 1 + r.IntN(min(n, most)) })
				if !bytes.Equal(out, in) {
					t.Fatal("it does not come out as it went in")
				}
			}
			places := boundaries(in)
			for i, at := range places {
				if len(places) < 50 || i%(len(places)/50) == 0 || i == len(places)-1 {
					settled(t, in, at, uint64(i))
				}
			}
			// One whose last block has no blank line ends in the middle of a block: what comes there would be part of it.
			for _, blank := range []string{"\n\n", "\r\n\r\n"} {
				if whole := append(bytes.Clone(in), blank...); places[len(places)-1] != len(in) {
					settled(t, whole, len(whole), 1)
				}
			}
		})
	}
}

func TestLongBlockAtFullSize(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	head := "event: " + wire.SettlementEvent + "\ndata: "
	for _, size := range []int{maxHold - 1, maxHold, maxHold + 1, 3 * maxHold} {
		in := []byte("data: a\n\n" + head + strings.Repeat("x", size-len(head)-2) + "\n\ndata: b\n\n")
		equal(t, in, maxHold, func(n int) int { return 1 + r.IntN(min(n, readSize)) })
		equal(t, in, maxHold, func(n int) int { return n })
	}
	comment := []byte("data: a\n\n:" + strings.Repeat("x", 2*maxHold) + "\ndata: b\n\n")
	equal(t, comment, maxHold, func(n int) int { return min(n, readSize) })
}

func TestFilterAllocatesNothing(t *testing.T) {
	f := newFilter(nothing{})
	in := []byte(typical())
	f.Write(in)
	if n := testing.AllocsPerRun(100, func() { f.Write(in) }); n != 0 {
		t.Fatalf("%v allocations for a read", n)
	}
}

// TestFilterJoinsInPlace: reads that end anywhere take nothing either, where there is room before them.
func TestFilterJoinsInPlace(t *testing.T) {
	f := newFilter(nothing{})
	in := typical()
	const at = 1 << 10
	piece := make([]byte, at+700)
	all := func() {
		for rest := in; rest != ""; {
			n := copy(piece[at:], rest)
			f.WriteBehind(piece[:at+n], at)
			rest = rest[n:]
		}
	}
	all()
	if n := testing.AllocsPerRun(100, all); n != 0 {
		t.Fatalf("%v allocations for a stream", n)
	}
}

type nothing struct{}

func (nothing) event([]byte, []byte, bool) bool { return false }
func (nothing) tail([]byte)                     {}
func (nothing) settlement([]byte)               {}

func typical() string {
	return strings.Repeat(`data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"m",`+
		`"choices":[{"index":0,"delta":{"content":" word"},"finish_reason":null}]}`+"\n\n", 100) +
		"event: two\ndata: lines\ndata: joined\n\n"
}

func BenchmarkFilter(b *testing.B) {
	in := []byte(typical())
	for _, size := range []int{128, 1 << 10, len(in)} {
		b.Run(fmt.Sprintf("reads of %d", size), func(b *testing.B) {
			f := newFilter(nothing{})
			b.ReportAllocs()
			b.SetBytes(int64(len(in)))
			for b.Loop() {
				for rest := in; len(rest) > 0; {
					n := min(size, len(rest))
					f.Write(rest[:n])
					rest = rest[n:]
				}
			}
		})
	}
}
