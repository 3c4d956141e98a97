package e2e

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// completion is a chat completion with a usage.
func completion(usage string) string {
	return `{"id":"c","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"Hi"},"finish_reason":"stop"}],"usage":` + usage + `}`
}

// settledBy answers with the settlement headers given as name, value, name, value, their common prefix left out.
func settledBy(answer handler, header ...string) handler {
	return func(w http.ResponseWriter, r *http.Request, body []byte) {
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Add("X-TokenBuddy-"+header[i], header[i+1])
		}
		answer(w, r, body)
	}
}

// billed is what a request is to be booked as.
type billed struct {
	source                   string
	billed, expense          int64 // -1: the estimate from the bytes
	prompt, completion, read int64
	settlement               string
	flagged                  string
}

// TestBillingOfAnswers has sellers say what a plain answer cost in every way, right and wrong, and looks at the entries.
// A token costs 1 micro in the prompt (0.1 from the cache, 1.25 into it) and 2 in the completion.
func TestBillingOfAnswers(t *testing.T) {
	t.Parallel()
	usage := billed{"usage", 9, 9, 5, 2, 0, "", ""}
	settled := func(n int64) billed { return billed{"settlement", n, n, 5, 2, 0, "s", ""} }
	plain := sayJSON(200, plainAnswer)
	said := func(header ...string) handler {
		return settledBy(plain, append([]string{"Settlement-Id", "s"}, header...)...)
	}
	// The prompt of a request of that name can't be more than its bytes and 2,000.
	possible := func(name string) int64 { return int64(len(chatOf(name, ""))) + 2_000 + 4 }
	unpriced := map[string]any{"id": "", "inputPriceMicrosPer1m": 1_000_000, "outputPriceMicrosPer1m": 2_000_000}
	rows := map[string]struct {
		answer handler
		path   string // of the request; chat where empty
		model  any    // in the registry; priced where nil
		want   billed
	}{
		"by settlement":         {answer: said("Billed-Micros", "7"), want: settled(7)},
		"for nothing":           {answer: said("Billed-Micros", "0"), want: settled(0)},
		"all the credit":        {answer: settledBy(sayJSON(200, completion("null")), "Settlement-Id", "s", "Billed-Micros", "5000000", "Prompt-Tokens", "3", "Completion-Tokens", "4", "Cache-Read-Tokens", "1"), model: "", want: billed{"settlement", 5000000, 5000000, 3, 4, 1, "s", ""}},
		"more than the credit":  {answer: said("Billed-Micros", "5000001"), want: usage},
		"negative":              {answer: said("Billed-Micros", "-1"), want: usage},
		"a fraction":            {answer: said("Billed-Micros", "7.5"), want: usage},
		"a power":               {answer: said("Billed-Micros", "7e0"), want: usage},
		"no number":             {answer: said("Billed-Micros", "seven"), want: usage},
		"over 64 bits":          {answer: said("Billed-Micros", "18446744073709551617"), want: usage},
		"no bill":               {answer: said("Prompt-Tokens", "9"), want: usage},
		"by usage":              {answer: plain, want: usage},
		"from the cache":        {answer: sayJSON(200, completion(`{"prompt_tokens":11,"completion_tokens":2,"prompt_tokens_details":{"cached_tokens":4}}`)), want: billed{"usage", 12, 12, 11, 2, 4, "", ""}},
		"of responses":          {path: "/v1/responses", answer: sayJSON(200, `{"id":"r","object":"response","status":"completed","output":[{"type":"message","role":"assistant","content":[{"type":"output_text","text":"Hi"}]}],"usage":{"input_tokens":10,"output_tokens":3,"input_tokens_details":{"cached_tokens":10}}}`), want: billed{"usage", 7, 7, 10, 3, 10, "", ""}},
		"of messages":           {path: "/v1/messages", answer: sayJSON(200, `{"id":"m","type":"message","role":"assistant","content":[{"type":"text","text":"Hi"}],"stop_reason":"end_turn","usage":{"input_tokens":5,"output_tokens":2,"cache_read_input_tokens":10,"cache_creation_input_tokens":3}}`), want: billed{"usage", 14, 14, 18, 2, 10, "", ""}},
		"of embeddings, a sum":  {path: "/v1/embeddings", answer: sayJSON(200, `{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.5]}],"usage":{"total_tokens":6}}`), want: billed{"usage", 6, 6, 6, 0, 0, "", ""}},
		"of embeddings":         {path: "/v1/embeddings", answer: sayJSON(200, `{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.5]}],"usage":{"prompt_tokens":6,"total_tokens":6}}`), want: billed{"usage", 6, 6, 6, 0, 0, "", ""}},
		"after a mark":          {answer: sayJSON(200, "\ufeff"+completion(`{"prompt_tokens":5,"completion_tokens":2}`)), want: usage},
		"thoughts in the total": {answer: sayJSON(200, completion(`{"prompt_tokens":5,"completion_tokens":2,"total_tokens":47}`)), want: billed{"usage", 89, 89, 5, 42, 0, "", ""}},
		"nothing but thoughts":  {answer: sayJSON(200, completion(`{"prompt_tokens":5,"total_tokens":47}`)), want: billed{"usage", 89, 89, 5, 42, 0, "", ""}},
		"what was heard":        {answer: settledBy(sayJSON(200, completion(`{"prompt_tokens":5,"completion_tokens":2,"total_tokens":507,"prompt_audio_seconds":40}`)), "Settlement-Id", "s", "Billed-Micros", "509"), want: billed{"settlement", 509, 509, 5, 2, 0, "s", ""}},
		"made shorter":          {path: "/v1/messages", answer: sayJSON(200, `{"id":"m","type":"message","role":"assistant","content":[{"type":"text","text":"Hi"}],"stop_reason":"end_turn","usage":{"input_tokens":5,"output_tokens":2,"iterations":[{"type":"compaction","input_tokens":80,"output_tokens":10,"cache_read_input_tokens":20},{"type":"message","input_tokens":5,"output_tokens":2}]}}`), want: billed{"usage", 111, 111, 105, 12, 20, "", ""}},
		"no usage":              {answer: sayJSON(200, completion("null")), want: billed{"estimate", -1, -1, 0, 0, 0, "", ""}},
		"impossible usage":      {answer: sayJSON(200, completion(`{"prompt_tokens":100000,"completion_tokens":2}`)), want: billed{"usage", possible("impossible usage"), possible("impossible usage"), 100000, 2, 0, "", ""}},
		"not justified":         {answer: settledBy(sayJSON(200, completion(`{"prompt_tokens":100000,"completion_tokens":2}`)), "Settlement-Id", "s", "Billed-Micros", "100004"), want: billed{"settlement", 100004, possible("not justified"), 100000, 2, 0, "s", "overbilled"}},
		"no price":              {answer: plain, model: "", want: billed{"estimate", 50000, 50000, 5, 2, 0, "", ""}},
		"no price of a class":   {answer: sayJSON(200, completion(`{"prompt_tokens":11,"completion_tokens":2,"prompt_tokens_details":{"cached_tokens":4}}`)), model: unpriced, want: billed{"usage", 15, 15, 11, 2, 4, "", ""}},
		"no price, settled":     {answer: said("Billed-Micros", "777777"), model: "", want: settled(777777)},
		"a class, settled":      {answer: settledBy(sayJSON(200, completion(`{"prompt_tokens":11,"completion_tokens":2,"prompt_tokens_details":{"cached_tokens":4}}`)), "Settlement-Id", "s", "Billed-Micros", "1000"), model: unpriced, want: billed{"settlement", 1000, 15, 11, 2, 4, "s", "overbilled"}},
		"a hundred too much":    {answer: said("Billed-Micros", "109"), want: settled(109)},
		"overbilled":            {answer: said("Billed-Micros", "110"), want: billed{"settlement", 110, 9, 5, 2, 0, "s", "overbilled"}},
		"one percent too much":  {answer: settledBy(sayJSON(200, completion(`{"prompt_tokens":0,"completion_tokens":50000}`)), "Settlement-Id", "s", "Billed-Micros", "101000"), want: billed{"settlement", 101000, 101000, 0, 50000, 0, "s", ""}},
		"more than a percent":   {answer: settledBy(sayJSON(200, completion(`{"prompt_tokens":0,"completion_tokens":50000}`)), "Settlement-Id", "s", "Billed-Micros", "101001"), want: billed{"settlement", 101001, 100000, 0, 50000, 0, "s", "overbilled"}},
		"cheaper than usage":    {answer: said("Billed-Micros", "1"), want: settled(1)},
		"a stream for a plain":  {answer: settledBy(sayStream(shortStream), "Settlement-Id", "s", "Billed-Micros", "7"), want: billed{"settlement", 7, 7, 0, 0, 0, "s", ""}},
	}
	s := newStage(t)
	for name, row := range rows {
		model := priced(name)
		switch m := row.model.(type) {
		case map[string]any:
			model = map[string]any{"id": name, "inputPriceMicrosPer1m": m["inputPriceMicrosPer1m"], "outputPriceMicrosPer1m": m["outputPriceMicrosPer1m"]}
		case string:
			model = map[string]any{"id": name}
		}
		s.seller(sellerIDOf(name), row.answer, model)
	}
	s.open("")
	for name, row := range rows {
		path := row.path
		if path == "" {
			path = "/v1/chat/completions"
		}
		body := chatOf(name, "")
		a := s.ask(0, "POST", path, body, "X-Request-Id", name)
		if a.StatusCode != 200 {
			t.Errorf("%s: status %d: %s", name, a.StatusCode, a.body)
			continue
		}
		assertBilled(t, s, name, row.want, len(body), len("Hi"))
	}
	s.verify()
}

// sellerIDOf makes a seller's id of a row's name.
func sellerIDOf(name string) string {
	return "of-" + strings.NewReplacer(" ", "-", ",", "").Replace(name)
}

// assertBilled compares the entry of a request. asked and got are the bytes of the prompt and of the answer's text, from which an
// estimate is made: a quarter of both in tokens.
func assertBilled(t *testing.T, s *stage, id string, want billed, asked, got int) {
	t.Helper()
	e := s.entryOf(id)
	if want.billed < 0 {
		estimate := int64(asked)/4 + 2*(int64(got)/4)
		if e.BilledMicros < estimate || e.BilledMicros > estimate+3 { // by how the parts are rounded
			t.Errorf("%s: estimated at %d, want about %d", id, e.BilledMicros, estimate)
		}
		want.billed, want.expense = e.BilledMicros, e.BilledMicros
	}
	have := billed{e.BilledSource, e.BilledMicros, e.ExpenseMicros, e.PromptTokens, e.CompletionTokens, e.CacheReadTokens, e.SettlementID, want.flagged}
	if have != want || want.flagged != "" && !slices.Contains(e.Flags, want.flagged) || want.flagged == "" && slices.Contains(e.Flags, "overbilled") {
		t.Errorf("%s: booked %+v, flags %q\nwant %+v", id, have, e.Flags, want)
	}
	credit, expense, disputed := "credit:"+e.Seller, "expense:"+e.Member+":"+e.Model, "disputed:"+e.Seller
	sums := map[string]int64{}
	for _, p := range e.Postings {
		sums[p.Account] += p.AmountMicros
	}
	if sums[credit] != -want.billed || sums[expense] != want.expense || sums[disputed] != want.billed-want.expense {
		t.Errorf("%s: postings %v", id, e.Postings)
	}
}

// streamWith is a chat stream with the pieces put in at the start, between two events and at the end. What stands between
// « and » in a piece is for the gateway alone.
func streamWith(start, between, end string) string {
	first, rest, _ := strings.Cut(shortStream, ": a comment\n\n")
	return start + first + between + ": a comment\n\n" + rest + end
}

// shown and sent are a stream as the client and the gateway get it.
func shown(stream string) string {
	for {
		before, rest, ok := strings.Cut(stream, "«")
		if !ok {
			return stream
		}
		_, after, _ := strings.Cut(rest, "»")
		stream = before + after
	}
}

func sent(stream string) string { return strings.NewReplacer("«", "", "»", "").Replace(stream) }

// TestBillingOfStreams puts settlements of every sort into streams: none is seen by the client, and those that can be
// believed are booked.
func TestBillingOfStreams(t *testing.T) {
	t.Parallel()
	const usageChunk = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":2}}\n\n"
	withUsage := strings.Replace(shortStream, "data: [DONE]", usageChunk+"data: [DONE]", 1)
	by := func(id string, n int64) billed { return billed{"settlement", n, n, 0, 0, 0, id, ""} }
	estimate := billed{source: "estimate", billed: -1, expense: -1}
	byUsage := billed{"usage", 9, 9, 5, 2, 0, "", ""}
	refused := func(b billed) billed {
		b.flagged = "settlement_refused"
		return b
	}
	rows := map[string]struct {
		stream string
		header []string
		path   string
		want   billed
	}{
		"at the start":        {stream: streamWith("«"+settlesAs("a", 7)+"»", "", ""), want: by("a", 7)},
		"between":             {stream: streamWith("", "«"+settlesAs("a", 7)+"»", ""), want: by("a", 7)},
		"at the end":          {stream: streamWith("", "", "«"+settlesAs("a", 7)+"»"), want: by("a", 7)},
		"last of several":     {stream: streamWith("«"+settlesAs("a", 7)+"»", "«"+settlesAs("b", 8)+"»", "«"+settlesAs("c", 9)+"»"), want: by("c", 9)},
		"headers win":         {header: []string{"Settlement-Id", "h", "Billed-Micros", "6"}, stream: streamWith("", "", "«"+settlesAs("a", 7)+"»"), want: by("h", 6)},
		"headers win early":   {header: []string{"Settlement-Id", "h", "Billed-Micros", "6"}, stream: streamWith("«"+settlesAs("a", 7)+"»", "", ""), want: by("h", 6)},
		"bad headers":         {header: []string{"Settlement-Id", "h", "Billed-Micros", "-6"}, stream: streamWith("", "", "«"+settlesAs("a", 7)+"»"), want: refused(by("a", 7))},
		"absurd headers":      {header: []string{"Settlement-Id", "h", "Billed-Micros", "5000001"}, stream: streamWith("", "", "«"+settlesAs("a", 7)+"»"), want: by("a", 7)},
		"absurd at last":      {stream: streamWith("«"+settlesAs("a", 7)+"»", "", "«"+settlesAs("b", 5_000_001)+"»"), want: billed{"settlement", 7, 7, 0, 0, 0, "a", "settlement_refused"}},
		"bad at last":         {stream: streamWith("«"+settlesAs("a", 7)+"»", "", "«"+settlesAs("b", -1)+"»"), want: refused(by("a", 7))},
		"another id at last":  {stream: streamWith("«"+settlesAs("a", 7)+"»", "", "«event: tokenbuddy.settlement\ndata: {\"settlementId\":\"b\",\"requestId\":\"of another\",\"billedMicros\":8}\n\n»"), want: by("b", 8)},
		"CRLF":                {stream: streamWith("", "«event: tokenbuddy.settlement\r\ndata: {\"settlementId\":\"a\",\"billedMicros\":7}\r\n\r\n»", ""), want: by("a", 7)},
		"CR":                  {stream: streamWith("", "«event: tokenbuddy.settlement\rdata: {\"settlementId\":\"a\",\"billedMicros\":7}\r\r»", ""), want: by("a", 7)},
		"all of it CRLF":      {stream: strings.ReplaceAll(streamWith("", "«"+settlesAs("a", 7)+"»", "«"+settlesAs("b", 8)+"»"), "\n", "\r\n"), want: by("b", 8)},
		"all of it CR":        {stream: strings.ReplaceAll(streamWith("«"+settlesAs("a", 7)+"»", "", ""), "\n", "\r"), want: by("a", 7)},
		"no blanks":           {stream: streamWith("", "«event:tokenbuddy.settlement\ndata:{\"settlementId\":\"a\",\"billedMicros\":7}\n\n»", ""), want: by("a", 7)},
		"event after data":    {stream: streamWith("", "«data: {\"settlementId\":\"a\",\"billedMicros\":7}\nevent: tokenbuddy.settlement\n\n»", ""), want: by("a", 7)},
		"two events":          {stream: streamWith("", "«event: message\ndata: {\"settlementId\":\"a\",\"billedMicros\":7}\nevent: tokenbuddy.settlement\n\n»", ""), want: by("a", 7)},
		"many lines":          {stream: streamWith("", "«event: tokenbuddy.settlement\nid: 5\ndata: {\"settlementId\":\"a\",\ndata: \"billedMicros\"\ndata: :7}\nretry: 1\n\n»", ""), want: by("a", 7)},
		"snake_case":          {stream: streamWith("", "«event: tokenbuddy.settlement\ndata: {\"settlement_id\":\"a\",\"billed_micros\":7,\"prompt_tokens\":3,\"completion_tokens\":2,\"cache_read_tokens\":1,\"balance_micros\":4999993}\n\n»", ""), want: billed{"settlement", 7, 7, 3, 2, 1, "a", ""}},
		"a comment in it":     {stream: streamWith("", "«event: tokenbuddy.settlement\n»: stays\n«data: {\"settlementId\":\"a\",\"billedMicros\":7}\n\n»", ""), want: by("a", 7)},
		"cut at a clean end":  {stream: streamWith("", "", "«event: tokenbuddy.settlement\ndata: {\"settlementId\":\"a\",\"billedMicros\":7}»"), want: by("a", 7)},
		"cut in its data":     {stream: streamWith("", "", "«event: tokenbuddy.settlement\ndata: {\"settlementId\":\"a\",\"bill»"), want: refused(estimate)},
		"not JSON":            {stream: streamWith("", "«event: tokenbuddy.settlement\ndata: nothing\n\n»", ""), want: refused(estimate)},
		"no data":             {stream: streamWith("«event: tokenbuddy.settlement\n\n»", "", ""), want: refused(estimate)},
		"negative":            {stream: streamWith("", "«"+settlesAs("a", -7)+"»", ""), want: refused(estimate)},
		"a fraction":          {stream: streamWith("", "«event: tokenbuddy.settlement\ndata: {\"settlementId\":\"a\",\"billedMicros\":7.5}\n\n»", ""), want: refused(estimate)},
		"a string":            {stream: streamWith("", "«event: tokenbuddy.settlement\ndata: {\"settlementId\":\"a\",\"billedMicros\":\"7\"}\n\n»", ""), want: refused(estimate)},
		"over the credit":     {stream: streamWith("", "«"+settlesAs("a", 5_000_001)+"»", ""), want: refused(estimate)},
		"another name":        {stream: streamWith("", "event: tokenbuddy.settlements\ndata: {\"settlementId\":\"a\",\"billedMicros\":7}\n\n", ""), want: estimate},
		"another case":        {stream: streamWith("", "event: tokenbuddy.Settlement\ndata: {\"settlementId\":\"a\",\"billedMicros\":7}\n\n", ""), want: estimate},
		"two blanks":          {stream: streamWith("", "event:  tokenbuddy.settlement\ndata: {\"settlementId\":\"a\",\"billedMicros\":7}\n\n", ""), want: estimate},
		"another event last":  {stream: streamWith("", "event: tokenbuddy.settlement\ndata: {\"settlementId\":\"a\",\"billedMicros\":7}\nevent: x\n\n", ""), want: estimate},
		"by usage":            {stream: withUsage, want: byUsage},
		"usage and bad":       {stream: withUsage + "«" + settlesAs("a", -1) + "»", want: refused(byUsage)},
		"last usage":          {stream: streamWith("data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":1}}\n\n", usageChunk, ""), want: byUsage},
		"a null usage":        {stream: streamWith("", usageChunk+"data: {\"choices\":[],\"usage\":null}\n\n", ""), want: byUsage},
		"no usage":            {stream: shortStream, want: estimate},
		"settled and usage":   {stream: withUsage + "«" + settlesAs("a", 7) + "»", want: billed{"settlement", 7, 7, 5, 2, 0, "a", ""}},
		"overbilled":          {stream: withUsage + "«" + settlesAs("a", 1000) + "»", want: billed{"settlement", 1000, 9, 5, 2, 0, "a", "overbilled"}},
		"no end but a reason": {stream: strings.TrimSuffix(withUsage, "data: [DONE]\n\n"), want: byUsage},
		"unfinished end":      {stream: strings.TrimSuffix(withUsage, "\n\n"), want: byUsage},
		"a mark of bytes":     {stream: "\ufeff" + withUsage + "«" + settlesAs("a", 7) + "»", want: billed{"settlement", 7, 7, 5, 2, 0, "a", ""}},
		"responses": {path: "/v1/responses", want: billed{"settlement", 7, 7, 4, 2, 1, "a", ""}, stream: responsesStream(
			`{"input_tokens":4,"output_tokens":2,"input_tokens_details":{"cached_tokens":1}}`) + "«" + settlesAs("a", 7) + "»"},
		"responses by usage": {path: "/v1/responses", want: billed{"usage", 8, 8, 4, 2, 1, "", ""}, stream: responsesStream(
			`{"input_tokens":4,"output_tokens":2,"input_tokens_details":{"cached_tokens":1}}`)},
		"messages by usage": {path: "/v1/messages", want: billed{"usage", 10, 10, 13, 3, 10, "", ""}, stream: "«" + settlesAs("a", -1) + "»" + messagesStream(
			`{"input_tokens":3,"cache_read_input_tokens":10,"output_tokens":1}`, `{"output_tokens":3}`)},
		"messages": {path: "/v1/messages", want: billed{"settlement", 7, 7, 3, 3, 0, "a", ""}, stream: messagesStream(
			`{"input_tokens":3,"output_tokens":1}`, `{"output_tokens":3}`) + "«" + settlesAs("a", 7) + "»"},
	}
	s := newStage(t)
	for name, row := range rows {
		s.seller(sellerIDOf(name), settledBy(sayStream(sent(row.stream)), row.header...), priced(name))
	}
	s.open("")
	for name, row := range rows {
		path := row.path
		if path == "" {
			path = "/v1/chat/completions"
		}
		body := chatOf(name, `"stream":true,`)
		a := s.ask(0, "POST", path, body, "X-Request-Id", name)
		if a.body != shown(row.stream) || a.cut != nil {
			t.Errorf("%s: status %d, %v\n got %q\nwant %q", name, a.StatusCode, a.cut, a.body, shown(row.stream))
			continue
		}
		assertBilled(t, s, name, row.want, len(body), len("Hi"))
	}
	s.verify()
}

func responsesStream(usage string) string {
	return "event: response.created\ndata: {\"type\":\"response.created\",\"response\":{\"id\":\"r\"}}\n\n" +
		"event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"delta\":\"Hi\"}\n\n" +
		"event: response.completed\ndata: {\"type\":\"response.completed\",\"response\":{\"id\":\"r\",\"usage\":" + usage + "}}\n\n"
}

func messagesStream(start, delta string) string {
	return "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"m\",\"usage\":" + start + "}}\n\n" +
		"event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n" +
		"event: ping\ndata: {\"type\":\"ping\"}\n\n" +
		"event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"Hi\"}}\n\n" +
		"event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n" +
		"event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":" + delta + "}\n\n" +
		"event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"
}

// TestReplayedSettlement has sellers send one settlement for many requests: it counts once for each seller.
func TestReplayedSettlement(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	again := settledBy(answerPlain, "Settlement-Id", "same", "Billed-Micros", "7")
	s.seller("a", again, priced("a"))
	s.seller("b", again, priced("b"))
	s.seller("streams", sayStream(streamWith("", settlesAs("same", 7), "")), priced("streams"))
	s.seller("both", inTurn(
		sayStream(streamWith("", settlesAs("same", 7), "")),
		sayStream(streamWith(settlesAs("new", 8), settlesAs("same", 7), "")),
		settledBy(sayStream(streamWith("", settlesAs("newer", 9), "")), "Settlement-Id", "same", "Billed-Micros", "7"),
	), priced("both"))
	s.open("")
	plain := billed{"usage", 9, 9, 5, 2, 0, "", ""}
	first := billed{"settlement", 7, 7, 5, 2, 0, "same", ""}
	for i, row := range []struct {
		model string
		want  billed
	}{
		{"a", first},
		{"a", plain},
		{"b", first},
		{"a", plain},
		{"streams", billed{"settlement", 7, 7, 0, 0, 0, "same", ""}},
		{"streams", billed{source: "estimate", billed: -1, expense: -1}},
		{"both", billed{"settlement", 7, 7, 0, 0, 0, "same", ""}},
		{"both", billed{"settlement", 8, 8, 0, 0, 0, "new", "settlement_replayed"}},
		{"both", billed{"settlement", 9, 9, 0, 0, 0, "newer", ""}},
	} {
		id, body := fmt.Sprint("replay ", i), chatOf(row.model, "")
		s.ask(0, "POST", "/v1/chat/completions", body, "X-Request-Id", id)
		assertBilled(t, s, id, row.want, len(body), len("Hi"))
	}
	s.verify()
}

// TestSettlementNamesRequest has settlements name the request as the gateway calls it, and as the client's own body does.
func TestSettlementNamesRequest(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.seller("a", func(w http.ResponseWriter, r *http.Request, body []byte) {
		_, rest, _ := strings.Cut(string(body), `"requestId":"`)
		id, _, _ := strings.Cut(rest, `"`)
		sayStream(shortStream+fmt.Sprintf("event: tokenbuddy.settlement\ndata: {\"settlementId\":%q,\"requestId\":%q,\"billedMicros\":7}\n\n", id, id))(w, r, body)
	}, priced("a"))
	s.open("")
	for id, members := range map[string]string{"ours": "", "theirs": `"requestId":"mine",`} {
		s.infer(id, "a", members)
		if e := s.entryOf(id); e.BilledSource != "settlement" || e.BilledMicros != 7 {
			t.Errorf("%s: booked %+v", id, e)
		}
	}
}

// TestBalances has sellers report what is left on a token: where it differs from the books they follow, but never above
// what was paid.
func TestBalances(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	rows := map[string]struct {
		balance            string
		credit, adjustment int64
	}{
		"same":      {"4999993", 4_999_993, 0},
		"less":      {"4000000", 4_000_000, 999_993},
		"nothing":   {"0", 0, 4_999_993},
		"a-little":  {"4999995", 4_999_995, -2},
		"too-much":  {"9000000", 5_000_000, -7},
		"negative":  {"-1", 4_999_991, 0}, // such a settlement is none
		"no-number": {"much", 4_999_991, 0},
	}
	for name, row := range rows {
		s.seller(name, settledBy(answerPlain, "Settlement-Id", "s", "Billed-Micros", "7", "Balance-Micros", row.balance), priced(name))
	}
	s.seller("streams", sayStream(shortStream+"event: tokenbuddy.settlement\ndata: {\"settlementId\":\"s\",\"billedMicros\":7,\"balanceMicros\":4000000}\n\n"), priced("streams"))
	s.open("")
	for name := range rows {
		s.infer(name, name, "")
		s.entryOf(name)
	}
	s.infer("streams", "streams", `"stream":true,`)
	s.entryOf("streams")
	rows["streams"] = rows["less"]
	balances := s.balances()
	adjusted := make(map[string]int)
	for _, e := range s.entries("adjustment") {
		adjusted[e.Seller]++
	}
	var sum int64
	for _, n := range balances {
		sum += n
	}
	if sum != 0 {
		t.Errorf("the accounts sum to %d", sum)
	}
	for name, row := range rows {
		if balances["credit:"+name] != row.credit || balances["adjustment:"+name] != row.adjustment || (adjusted[name] == 1) != (row.adjustment != 0) {
			t.Errorf("%s: credit %d, adjustment %d in %d entries; want %+v", name, balances["credit:"+name], balances["adjustment:"+name], adjusted[name], row)
		}
	}
	s.verify()
}

// TestCostOfFailure has attempts fail that the seller has charged for: that is waste, and the member bears what served it.
func TestCostOfFailure(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	charged := func(id, micros string) handler {
		return settledBy(sayJSON(500, `{}`), "Settlement-Id", id, "Billed-Micros", micros)
	}
	s.seller("charges", inTurn(charged("s1", "5"), charged("s2", "2000000")), priced("m"))
	s.seller("begins", sayStream(roleOnly), priced("m"))
	s.seller("serves", answerPlain, priced("m"))
	s.open("")
	a := s.infer("r", "m", "")
	if e := s.entryOf("r"); a.StatusCode != 200 || e.Seller != "serves" || e.Attempts != 4 || e.BilledMicros != 9 {
		t.Errorf("status %d, booked %+v", a.StatusCode, e)
	}
	balances := s.balances()
	wasted, disputed := balances["waste:charges"], balances["disputed:charges"] // it was asked twice, and has charged beyond belief once
	if wasted <= 5 || wasted >= 1_000_000 || wasted+disputed != 2_000_005 || balances["credit:charges"] != 2_999_995 {
		t.Errorf("the accounts are %v", balances)
	}
	_, status := s.look("/tokenbuddy/sellers")
	if want := fmt.Sprintf(`"wastedMicros":%d,`, wasted); !strings.Contains(string(status), want) {
		t.Errorf("the sellers have no %s: %s", want, status)
	}
	_, metrics := s.look("/metrics")
	if want := fmt.Sprintf("\ntokenbuddy_wasted_micros_total{seller=\"charges\"} %d\n", wasted); !strings.Contains(string(metrics), want) {
		t.Errorf("the metrics lack %s", want)
	}
	// A good answer's headers came from the second, so that it has cost something, nobody knows what.
	if n := balances["waste:begins"]; n <= 0 || n > 100 {
		t.Errorf("the accounts are %v", balances)
	}
	s.verify()
}
