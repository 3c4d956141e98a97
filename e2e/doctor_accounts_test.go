package e2e

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
)

// TestDoctorOfAccounts has the doctor tell of accounts that providers refuse, of a list of models that can't be read, and of a file of a key
// that is gone. Users feel the first two, and all of the team the last, at the next start.
func TestDoctorOfAccounts(t *testing.T) {
	t.Parallel()
	var mended atomic.Bool
	refuses := func(status int, refusal string) handler {
		return func(w http.ResponseWriter, r *http.Request, body []byte) {
			switch {
			case !mended.Load():
				sayJSON(status, refusal)(w, r, body)
			case r.Method == http.MethodGet:
				sayJSON(http.StatusOK, `{"data":[{"id":"listed"}]}`)(w, r, body)
			default:
				sayJSON(http.StatusOK, completion(`{"prompt_tokens":2,"completion_tokens":5}`))(w, r, body)
			}
		}
	}
	s := newStage(t)
	s.seller("bought", sayJSON(http.StatusUnauthorized, `{"error":{"message":"no"}}`), priced("bought"))
	var pins strings.Builder
	for id, answer := range map[string]handler{
		"locked":    refuses(http.StatusUnauthorized, `{"error":{"message":"bad key"}}`),
		"broke":     refuses(http.StatusTooManyRequests, `{"error":{"message":"You exceeded your current quota","type":"insufficient_quota","code":"insufficient_quota"}}`),
		"forbidden": refuses(http.StatusForbidden, `{"error":{"message":"not this one"}}`),
		"closed":    refuses(http.StatusUnauthorized, `{"error":{"message":"bad key"}}`),
	} {
		fmt.Fprintf(&pins, "seller %s %s {\n api_key %s\n", id, newProvider(t, answer).URL, providerKey)
		if id == "closed" {
			pins.WriteString(" models from /v1/models\n}\n")
		} else {
			fmt.Fprintf(&pins, " price %s 1 2\n}\n", id)
		}
	}
	file := filepath.Join(t.TempDir(), "key")
	key := "sk-of-the-bot-1234"
	if err := os.WriteFile(file, []byte(key), 0o600); err != nil {
		t.Fatal(err)
	}
	s.open(pins.String() + "member bot {\n key {file." + file + "}\n}\n")
	ask := func(model string) int {
		t.Helper()
		return s.ask(0, http.MethodPost, "/v1/chat/completions", chatOf(model, ""), "Authorization", "Bearer "+key).StatusCode
	}
	for _, model := range []string{"bought", "locked", "broke", "forbidden", "listed"} {
		if status := ask(model); status < 400 {
			t.Fatalf("%s: %d", model, status)
		}
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the file is missed", func() bool { return s.log.has("secrets.refused") })
	if status := ask("locked"); status != http.StatusBadGateway {
		t.Errorf("locked: %d", status)
	}
	out := s.bad("something is wrong", "doctor", "--address", s.admin)
	for _, want := range []string{
		`(?m)^WRONG  Seller locked \(http://[0-9.:]+\) does not take the key of the account there: it answers 401, and has served nothing since \d{4}-\S+ \S+ UTC\.\n +See to api_key`,
		`(?m)^WRONG  Seller broke \(http://[0-9.:]+\) says that no money is left on the account there: it answers 429, `,
		`(?m)^note   Seller forbidden \(http://[0-9.:]+\) forbids the account there something: it answers 403, `,
		`(?m)^WRONG  The list of models of seller closed can't be read: seller closed answers 401 where its list of models should be\.\n`,
		`(?m)^WRONG  A file of a secret can't be used: member bot key: placeholder \{file\.` + regexp.QuoteMeta(file) + `\} is empty: `,
	} {
		if !regexp.MustCompile(want).MatchString(out) {
			t.Errorf("the doctor does not say %s:\n%s", want, out)
		}
	}
	if strings.Contains(out, "Seller bought (") {
		t.Errorf("tokens come and go, and the doctor says\n%s", out)
	}

	if out := s.good("sellers", "--address", s.admin); strings.Count(out, "refuses the account there (") != 3 {
		t.Errorf("sellers:\n%s", out)
	}

	mended.Store(true)
	if err := os.WriteFile(file, []byte(key), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, model := range []string{"locked", "broke", "forbidden"} {
		if status := ask(model); status != http.StatusOK {
			t.Errorf("%s, mended: %d", model, status)
		}
	}
	eventually(t, "all is as it should be", func() bool {
		_, out, _ := s.says("doctor", "--address", s.admin)
		return !regexp.MustCompile(`the account there|The list of models|A file of a secret`).MatchString(out)
	})
	if status := ask("listed"); status != http.StatusOK {
		t.Errorf("listed, mended: %d", status)
	}
}

// TestDoctorOfAddresses has a registry name a seller in a private network that the config does not allow, which is what a first try often
// comes to.
func TestDoctorOfAddresses(t *testing.T) {
	t.Parallel()
	acme := newSeller(t, "acme", answerPlain)
	body := "\t\tregistry " + registryOf(t, []string{"m"}, acme).URL + "\n\t\tpayment mock\n"
	c := newCaddy(t, body)
	c.start()
	if res, body := c.post("/v1/chat/completions", chatOf("m", "")); res.StatusCode != http.StatusServiceUnavailable {
		t.Fatalf("status %d: %s", res.StatusCode, body)
	}
	out := c.bad("something is wrong", "doctor", "--address", c.admin)
	if want := regexp.MustCompile(`(?m)^WRONG  Nobody can serve model m now: seller acme stands at an address that is refused .*\.\n.* name that in seller_networks`); !want.MatchString(out) {
		t.Errorf("the doctor says\n%s", out)
	}
	c.configure(body + "\t\tseller_networks 127.0.0.0/8\n")
	c.reload()
	if res, body := c.post("/v1/chat/completions", chatOf("m", "")); res.StatusCode != http.StatusOK {
		t.Errorf("status %d: %s", res.StatusCode, body)
	}
	if out := c.good("doctor", "--address", c.admin); strings.Contains(out, "an address that is refused") {
		t.Errorf("the doctor says\n%s", out)
	}
}

// TestDoctorOfAccountsAlone: a limit on purchases is nothing to a gateway that buys nothing, however low it is.
func TestDoctorOfAccountsAlone(t *testing.T) {
	t.Parallel()
	own := newProvider(t, sayJSON(http.StatusOK, completion(`{"prompt_tokens":2,"completion_tokens":5}`)))
	c := newCaddy(t, fmt.Sprintf("\t\tseller own %s {\n\t\t\tapi_key %s\n\t\t\tprice m 1 2\n\t\t}\n\t\tpurchase {\n\t\t\tdaily_limit 1\n\t\t}\n", own.URL, providerKey))
	c.start()
	if res, body := c.post("/v1/chat/completions", chatOf("m", "")); res.StatusCode != http.StatusOK {
		t.Fatalf("status %d: %s", res.StatusCode, body)
	}
	if out := c.good("doctor", "--address", c.admin); strings.Contains(out, "daily_limit") {
		t.Errorf("the doctor says\n%s", out)
	}
}
