package clawtip_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/seller/acceptance"
	"github.com/tokenbuddy/caddy-tokenbuddy/seller/acceptance/clawtip"
)

type vectors struct {
	Credentials []struct{ Name, PayCredential, Expect string }
	Indicator   string
	Order       struct {
		EncryptedData string `json:"encrypted_data"`
	}
	Slug, SM4KeyBase64 string
}

func readVectors(t *testing.T) (v vectors) {
	t.Helper()
	data, err := os.ReadFile("../../../../shared/payments/clawtip-sm4.json")
	if os.IsNotExist(err) {
		t.Skip("the vectors are not beside this checkout")
	}
	if err != nil || json.Unmarshal(data, &v) != nil || len(v.Credentials) != 9 {
		t.Fatalf("%d credentials, %v", len(v.Credentials), err)
	}
	return v
}

func load(t *testing.T, key, words string) (*clawtip.Acceptance, error) {
	t.Helper()
	t.Setenv("CLAWTIP_TEST_KEY", key)
	a := new(clawtip.Acceptance)
	if err := a.UnmarshalCaddyfile(caddyfile.NewTestDispenser("clawtip {\n" + words + "\n}")); err != nil {
		return nil, err
	}
	return a, a.Provision(caddy.Context{})
}

const words = "pay_to payto_throwaway_0001\nsm4_key {env.CLAWTIP_TEST_KEY}\nslug tokenbuddy-test-seller"

// TestVectors offers the order of the vectors, to the byte, and looks at each of their credentials.
func TestVectors(t *testing.T) {
	v := readVectors(t)
	a, err := load(t, v.SM4KeyBase64, words)
	if err != nil {
		t.Fatal(err)
	}
	o := acceptance.Order{PurchaseID: "p", OrderID: "202611270001", AmountMicros: 5 * money.USD}
	if o.Payment, err = a.Offer(o); err != nil {
		t.Fatal(err)
	}
	want := `{"order_no":"202611270001","amount":3550,"pay_to":"payto_throwaway_0001","encrypted_data":"` + v.Order.EncryptedData +
		`","indicator":"` + v.Indicator + `","slug":"` + v.Slug + `"}`
	if string(o.Payment) != want {
		t.Errorf("offered\n%s\nwant\n%s", o.Payment, want)
	}
	for name, want := range map[string]acceptance.Kind{
		"success": acceptance.KindPaid,
		"success, amount a number, no finishTime": acceptance.KindPaid,
		"processing":            acceptance.KindNotYet,
		"fail":                  acceptance.KindRefused,
		"error":                 acceptance.KindRefused,
		"less was paid":         acceptance.KindRefused,
		"paid to somebody else": acceptance.KindRefused,
		"of another order":      acceptance.KindOtherOrder,
		"cut":                   acceptance.KindRefused,
	} {
		found := false
		for _, c := range v.Credentials {
			if c.Name != name {
				continue
			}
			found = true
			proof, err := json.Marshal(map[string]string{"payCredential": c.PayCredential})
			if err != nil {
				t.Fatal(err)
			}
			got := a.Accept(o, proof)
			if got.Kind != want || (got.Kind == acceptance.KindPaid) != (got.Reference == "202611270001") || (got.Reason == "") != (got.Kind == acceptance.KindPaid) {
				t.Errorf("%s: %+v", name, got)
			}
			// What the vectors say in words must be what stands here.
			if granted := c.Expect == "grant"; granted != (got.Kind == acceptance.KindPaid) || strings.HasPrefix(c.Expect, "not yet") != (got.Kind == acceptance.KindNotYet) {
				t.Errorf("%s: %+v, and the vectors say %q", name, got, c.Expect)
			}
		}
		if !found {
			t.Errorf("%s is not in the vectors", name)
		}
	}
}

// TestUnreadable: what is no credential is refused. What may be one, of another key, is not known to be unpaid.
func TestUnreadable(t *testing.T) {
	v := readVectors(t)
	a, err := load(t, "AAECAwQFBgcICQoLDA0ODw==", words)
	if err != nil {
		t.Fatal(err)
	}
	o := acceptance.Order{PurchaseID: "p", OrderID: "202611270001", AmountMicros: 5 * money.USD}
	if o.Payment, err = a.Offer(o); err != nil {
		t.Fatal(err)
	}
	for proof, want := range map[string]acceptance.Kind{
		`{}`: acceptance.KindRefused, `[]`: acceptance.KindRefused, `"x"`: acceptance.KindRefused, `{"payCredential":""}`: acceptance.KindRefused,
		`{"payCredential":7}`: acceptance.KindRefused, `{"payCredential":"%%%"}`: acceptance.KindRefused, `{"payCredential":"QUJD"}`: acceptance.KindRefused,
		`{"payCredential":"` + v.Credentials[0].PayCredential + `"}`:  acceptance.KindNotYet,
		`{"pay_credential":"` + v.Credentials[0].PayCredential + `"}`: acceptance.KindNotYet,
		`{"payCredential":"AAAAAAAAAAAAAAAAAAAAAA=="}`:                acceptance.KindNotYet,
	} {
		if got := a.Accept(o, json.RawMessage(proof)); got.Kind != want {
			t.Errorf("%s: %+v", proof, got)
		}
	}
	// The order that is sealed says nothing about having been paid.
	var offered struct {
		EncryptedData string `json:"encrypted_data"`
	}
	if err := json.Unmarshal(o.Payment, &offered); err != nil {
		t.Fatal(err)
	}
	if got := a.Accept(o, json.RawMessage(`{"payCredential":"`+offered.EncryptedData+`"}`)); got.Kind != acceptance.KindNotYet {
		t.Errorf("the order as its own credential: %+v", got)
	}
	o.Payment = json.RawMessage(`{}`)
	if got := a.Accept(o, json.RawMessage(`{"payCredential":"`+v.Credentials[0].PayCredential+`"}`)); got.Kind != acceptance.KindRefused {
		t.Errorf("an order of another method: %+v", got)
	}
}

func TestAmounts(t *testing.T) {
	for _, tc := range []struct {
		rate   string
		amount money.Micros
		fen    string // "": none
	}{
		{"7.1", money.USD, "710"},
		{"7.1", 1, "1"},
		{"7.123456", money.USD, "713"},
		{"0.000001", money.USD, "1"},
		{"1000", 100 * money.USD, "10000000"},
		{"7.1", 0, ""},
		{"1000", 1<<63 - 1, "922337203685477581"},
	} {
		a, err := load(t, "AAECAwQFBgcICQoLDA0ODw==", words+"\nrate "+tc.rate)
		if err != nil {
			t.Fatal(err)
		}
		got, err := a.Offer(acceptance.Order{OrderID: "o_1", AmountMicros: tc.amount})
		if (err == nil) != (tc.fen != "") || err == nil && !strings.Contains(string(got), `"amount":`+tc.fen+`,`) {
			t.Errorf("%d at %s: %s, %v", tc.amount, tc.rate, got, err)
		}
	}
}

func TestConfigRefused(t *testing.T) {
	const key = "AAECAwQFBgcICQoLDA0ODw=="
	for _, tc := range []struct{ key, from, to, want string }{
		{key, "pay_to payto_throwaway_0001", "", "pay_to: expected"},
		{key, "payto_throwaway_0001", "../x", "pay_to: expected"},
		{key, "slug tokenbuddy-test-seller", "", "slug: expected"},
		{key, "tokenbuddy-test-seller", "a/b", "slug: expected"},
		{key, "sm4_key {env.CLAWTIP_TEST_KEY}", "", "sm4_key: expected a placeholder"},
		{key, "{env.CLAWTIP_TEST_KEY}", key, "sm4_key: expected a placeholder"},
		{key, "{env.CLAWTIP_TEST_KEY}", "{env.CLAWTIP_TEST_NOT_SET}", "unknown or empty"},
		{"hunter2", "", "", "not 16 bytes in base64"},
		{"aHVudGVyMg==", "", "", "not 16 bytes in base64"},
		{key, "slug", "rate 0\nslug", "rate: expected"},
		{key, "slug", "rate 1001\nslug", "rate: expected"},
		{key, "slug", "rate 7.1\nrate 7.2\nslug", "there twice"},
		{key, "slug", "rate 7.1 3%\nslug", `2 words stand after it: expected "rate <yuan>"`},
		{key, "slug", "gas 1\nslug", "unknown word"},
	} {
		_, err := load(t, tc.key, strings.Replace(words, tc.from, tc.to, 1))
		if err == nil || !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), key) {
			t.Errorf("%q -> %q: %v; want %q", tc.from, tc.to, err, tc.want)
		}
	}
}
