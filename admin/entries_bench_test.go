package admin

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http/httptest"
	"path/filepath"
	"testing"

	"github.com/tokenbuddy/caddy-tokenbuddy/billing"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger/export"
	"github.com/tokenbuddy/caddy-tokenbuddy/market"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// discarded is an answer that nobody keeps.
type discarded struct{ *httptest.ResponseRecorder }

func (discarded) Write(b []byte) (int, error) { return len(b), nil }

// BenchmarkExport gives entries of a ledger over the admin endpoint, and writes them, in each format: what `caddy tokenbuddy export` is
// made of. An operation is one entry.
func BenchmarkExport(b *testing.B) {
	b.Setenv("XDG_DATA_HOME", b.TempDir())
	m, err := market.Open(market.Options{Dir: filepath.Join(b.TempDir(), "books"), Key: make([]byte, 32)})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(m.Release)
	const n = 5000
	price := money.Price{Input: 2_000_000, Output: 10_000_000, CacheRead: money.Unknown, CacheWrite: money.Unknown}
	var last *ledger.Settling
	for i := range n {
		id := fmt.Sprint("0198f2b4-8c55-7000-a3c6-", 100_000_000_000+i)
		last = m.Ledger.Settle(ledger.Inference{
			Request: ledger.Request{
				RequestID: id, IdempotencyKey: id, Member: fmt.Sprint("member-", i%50), RequestedModel: "gpt-5", Model: "openai/gpt-5", Protocol: "chat_completions",
				Shape: billing.Shape{BodyBytes: 4000, PromptWhole: true}, PromptHash: "0d9c4f0d9c4f0d9c4f0d9c4f0d9c4f0d",
			},
			Seller: fmt.Sprint("seller-", i%20), Origin: "https://acme.example", Attempts: 1, Status: ledger.StatusOK, Answered: true,
			Usage: billing.Usage{Tokens: money.Tokens{Prompt: 1200, Completion: 340}, PromptKnown: true, CompletionKnown: true}, Price: price, AnswerText: 1000,
		})
	}
	if _, err := last.Wait(b.Context()); err != nil {
		b.Fatal(err)
	}
	var page bytes.Buffer
	get := func(w *httptest.ResponseRecorder, to io.Writer) {
		r := httptest.NewRequest("GET", "/tokenbuddy/ledger/entries?limit=5000", nil)
		var err error
		if to == nil {
			err = entries(m, discarded{w}, r)
		} else {
			w.Body = to.(*bytes.Buffer)
			err = entries(m, w, r)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	get(httptest.NewRecorder(), &page)
	b.Run("endpoint", func(b *testing.B) {
		for i := 0; i < b.N; i += n {
			get(httptest.NewRecorder(), nil)
		}
	})
	read := func(yield func(*ledger.Entry) error) {
		for decoder := json.NewDecoder(bufio.NewReader(bytes.NewReader(page.Bytes()))); ; {
			e := new(ledger.Entry)
			err := decoder.Decode(e)
			if errors.Is(err, io.EOF) {
				return
			}
			if err == nil {
				err = yield(e)
			}
			if err != nil {
				b.Fatal(err)
			}
		}
	}
	b.Run("read", func(b *testing.B) {
		for i := 0; i < b.N; i += n {
			read(func(*ledger.Entry) error { return nil })
		}
	})
	var all []*ledger.Entry
	read(func(e *ledger.Entry) error { all = append(all, e); return nil })
	for _, format := range export.Formats {
		b.Run(format, func(b *testing.B) {
			w, err := export.New(format, io.Discard, export.Options{})
			if err != nil {
				b.Fatal(err)
			}
			for i := 0; i < b.N; i++ {
				if err := w.Entry(all[i%n]); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
