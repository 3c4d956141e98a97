package seller

import (
	"errors"
	"math"
	"net/http"
	"strings"
	"testing"

	"github.com/anthropics/anthropic-sdk-go"
	anthropicoption "github.com/anthropics/anthropic-sdk-go/option"
	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/packages/param"
	"github.com/openai/openai-go/v3/responses"
)

const said = "This is the toy model of a TokenBuddy seller, and no model has read this. You said: hello there"

// clients gives the official clients of a seller that is served over HTTP.
func clients(t *testing.T, lines string) (openai.Client, anthropic.Client) {
	t.Helper()
	s := newSeller(t, lines)
	g := buy(t, s, "p", 1_000_000)
	url := serve(t, s).URL
	return openai.NewClient(option.WithBaseURL(url+"/v1"), option.WithAPIKey(g.AccessToken), option.WithMaxRetries(0)),
		anthropic.NewClient(anthropicoption.WithBaseURL(url), anthropicoption.WithAPIKey(""), anthropicoption.WithAuthToken(g.AccessToken), anthropicoption.WithMaxRetries(0))
}

func TestOpenAIChat(t *testing.T) {
	c, _ := clients(t, "settlement none")
	ask := openai.ChatCompletionNewParams{
		Model: "toy-1", Messages: []openai.ChatCompletionMessageParamUnion{openai.SystemMessage("be kind"), openai.UserMessage("hello there")},
	}
	got, err := c.Chat.Completions.New(t.Context(), ask)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Choices) != 1 || got.Choices[0].Message.Content != said || got.Choices[0].FinishReason != "stop" || got.Object != "chat.completion" {
		t.Errorf("got %s", got.RawJSON())
	}
	if u := got.Usage; u.PromptTokens != 1+2 || u.CompletionTokens != 19 || u.TotalTokens != 22 {
		t.Errorf("usage %s", u.RawJSON())
	}
	ask.N, ask.MaxCompletionTokens = param.NewOpt[int64](3), param.NewOpt[int64](4)
	if got, err = c.Chat.Completions.New(t.Context(), ask); err != nil {
		t.Fatal(err)
	}
	if len(got.Choices) != 3 || got.Choices[2].Index != 2 || got.Choices[2].Message.Content != "This is the toy " ||
		got.Choices[2].FinishReason != "length" || got.Usage.CompletionTokens != 12 {
		t.Errorf("got %s", got.RawJSON())
	}
}

func TestOpenAIChatStream(t *testing.T) {
	for _, usage := range []bool{false, true} {
		c, _ := clients(t, "settlement header")
		ask := openai.ChatCompletionNewParams{
			Model: "toy-1", N: param.NewOpt[int64](2), Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage("hello there")},
		}
		if usage {
			ask.StreamOptions.IncludeUsage = param.NewOpt(true)
		}
		stream := c.Chat.Completions.NewStreaming(t.Context(), ask)
		var acc openai.ChatCompletionAccumulator
		chunks, withUsage := 0, 0
		for stream.Next() {
			chunk := stream.Current()
			if !acc.AddChunk(chunk) {
				t.Fatalf("a chunk that does not belong here: %s", chunk.RawJSON())
			}
			if chunks++; chunk.JSON.Usage.Valid() {
				withUsage++
			}
		}
		if err := stream.Err(); err != nil {
			t.Fatal(err)
		}
		if len(acc.Choices) != 2 || acc.Choices[0].Message.Content != said || acc.Choices[1].Message.Content != said || acc.Choices[1].FinishReason != "stop" {
			t.Errorf("got %+v", acc.Choices)
		}
		want, wantUsage, wantTokens := 2*(1+19+1), 0, int64(0)
		if usage {
			want, wantUsage, wantTokens = want+1, 1, 38
		}
		if chunks != want || withUsage != wantUsage || acc.Usage.CompletionTokens != wantTokens {
			t.Errorf("usage %v: %d chunks, %d with usage, %d tokens", usage, chunks, withUsage, acc.Usage.CompletionTokens)
		}
	}
}

func TestOpenAICompletions(t *testing.T) {
	c, _ := clients(t, "settlement none")
	ask := openai.CompletionNewParams{Model: "toy-1", Prompt: openai.CompletionNewParamsPromptUnion{OfString: param.NewOpt("hello there")}}
	got, err := c.Completions.New(t.Context(), ask)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Choices) != 1 || got.Choices[0].Text != said || got.Choices[0].FinishReason != "stop" || got.Usage.TotalTokens != 21 {
		t.Errorf("got %s", got.RawJSON())
	}
	ask.MaxTokens = param.NewOpt[int64](2)
	stream := c.Completions.NewStreaming(t.Context(), ask)
	var text strings.Builder
	var finish openai.CompletionChoiceFinishReason
	for stream.Next() {
		for _, choice := range stream.Current().Choices {
			text.WriteString(choice.Text)
			finish = choice.FinishReason
		}
	}
	if err := stream.Err(); err != nil || text.String() != "This is " || finish != "length" {
		t.Errorf("%v: %q, %q", err, text.String(), finish)
	}
}

func TestOpenAIResponses(t *testing.T) {
	c, _ := clients(t, "settlement none")
	ask := responses.ResponseNewParams{
		Model: "toy-1", Instructions: param.NewOpt("be kind"),
		Input: responses.ResponseNewParamsInputUnion{OfString: param.NewOpt("hello there")},
	}
	got, err := c.Responses.New(t.Context(), ask)
	if err != nil {
		t.Fatal(err)
	}
	if got.OutputText() != said || got.Status != "completed" || got.Usage.InputTokens != 3 || got.Usage.OutputTokens != 19 || got.Usage.TotalTokens != 22 {
		t.Errorf("got %s", got.RawJSON())
	}
	ask.MaxOutputTokens = param.NewOpt[int64](3)
	ask.Input = responses.ResponseNewParamsInputUnion{OfInputItemList: responses.ResponseInputParam{
		responses.ResponseInputItemParamOfMessage("hello there", responses.EasyInputMessageRoleUser),
	}}
	if got, err = c.Responses.New(t.Context(), ask); err != nil {
		t.Fatal(err)
	}
	if got.Status != "incomplete" || got.IncompleteDetails.Reason != "max_output_tokens" || got.OutputText() != "This is the " {
		t.Errorf("got %s", got.RawJSON())
	}
	compacted, err := c.Responses.Compact(t.Context(), responses.ResponseCompactParams{
		Model: "toy-1", Input: responses.ResponseCompactParamsInputUnion{OfString: param.NewOpt("hello there")},
	})
	if err != nil || compacted.Object != "response.compaction" || len(compacted.Output) != 1 || compacted.Output[0].Type != "compaction" || compacted.Usage.InputTokens != 2 {
		t.Errorf("%v: %+v", err, compacted)
	}
}

func TestOpenAIResponsesStream(t *testing.T) {
	for limit, last := range map[int64]string{100: "response.completed", 3: "response.incomplete"} {
		c, _ := clients(t, "settlement none")
		stream := c.Responses.NewStreaming(t.Context(), responses.ResponseNewParams{
			Model: "toy-1", MaxOutputTokens: param.NewOpt(limit),
			Input: responses.ResponseNewParamsInputUnion{OfString: param.NewOpt("hello there")},
		})
		var types []string
		var text strings.Builder
		var final responses.Response
		var sequence int64
		for stream.Next() {
			ev := stream.Current()
			if ev.SequenceNumber != sequence {
				t.Errorf("%s has number %d, want %d", ev.Type, ev.SequenceNumber, sequence)
			}
			sequence++
			if len(types) == 0 || types[len(types)-1] != ev.Type {
				types = append(types, ev.Type)
			}
			text.WriteString(ev.Delta)
			if ev.Type == last {
				final = ev.Response
			}
		}
		if err := stream.Err(); err != nil {
			t.Fatal(err)
		}
		want := "response.created response.in_progress response.output_item.added response.content_part.added response.output_text.delta " +
			"response.output_text.done response.content_part.done response.output_item.done " + last
		if got := strings.Join(types, " "); got != want {
			t.Errorf("events %s\nwant   %s", got, want)
		}
		if final.OutputText() != text.String() || final.Usage.OutputTokens != min(limit, 19) {
			t.Errorf("got %q and %s", text.String(), final.RawJSON())
		}
	}
}

func TestOpenAIEmbeddings(t *testing.T) {
	c, _ := clients(t, "settlement none")
	ask := openai.EmbeddingNewParams{Model: "toy-1", Input: openai.EmbeddingNewParamsInputUnion{OfArrayOfStrings: []string{"one", "two", "one"}}}
	got, err := c.Embeddings.New(t.Context(), ask)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Data) != 3 || got.Data[2].Index != 2 || len(got.Data[0].Embedding) != defaultDimensions || got.Usage.TotalTokens != 3 {
		t.Fatalf("%d vectors, %+v", len(got.Data), got.Usage)
	}
	dot := func(x, y []float64) (sum float64) {
		for i := range x {
			sum += x[i] * y[i]
		}
		return sum
	}
	one, two, again := got.Data[0].Embedding, got.Data[1].Embedding, got.Data[2].Embedding
	if math.Abs(dot(one, one)-1) > 1e-5 || math.Abs(dot(one, again)-1) > 1e-5 || math.Abs(dot(one, two)) > 0.5 {
		t.Errorf("one·one %f, one·one again %f, one·two %f", dot(one, one), dot(one, again), dot(one, two))
	}
	ask.Input = openai.EmbeddingNewParamsInputUnion{OfArrayOfTokenArrays: [][]int64{{1, 2, 3}, {4}}}
	ask.Dimensions = param.NewOpt[int64](5)
	if got, err = c.Embeddings.New(t.Context(), ask); err != nil || len(got.Data) != 2 || len(got.Data[0].Embedding) != 5 || got.Usage.PromptTokens != 4 {
		t.Errorf("%v: %+v", err, got)
	}
}

func TestEmbeddingsAsBase64(t *testing.T) {
	s := newSeller(t, "")
	g := buy(t, s, "p", 100)
	ask := func(format string) string {
		w := post(t, s, "/v1/embeddings", `{"model":"toy-1","input":"x","dimensions":1,"encoding_format":"`+format+`"}`, "Authorization", bearer(g))
		_, rest, _ := strings.Cut(w.Body.String(), `"embedding":`)
		value, _, _ := strings.Cut(rest, "}")
		return value
	}
	// A unit vector of one dimension is 1 or -1: 00 00 80 3f, or bf, in little endian.
	if f, b := ask("float"), ask("base64"); f+b != `[1]"AACAPw=="` && f+b != `[-1]"AACAvw=="` {
		t.Errorf("float %s, base64 %s", f, b)
	}
}

func TestAnthropicMessages(t *testing.T) {
	_, c := clients(t, "settlement none")
	ask := anthropic.MessageNewParams{
		Model: "toy-1", MaxTokens: 100, System: []anthropic.TextBlockParam{{Text: "be kind"}},
		Messages: []anthropic.MessageParam{anthropic.NewUserMessage(anthropic.NewTextBlock("hello there"))},
	}
	got, err := c.Messages.New(t.Context(), ask)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Content) != 1 || got.Content[0].Text != said || got.StopReason != "end_turn" || got.Usage.InputTokens != 3 || got.Usage.OutputTokens != 19 {
		t.Errorf("got %s", got.RawJSON())
	}
	n, err := c.Messages.CountTokens(t.Context(), anthropic.MessageCountTokensParams{
		Model: "toy-1", Messages: []anthropic.MessageParam{anthropic.NewUserMessage(anthropic.NewTextBlock("hello there"))},
	})
	if err != nil || n.InputTokens != 2 {
		t.Errorf("count: %v %+v", err, n)
	}
	for limit, reason := range map[int64]anthropic.StopReason{100: "end_turn", 3: "max_tokens"} {
		ask.MaxTokens = limit
		stream := c.Messages.NewStreaming(t.Context(), ask)
		var acc anthropic.Message
		var types []string
		for stream.Next() {
			ev := stream.Current()
			if err := acc.Accumulate(ev); err != nil {
				t.Fatal(err)
			}
			if len(types) == 0 || types[len(types)-1] != ev.Type {
				types = append(types, ev.Type)
			}
		}
		if err := stream.Err(); err != nil {
			t.Fatal(err)
		}
		// The client itself passes over the ping.
		types = strings.Fields(strings.Replace(strings.Join(types, " "), "ping ", "", 1))
		if got := strings.Join(types, " "); got != "message_start content_block_start content_block_delta content_block_stop message_delta message_stop" {
			t.Errorf("events %s", got)
		}
		if text := acc.Content[0].Text; !strings.HasPrefix(said, strings.TrimSpace(text)) || acc.StopReason != reason ||
			acc.Usage.InputTokens != 3 || acc.Usage.OutputTokens != min(limit, 19) {
			t.Errorf("got %q, %s, %s", text, acc.StopReason, acc.Usage.RawJSON())
		}
	}
}

// TestClientsRaiseTheirOwnErrors: the shapes of refusals are those that the clients know.
func TestClientsRaiseTheirOwnErrors(t *testing.T) {
	o, a := clients(t, "")
	_, err := o.Chat.Completions.New(t.Context(), openai.ChatCompletionNewParams{
		Model: "gpt-9", Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage("x")},
	})
	if openaiErr, ok := errors.AsType[*openai.Error](err); !ok || openaiErr.StatusCode != http.StatusNotFound || openaiErr.Code != "model_not_found" || openaiErr.Param != "model" {
		t.Errorf("openai: %v", err)
	}
	_, err = a.Messages.New(t.Context(), anthropic.MessageNewParams{
		Model: "gpt-9", MaxTokens: 5, Messages: []anthropic.MessageParam{anthropic.NewUserMessage(anthropic.NewTextBlock("x"))},
	})
	if anthropicErr, ok := errors.AsType[*anthropic.Error](err); !ok || anthropicErr.StatusCode != http.StatusNotFound || anthropicErr.RequestID == "" {
		t.Errorf("anthropic: %v", err)
	}
}
