package e2e

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// TestHostileSellers has sellers send what nobody should. The client gets a good answer or a clean error, nothing of the
// seller's that is not its business, and the gateway lives on.
func TestHostileSellers(t *testing.T) {
	t.Parallel()
	const tooLongToRead = `{"error":{"message":"The seller's own words are not handed on: a key or a token of the gateway's is in them, or may be, as they are too long to be read.",` +
		`"type":"invalid_request_error","param":null,"code":"invalid_request_error"}}`
	deep := strings.Repeat("[", 4<<20-64) + strings.Repeat("]", 4<<20-64)
	type row struct {
		answer handler
		path   string
		next   bool // another seller serves
		status int
		body   string // "": any
	}
	rows := map[string]row{
		"deep answer":            {answer: sayJSON(200, deep), next: true},
		"deep usage":             {answer: sayJSON(200, `{"usage":`+deep+`}`), next: true},
		"deep, never ends":       {answer: sayJSON(200, strings.Repeat(`{"usage":`, 800<<10)), next: true},
		"deep in messages":       {path: "/v1/messages", answer: sayJSON(200, `{"usage":{"input_tokens":`+deep+`}}`), next: true},
		"deep error":             {answer: sayJSON(500, `{"error":`+deep+`}`), next: true},
		"deep funds":             {answer: sayJSON(403, `{"error":{"code":`+deep+`}}`), next: true},
		"deep event":             {answer: sayStream("data: " + strings.Repeat("[", 900<<10) + "\n\n" + shortStream), status: 200, body: "data: " + strings.Repeat("[", 900<<10) + "\n\n" + shortStream},
		"deep settlement":        {answer: sayStream("event: tokenbuddy.settlement\ndata: " + strings.Repeat(`{"a":`, 200<<10) + "\n\n" + shortStream), status: 200, body: shortStream},
		"a long line":            {answer: sayStream("data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"" + strings.Repeat("x", 3<<20) + "\"}}]}\n\n" + shortStream), status: 200, body: "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"" + strings.Repeat("x", 3<<20) + "\"}}]}\n\n" + shortStream},
		"a long error":           {answer: sayJSON(500, `"`+strings.Repeat("x", 30<<20)+`"`), next: true},
		"a 400":                  {answer: sayJSON(400, `"`+strings.Repeat("x", 6<<20)+`"`), status: 400, body: `"` + strings.Repeat("x", 6<<20) + `"`},
		"a long 400":             {answer: sayJSON(400, `"`+strings.Repeat("x", 20<<20)+`"`), status: 400, body: tooLongToRead},
		"a stream of embeddings": {path: "/v1/embeddings", answer: sayStream(shortStream), status: 200, body: shortStream},
		"a stream of a count":    {path: "/v1/messages/count_tokens", answer: sayStream(messagesStream("{}", "{}")), status: 200, body: messagesStream("{}", "{}")},
		"nulls":                  {answer: sayJSON(200, "\x00\x00"), next: true},
		"no UTF-8":               {answer: sayStream("data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"\xff\xfe\"}}]}\n\n" + shortStream), status: 200, body: "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"\xff\xfe\"}}]}\n\n" + shortStream},
		"headers too large": {next: true, answer: func(w http.ResponseWriter, r *http.Request, body []byte) {
			w.Header().Set("OpenAI-Version", strings.Repeat("x", 4<<20))
			answerPlain(w, r, body)
		}},
		"early hints": {status: 200, body: plainAnswer, answer: func(w http.ResponseWriter, r *http.Request, body []byte) {
			w.Header().Set("Link", "<evil>")
			w.WriteHeader(http.StatusEarlyHints)
			answerPlain(w, r, body)
		}},
		"trailers": {status: 200, body: plainAnswer, answer: func(w http.ResponseWriter, r *http.Request, body []byte) {
			w.Header().Set("Trailer", "X-TokenBuddy-Billed-Micros, Set-Cookie")
			answerPlain(w, r, body)
			w.(http.Flusher).Flush()
			w.Header().Set("X-TokenBuddy-Billed-Micros", "1")
			w.Header().Set("Set-Cookie", "a=1")
			w.Header().Set(http.TrailerPrefix+"X-TokenBuddy-Seller", "evil")
		}},
		"no HTTP":     {next: true, answer: raw("SSH-2.0-x\r\n\r\n")},
		"two lengths": {next: true, answer: raw("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!")},
		"too short":   {next: true, answer: raw("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{\"id\":1}")},
		"switching":   {next: true, answer: raw("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n")},
		"status 999":  {next: true, answer: raw("HTTP/1.1 999 Odd\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nno")},
		"a broken id": {path: "/v1/responses", answer: sayJSON(200, `{"id":"`+strings.Repeat("x", 379)+`\u","output":[]}`), next: true},
		"no content":  {answer: raw("HTTP/1.1 204 No Content\r\n\r\n"), next: true},
		"compressed twice": {next: true, answer: settledBy(func(w http.ResponseWriter, r *http.Request, body []byte) {
			w.Header().Add("Content-Encoding", "identity")
			w.Header().Add("Content-Encoding", "br")
			answerPlain(w, r, body)
		})},
		"not compressed": {status: 200, body: plainAnswer, answer: func(w http.ResponseWriter, r *http.Request, body []byte) {
			w.Header().Set("Content-Encoding", "identity")
			answerPlain(w, r, body)
		}},
	}
	longEvent := `{"type":"response.created","response":{"id":"` + strings.Repeat("x", 27) + `\u","x":"` + strings.Repeat("x", 2<<20) + `"}}`
	brokenID := event("response.created", longEvent) + speechOf("/v1/responses").end
	rows["a broken id in an event"] = row{path: "/v1/responses", answer: sayStream(brokenID), status: 200, body: brokenID}
	s := newStage(t)
	for name, row := range rows {
		s.seller(sellerIDOf(name), row.answer, priced(name))
		good := answerPlain
		s.seller("then-"+sellerIDOf(name), good, priced(name))
	}
	s.open("")
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			path := row.path
			if path == "" {
				path = "/v1/chat/completions"
			}
			a := s.ask(0, "POST", path, chatOf(name, ""), "X-Request-Id", name)
			status, body, seller := row.status, row.body, sellerIDOf(name)
			if row.next {
				status, body, seller = 200, plainAnswer, "then-"+seller
			}
			if a.StatusCode != status || body != "" && a.body != body || a.cut != nil || a.Header.Get("X-TokenBuddy-Seller") != seller {
				t.Errorf("status %d by %s, %v, %d bytes: %.200q", a.StatusCode, a.Header.Get("X-TokenBuddy-Seller"), a.cut, len(a.body), a.body)
			}
			if len(a.Trailer) != 0 || a.Header.Get("Set-Cookie") != "" || a.Header.Get("Content-Encoding") != "" {
				t.Errorf("headers %v, trailers %v", a.Header, a.Trailer)
			}
			s.entryOf(name)
		})
	}
	s.verify()
}

// raw answers with bytes of its own on the connection, and closes it.
func raw(answer string) handler {
	return func(w http.ResponseWriter, _ *http.Request, _ []byte) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		_, _ = io.WriteString(conn, answer)
		_ = conn.Close()
	}
}

// TestHostileRequests has clients send what nobody should, and in ways that are rare.
func TestHostileRequests(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	seller := s.seller("acme", answerPlain, priced("m"))
	s.open("\t\tmax_body 8MiB\n")
	deep := strings.Repeat("[", 3<<20) + strings.Repeat("]", 3<<20)
	for name, row := range map[string]struct {
		body   string
		status int
	}{
		"deep":            {`{"model":"m","x":` + deep + `}`, 400},
		"deep, no end":    {`{"model":"m","x":` + strings.Repeat("[", 7<<20), 400},
		"deep objects":    {strings.Repeat(`{"model":`, 500<<10), 400},
		"many members":    {`{"model":"m"` + strings.Repeat(`,"a":1`, 900<<10) + `}`, 200},
		"a long name":     {`{"` + strings.Repeat("model", 1<<20) + `":1,"model":"m"}`, 200},
		"a long model":    {`{"model":"` + strings.Repeat("m", 7<<20) + `"}`, 400},
		"a huge limit":    {`{"model":"m","max_tokens":9223372036854775807,"n":9223372036854775807}`, 200},
		"too huge":        {`{"model":"m","max_tokens":99999999999999999999}`, 400},
		"negative":        {`{"model":"m","max_tokens":-2}`, 400},
		"stream in words": {`{"model":"m","stream":"true"}`, 400},
		"a control":       {"{\"model\":\"m\",\"x\":\"\x01\"}", 400},
		"a NUL":           {"{\"model\":\"m\"}\x00", 400},
	} {
		for _, chunked := range []bool{false, true} {
			req, err := http.NewRequestWithContext(context.Background(), "POST", s.url("/v1/chat/completions"), strings.NewReader(row.body))
			if err != nil {
				t.Fatal(err)
			}
			if chunked {
				req.ContentLength, req.Body = -1, io.NopCloser(req.Body)
			}
			req.Header.Set("Content-Type", "text/plain")
			req.Header.Set("Expect", "100-continue")
			req.Header.Set("X-Request-Id", "r")
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			answer, _ := io.ReadAll(res.Body)
			_ = res.Body.Close()
			if res.StatusCode != row.status {
				t.Errorf("%s, chunked %t: status %d: %.200s", name, chunked, res.StatusCode, answer)
			}
			if asked := seller.inferences(); row.status == 200 && string(asked[len(asked)-1].Body) != `{"requestId":"r",`+row.body[1:] {
				t.Errorf("%s: the body has changed", name)
			}
		}
	}
	for _, query := range []string{"?%zz", "?a;b|c", "?a=b?c=d", "?a=%00"} {
		s.ask(0, "POST", "/v1/chat/completions"+query, chatBody)
		if asked := seller.inferences(); "?"+asked[len(asked)-1].RawQuery != query {
			t.Errorf("the query %s came as %s", query, asked[len(asked)-1].RawQuery)
		}
	}
	s.verify()
}

// TestConnectionsThatLieIdle has a seller close its idle connections between two requests: nobody is to notice.
func TestConnectionsThatLieIdle(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	seller := s.seller("acme", answerPlain, priced("m"))
	s.open("")
	for i := range 5 {
		a := s.infer(fmt.Sprint("idle ", i), "m", "")
		if a.StatusCode != 200 || a.Header.Get("X-TokenBuddy-Attempts") != "1" {
			t.Errorf("request %d: status %d after %s attempts", i, a.StatusCode, a.Header.Get("X-TokenBuddy-Attempts"))
		}
		seller.CloseClientConnections()
	}
	s.verify()
}
