package e2e

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/anthropics/anthropic-sdk-go"
	aoption "github.com/anthropics/anthropic-sdk-go/option"
	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/responses"
)

// positions are the places where the reference sellers of this test put their settlement, one seller each.
var positions = map[string]string{
	"header": "settlement header",
	"start":  "settlement_at start",
	"middle": "settlement_at middle",
	"end":    "settlement_at end",
	"late":   "settlement_at late 400ms",
	"both":   "settlement both",
	"none":   "settlement none",
}

// TestSDKs has the official clients ask the reference seller directly and through the gateway, with a settlement in every
// position. Both ways they must read the same, and none of them must get to see a settlement.
func TestSDKs(t *testing.T) {
	direct, c := startMarketOfPositions(t)
	for position := range positions {
		t.Run(position, func(t *testing.T) {
			near := clients(t, direct[position], buy(t, direct[position], "m-"+position))
			far := clients(t, "http://"+c.site, "any key does on loopback")
			for name, ask := range asks {
				t.Run(name, func(t *testing.T) {
					want := ask(t, near, "m-"+position)
					if want == "" {
						t.Fatal("the seller's own answer is empty: nothing is shown by comparing with it")
					}
					if got := ask(t, far, "m-"+position); got != want {
						t.Errorf("through the gateway: %s\ndirectly: %s", got, want)
					}
				})
			}
			for _, secret := range []string{"settlement", "X-Tokenbuddy-Billed", "X-Tokenbuddy-Balance"} {
				if far.tape.has(secret) {
					t.Errorf("the client got to see %q", secret)
				}
			}
		})
	}
	var booked []entry
	eventually(t, "every request is booked once", func() bool {
		booked = c.entries("inference")
		return len(booked) == len(positions)*len(asks)
	})
	for _, e := range booked {
		if settled := e.BilledSource == "settlement"; settled == (e.Seller == "none") || e.Status != "ok" || e.BilledMicros == 0 {
			t.Errorf("entry of seller %s, protocol %s: source %s, status %s, billed %d", e.Seller, e.Protocol, e.BilledSource, e.Status, e.BilledMicros)
		}
	}
	c.verify()
}

// startMarketOfPositions runs one reference seller for each position and a gateway that knows them all. It gives the
// sellers' own addresses.
func startMarketOfPositions(t *testing.T) (direct map[string]string, c *caddy) {
	direct = make(map[string]string)
	var pinned, sites strings.Builder
	for position, words := range positions {
		address := freeAddress(t)
		direct[position] = "http://" + address
		fmt.Fprintf(&pinned, "\t\tseller %s http://%s {\n\t\t\tmodels m-%[1]s\n\t\t\tprice m-%[1]s 10 20 1 12.5\n\t\t\tpayment mock\n\t\t}\n", position, address)
		fmt.Fprintf(&sites, "http://%s {\n\tbind 127.0.0.1\n\ttokenbuddy_seller %s {\n\t\tmodel m-%[2]s 10 20 1 12.5\n\t\tpace 1ms\n\t\t%s\n\t}\n}\n", address, position, words)
	}
	c = newCaddy(t, "")
	c.write(c.global("") + fmt.Sprintf("http://%s {\n\tbind 127.0.0.1\n\ttokenbuddy {\n%s\t\tpayment mock\n\t}\n}\n%s", c.site, &pinned, &sites))
	c.start()
	return direct, c
}

// buy buys a token from a seller, as the gateway does.
func buy(t *testing.T, seller, model string) string {
	var order struct{ OrderID string }
	var grant struct{ AccessToken string }
	id := rand.Text()
	step(t, seller+"/purchase/create", id, map[string]any{"purchaseId": id, "modelId": model, "paymentMethod": "mock", "amountMicros": 5_000_000}, &order)
	step(t, seller+"/purchase/complete", id, map[string]any{"purchaseId": id, "orderId": order.OrderID, "paymentMethod": "mock", "proof": map[string]any{}}, &grant)
	return grant.AccessToken
}

func step(t *testing.T, url, key string, body, answer any) {
	b, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequest(http.MethodPost, url, bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Idempotency-Key", key)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if err := json.NewDecoder(res.Body).Decode(answer); err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("POST %s: status %d, %v", url, res.StatusCode, err)
	}
}

// sdks are the official clients at one address, with a tape of what came to them off the wire.
type sdks struct {
	openai    openai.Client
	anthropic anthropic.Client
	tape      *tape
}

func clients(t *testing.T, base, key string) *sdks {
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	rec := &tape{next: transport}
	hc := &http.Client{Transport: rec}
	return &sdks{
		openai: openai.NewClient(option.WithBaseURL(base+"/v1"), option.WithAPIKey(key), option.WithMaxRetries(0), option.WithHTTPClient(hc)),
		anthropic: anthropic.NewClient(aoption.WithoutEnvironmentDefaults(), aoption.WithBaseURL(base), aoption.WithAuthToken(key),
			aoption.WithMaxRetries(0), aoption.WithHTTPClient(hc)),
		tape: rec,
	}
}

// tape keeps headers and bytes as they came, since the SDKs swallow events that they do not know without a word.
type tape struct {
	next http.RoundTripper
	mu   sync.Mutex // protects buf
	buf  bytes.Buffer
}

func (p *tape) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := p.next.RoundTrip(r)
	if err == nil {
		p.mu.Lock()
		_ = res.Header.Write(&p.buf)
		p.mu.Unlock()
		res.Body = struct {
			io.Reader
			io.Closer
		}{io.TeeReader(res.Body, p), res.Body}
	}
	return res, err
}

func (p *tape) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.buf.Write(b)
}

func (p *tape) has(s string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Contains(p.buf.String(), s)
}

// asks are the requests that each client makes, each giving what the client read of the answer.
var asks = map[string]func(t *testing.T, c *sdks, model string) string{
	"chat":               askChat,
	"chat streamed":      askChatStreamed,
	"responses":          askResponses,
	"responses streamed": askResponsesStreamed,
	"embeddings":         askEmbeddings,
	"messages":           askMessages,
	"messages streamed":  askMessagesStreamed,
}

func chatParams(model string) openai.ChatCompletionNewParams {
	return openai.ChatCompletionNewParams{
		Model:               model,
		Messages:            []openai.ChatCompletionMessageParamUnion{openai.SystemMessage("Be <brief> & kind."), openai.UserMessage("Hello there")},
		MaxCompletionTokens: openai.Int(64),
	}
}

func askChat(t *testing.T, c *sdks, model string) string {
	r, err := c.openai.Chat.Completions.New(context.Background(), chatParams(model))
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(r.Model, r.Choices[0].Message.Content, r.Choices[0].FinishReason, r.Usage.CompletionTokens)
}

func askChatStreamed(t *testing.T, c *sdks, model string) string {
	p := chatParams(model)
	p.StreamOptions.IncludeUsage = openai.Bool(true)
	st := c.openai.Chat.Completions.NewStreaming(context.Background(), p)
	defer st.Close()
	var acc openai.ChatCompletionAccumulator
	chunks := 0
	for st.Next() {
		if st.Current().ID == "" {
			continue // what the SDK makes of a settlement, where one is in the seller's own stream
		}
		chunks++
		if !acc.AddChunk(st.Current()) {
			t.Error("a chunk does not fit those before it")
		}
	}
	if err := st.Err(); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(chunks, acc.Choices[0].Message.Content, acc.Choices[0].FinishReason, acc.Usage.CompletionTokens)
}

func responseParams(model string) responses.ResponseNewParams {
	return responses.ResponseNewParams{
		Model: model, MaxOutputTokens: openai.Int(64), Input: responses.ResponseNewParamsInputUnion{OfString: openai.String("Hello there")},
	}
}

func askResponses(t *testing.T, c *sdks, model string) string {
	r, err := c.openai.Responses.New(context.Background(), responseParams(model))
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(r.OutputText(), r.Status, r.Usage.OutputTokens)
}

func askResponsesStreamed(t *testing.T, c *sdks, model string) string {
	st := c.openai.Responses.NewStreaming(context.Background(), responseParams(model))
	defer st.Close()
	var text strings.Builder
	var kinds []string
	for st.Next() {
		event := st.Current()
		if event.Type == "" {
			continue // a settlement in the seller's own stream
		}
		kinds = append(kinds, event.Type)
		switch v := event.AsAny().(type) {
		case responses.ResponseTextDeltaEvent:
			text.WriteString(v.Delta)
		case responses.ResponseCompletedEvent:
			fmt.Fprint(&text, v.Response.Usage.OutputTokens)
		}
	}
	if err := st.Err(); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(text.String(), slices.Compact(kinds))
}

func askEmbeddings(t *testing.T, c *sdks, model string) string {
	r, err := c.openai.Embeddings.New(context.Background(), openai.EmbeddingNewParams{
		Model: model, Input: openai.EmbeddingNewParamsInputUnion{OfArrayOfStrings: []string{"one", "two"}}, Dimensions: openai.Int(8),
	})
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(r.Data[0].Embedding, r.Data[1].Embedding)
}

func messageParams(model string) anthropic.MessageNewParams {
	return anthropic.MessageNewParams{
		Model: model, MaxTokens: 64,
		System:   []anthropic.TextBlockParam{{Text: "Be brief."}},
		Messages: []anthropic.MessageParam{anthropic.NewUserMessage(anthropic.NewTextBlock("Hello there"))},
	}
}

func askMessages(t *testing.T, c *sdks, model string) string {
	m, err := c.anthropic.Messages.New(context.Background(), messageParams(model))
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(m.Content[0].Text, m.StopReason, m.Usage.OutputTokens)
}

func askMessagesStreamed(t *testing.T, c *sdks, model string) string {
	st := c.anthropic.Messages.NewStreaming(context.Background(), messageParams(model))
	defer st.Close()
	var m anthropic.Message
	var kinds []string
	for st.Next() {
		event := st.Current()
		if event.Type == "" {
			continue // a settlement in the seller's own stream
		}
		kinds = append(kinds, event.Type)
		if err := m.Accumulate(event); err != nil {
			t.Error(err)
		}
	}
	if err := st.Err(); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(m.Content[0].Text, m.StopReason, m.Usage.OutputTokens, slices.Compact(kinds))
}
