package x402_test

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"strings"
	"testing"
)

const transaction = "0x16952f13b572451cb8a15a18e9bf38e94b6e68ae0f0b3001e6a60cd830814eb1"

// A receipt is a stranger's: what is kept of it is a transaction of this payment, and nothing that only looks like one.
func TestReceipt(t *testing.T) {
	m := mustLoad(t, "key {env.X402_TEST_WALLET}\nnetwork "+sepolia+"\ndaily_limit 20")
	q := quote(requirement(nil))
	intent, err := m.Prepare(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	says := func(change map[string]string) string {
		members := map[string]string{
			"success": "true", "payer": `"` + wallet + `"`, "transaction": `"` + transaction + `"`, "network": `"` + sepolia + `"`,
		}
		maps.Copy(members, change)
		raw := map[string]json.RawMessage{}
		for k, v := range members {
			if v != "" {
				raw[k] = json.RawMessage(v)
			}
		}
		text, err := json.Marshal(raw)
		if err != nil {
			t.Fatal(err)
		}
		return base64.StdEncoding.EncodeToString(text)
	}
	for name, c := range map[string]struct {
		header string
		kept   bool
	}{
		"as stock sellers send it":      {says(nil), true},
		"without a payer":               {says(map[string]string{"payer": ""}), true},
		"more members":                  {says(map[string]string{"extensions": `{"a":["b"]}`, "amount": `"1"`}), true},
		"large digits":                  {says(map[string]string{"transaction": `"0x` + strings.ToUpper(transaction[2:]) + `"`}), true},
		"none":                          {"", false},
		"not base64":                    {"{}", false},
		"not JSON":                      {base64.StdEncoding.EncodeToString([]byte("<h1>")), false},
		"a list":                        {base64.StdEncoding.EncodeToString([]byte("[]")), false},
		"no success":                    {says(map[string]string{"success": "false"}), false},
		"success is a text":             {says(map[string]string{"success": `"true"`}), false},
		"it does not say":               {says(map[string]string{"success": ""}), false},
		"no transaction":                {says(map[string]string{"transaction": `""`}), false},
		"a null transaction":            {says(map[string]string{"transaction": "null"}), false},
		"the transaction is a number":   {says(map[string]string{"transaction": "1"}), false},
		"the transaction is all zeros":  {says(map[string]string{"transaction": `"0x` + strings.Repeat("0", 64) + `"`}), false},
		"the transaction is short":      {says(map[string]string{"transaction": `"0x1234"`}), false},
		"the transaction is long":       {says(map[string]string{"transaction": `"` + transaction + `00"`}), false},
		"the transaction is a link":     {says(map[string]string{"transaction": `"https://pay.example/now"`}), false},
		"the transaction moves cursors": {says(map[string]string{"transaction": `"\u001b[2J` + transaction + `"`}), false},
		"another network":               {says(map[string]string{"network": `"` + base + `"`}), false},
		"no network":                    {says(map[string]string{"network": ""}), false},
		"another payer":                 {says(map[string]string{"payer": `"` + payee + `"`}), false},
		"a payer that is none":          {says(map[string]string{"payer": `"me"`}), false},
		"too long":                      {says(map[string]string{"padding": `"` + strings.Repeat("x", 8<<10) + `"`}), false},
	} {
		got := m.Receipt(q, intent, http.Header{"Payment-Response": {c.header}})
		if want := map[bool]string{true: transaction}[c.kept]; got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if got := m.Receipt(q, json.RawMessage(`{}`), http.Header{"Payment-Response": {says(nil)}}); got != "" {
		t.Errorf("without an intent: %q", got)
	}
	if got := m.Receipt(q, intent, nil); got != "" {
		t.Errorf("without headers: %q", got)
	}
}
