package gateway

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// TestErrorWithoutMemory: what is to be done goes by what an error says, also where its seller's client holds all the memory that it may have.
func TestErrorWithoutMemory(t *testing.T) {
	before := memory
	t.Cleanup(func() { memory = before })
	for name, row := range map[string]struct {
		error  http.HandlerFunc
		status int
		says   string
	}{
		"spent credit":     {says(400, `{"error":{"code":"insufficient_quota","message":"our account"}}`), 200, "Hi"},
		"another's answer": {says(400, `{"error":{"code":"invalid_encrypted_content","message":"x"}}`), 200, "Hi"},
		"a key":            {says(400, `{"error":{"message":"no key sk-0123456789 here"}}`), 400, "not handed on"},
	} {
		t.Run(name, func(t *testing.T) {
			memory = newPool(1 << 20)
			w := openWay(t, `"sellers":[`+strings.Replace(pinned(t, "a", "m", func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				s := memory.enter("anonymous")
				defer s.leave()
				all := s.most() - s.held.Load()
				if err := s.take(all); err != nil {
					t.Error(err)
				}
				t.Cleanup(func() { s.give(all) })
				row.error(w, r)
			}), `"k"`, `"sk-0123456789"`, 1)+`,`+pinned(t, "b", "m", says(200, good))+`]`)
			if res := w.ask(chat); res.Code != row.status || !strings.Contains(res.Body.String(), row.says) {
				t.Errorf("status %d: %s", res.Code, res.Body)
			}
			w.booked()
		})
	}
}
