package clawtip_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/payment"
)

func TestConfigRefused(t *testing.T) {
	for block, words := range map[string]string{
		"":                                  "rate is missing",
		"rate":                              "something is missing",
		"rate seven":                        "expected the yuan for a dollar",
		"rate 0":                            "expected the yuan for a dollar",
		"rate 7.12 3":                       "such as 3%",
		"rate 7.12 51%":                     "such as 3%",
		"rate 7.12 3% 4":                    "3 words stand after it",
		"rate {env.CLAWTIP_TEST_NOT_SET}":   "rate:",
		"rate 7.12\norders relative/path":   "expected an absolute path",
		"rate 7.12\nmax_payment 36.555":     "at most two decimals",
		"rate 7.12\nmax_payment 0":          "at most two decimals",
		"rate 7.12\nrun /bin/true":          "max_payment is missing",
		"rate 7.12\nrun /bin/true {amount}": "no placeholders but {order_no} and {indicator}",
		"rate 7.12\nmax_payment 36\nrun clawtip pay --order-no {order_no}": "absolute path",
		"rate 7.12\nmax_payment 36\nrun /no/such/program":                  "no such file",
		"rate 7.12\npayee acme":                                            "something is missing",
		"rate 7.12\npayee acme \"a b\"":                                    "as sellers name them",
		"rate 7.12\npayee -acme acct":                                      "is no seller's id",
		"rate 7.12\ncap 5":                                                 "unknown word",
		"rate 7.12\nrate 7.12":                                             "rate is there twice",
	} {
		if _, err := load(t, block); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%s: %v; want %q", block, err, words)
		}
	}
}

func TestRateFromFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cny")
	if err := os.WriteFile(path, []byte("7.10\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	m, err := load(t, "orders "+t.TempDir()+"\nrate {file."+path+"}")
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Check(quote(nil), 5*money.USD); err != nil {
		t.Error(err) // 5 × 7.10 is 35.50
	}
	if err := m.Check(quote(map[string]string{"amount": "3551"}), 5*money.USD); err == nil {
		t.Error("a fen more than the rate allows")
	}
}

func TestPayee(t *testing.T) {
	m, _ := method(t, "payee pinned payto_throwaway_0001")
	q := quote(nil)
	if got := m.Payee(q); got != "payto_throwaway_0001" {
		t.Errorf("payee %q", got)
	}
	q.SellerID = "pinned"
	if got := m.Payee(q); got != "" {
		t.Errorf("payee %q is to be kept, and the operator has named it", got)
	}
}

func FuzzCheck(f *testing.F) {
	f.Add([]byte(order(nil)))
	f.Add([]byte(`{"order_no":"1","amount":"1","pay_to":"a","encrypted_data":"AAAA","indicator":"0cc175b9c0f1b6a831c399e269772661","slug":"a"}`))
	m, orders := method(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		q := quote(nil)
		q.Payment = b
		if !json.Valid(b) || m.Check(q, 5*money.USD) != nil {
			return
		}
		intent, err := m.Prepare(t.Context(), q)
		if err != nil {
			return
		}
		if o, err := m.Pay(t.Context(), q, intent); err != nil || o.Kind != payment.OutcomeNeedsHuman {
			t.Fatalf("%+v, %v", o, err)
		}
		m.Ended(q, intent)
		if left, _ := filepath.Glob(filepath.Dir(orders) + "/*"); len(left) > 1 {
			t.Fatalf("files outside of the folder: %v", left)
		}
	})
}
