package routing

import (
	"bytes"
	"fmt"
	"runtime"
	"testing"
)

// What a stranger's document of 8 MiB costs in memory is bounded, whatever it is full of.
func TestDocumentMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("builds documents of 8 MiB")
	}
	fill := func(begin, end string, item func(i int) string) []byte {
		var b bytes.Buffer
		b.WriteString(begin)
		for i := 0; b.Len() < DefaultMaxSize-1024; i++ {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(item(i))
		}
		b.WriteString(end)
		return b.Bytes()
	}
	const honest = `{"id":"honest","url":"https://h.example","models":["m"]},`
	entry := `{"sellers":[` + honest + `{"id":"s","url":"https://s.example","models":[`
	var hundred bytes.Buffer
	for i := range 1000 {
		fmt.Fprintf(&hundred, `"%x",`, i)
	}
	hundred.WriteString(`"x"`)
	for name, body := range map[string][]byte{
		"ids in one entry":       fill(entry, `]}]}`, func(i int) string { return fmt.Sprintf(`"%x"`, i) }),
		"aliases in one entry":   fill(entry+`{"id":"m","aliases":[`, `]}]}]}`, func(i int) string { return fmt.Sprintf(`"%x"`, i) }),
		"one id again and again": fill(entry, `]}]}`, func(i int) string { return fmt.Sprintf(`{"id":"m","aliases":["%x"]}`, i) }),
		"ids in many entries": fill(`{"sellers":[`+honest, `]}`, func(i int) string {
			return fmt.Sprintf(`{"id":"s%d","url":"http://s","models":["%x","%x","%x","%x"]}`, i, 4*i, 4*i+1, 4*i+2, 4*i+3)
		}),
		"the same ids in many entries": fill(`{"sellers":[`+honest, `]}`, func(i int) string {
			return fmt.Sprintf(`{"id":"s%d","url":"http://s","models":[%s]}`, i, hundred.Bytes())
		}),
		"small entries": fill(`{"sellers":[`+honest, `]}`, func(i int) string { return fmt.Sprintf(`{"id":"%x","url":"http://s","models":["m"]}`, i) }),
	} {
		t.Run(name, func(t *testing.T) {
			live := func() int64 {
				runtime.GC()
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				return int64(m.HeapAlloc)
			}
			table := tableOf(nil, Cheapest{})
			before := live()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			total := int64(m.TotalAlloc)
			doc, _, err := ParseDocument(body)
			if err != nil {
				t.Fatal(err)
			}
			table.Update(doc)
			runtime.ReadMemStats(&m)
			total = int64(m.TotalAlloc) - total
			kept := live() - before
			t.Logf("%d MB kept, %d MB allocated, %d sellers, %d left out, %d names", kept>>20, total>>20, len(doc.Sellers), doc.LeftOut, len(table.Index().Models()))
			if kept > 100<<20 || total > 300<<20 {
				t.Errorf("%d MB kept, %d MB allocated", kept>>20, total>>20)
			}
			if doc.Seller("honest") == nil {
				t.Error("the honest entry is gone")
			}
			runtime.KeepAlive(table)
			runtime.KeepAlive(body)
		})
	}
}
