//go:build unix

package clawtip_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tokenbuddy/caddy-tokenbuddy/payment"
	"github.com/tokenbuddy/caddy-tokenbuddy/payment/clawtip"
)

// rail is a stand-in for the rail's program: it says what its script says, and can write a credential.
func rail(t *testing.T, script string) (m *clawtip.Method, orders, count string) {
	t.Helper()
	dir := t.TempDir()
	orders, count = filepath.Join(dir, "orders"), filepath.Join(dir, "count")
	text := "#!/bin/sh\necho \"$*\" >> " + count + "\nfile=" + orders + "/$5/$3.json\n" +
		"put() { sed -i \"s/^{/{\\\"payCredential\\\": \\\"$1\\\",/\" \"$file\"; }\n" + script
	path := filepath.Join(dir, "clawtip")
	if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	m, err := load(t, "orders "+orders+"\nrate 7.12 3%\nmax_payment 36\nrun "+path+" pay --order-no {order_no} --indicator {indicator} --skill-version 1.0.4")
	if err != nil {
		t.Fatal(err)
	}
	return m, orders, count
}

func TestProgram(t *testing.T) {
	link := "https://pay.jd.com/auth?order=1"
	for name, tc := range map[string]struct {
		script string
		kind   payment.OutcomeKind
		link   string
		failed bool // Pay knows nothing
	}{
		"paid":                     {script: `put QUJD; echo "支付凭证: QUJD"`, kind: payment.OutcomeProven},
		"paid, exit 1":             {script: `put QUJD; echo "支付凭证: QUJD"; exit 1`, kind: payment.OutcomeProven},
		"said, not written":        {script: `echo "支付凭证: QUJD"`, failed: true},
		"rail down":                {script: `echo "网络或系统异常: 500"`, failed: true},
		"nothing":                  {script: ``, failed: true},
		"authorise":                {script: `echo "支付状态: 失败"; echo "授权链接: ` + link + `"`, kind: payment.OutcomeNeedsHuman, link: link},
		"authorise, wide colon":    {script: `echo "支付状态：失败"; echo "授权链接：` + link + ` 请扫码"`, kind: payment.OutcomeNeedsHuman, link: link},
		"prove who he is":          {script: `echo "支付状态: 处理中"; echo "鉴权链接: ` + link + `"`, kind: payment.OutcomeNeedsHuman, link: link},
		"link beside a credential": {script: `put RkFJTA==; echo "支付凭证: RkFJTA=="; echo "支付状态: 失败"; echo "授权链接: ` + link + `"`, kind: payment.OutcomeNeedsHuman, link: link},
		"link of another host":     {script: `echo "授权链接: https://evil.example/jd.com"`, kind: payment.OutcomeNeedsHuman},
		"link that looks like it":  {script: `echo "授权链接: https://notjd.com/"`, kind: payment.OutcomeNeedsHuman},
		"link with a user":         {script: `echo "授权链接: https://jd.com@evil.example/"`, kind: payment.OutcomeNeedsHuman},
		"link without TLS":         {script: `echo "授权链接: http://jd.com/"`, kind: payment.OutcomeNeedsHuman},
		"link, script":             {script: `echo "授权链接: javascript:alert(1)"`, kind: payment.OutcomeNeedsHuman},
		"ended by a signal":        {script: `kill -9 $$`, failed: true},
	} {
		t.Run(name, func(t *testing.T) {
			m, _, count := rail(t, tc.script)
			q := quote(nil)
			intent, err := m.Prepare(t.Context(), q)
			if err != nil {
				t.Fatal(err)
			}
			o, err := m.Pay(t.Context(), q, intent)
			if (err != nil) != tc.failed || err == nil && (o.Kind != tc.kind || o.Link != tc.link) {
				t.Errorf("%+v, %v", o, err)
			}
			said, _ := os.ReadFile(count)
			if want := "pay --order-no " + orderNo + " --indicator " + indicator + " --skill-version 1.0.4\n"; string(said) != want {
				t.Errorf("run with %q", said)
			}
			// Tracking runs nothing, and says the same also to another process.
			want := tc.kind
			if tc.failed {
				want = payment.OutcomeNeedsHuman
			}
			if o, err := m.Track(t.Context(), q, intent); err != nil || o.Kind != want || o.Link != tc.link {
				t.Errorf("tracked: %+v, %v", o, err)
			}
			if again, _ := os.ReadFile(count); string(again) != string(said) {
				t.Error("tracking has run the program")
			}
		})
	}
}

// TestAuthorised: a human has authorised, the operator says go on, and the same order is paid by the same number.
func TestAuthorised(t *testing.T) {
	m, orders, count := rail(t, `if [ "$(wc -l < "$(dirname "$0")/count")" = 1 ]; then
			put RkFJTA==; echo "支付状态: 失败"; echo "授权链接: https://pay.jd.com/a"
		else sed -i 's/RkFJTA==/UEFJRA==/' "$file"; echo "支付凭证: UEFJRA=="; fi`)
	q := quote(nil)
	intent, o := begin(t, m, q)
	if o.Kind != payment.OutcomeNeedsHuman || o.Link != "https://pay.jd.com/a" || !strings.Contains(o.Text, "35.50 CNY") {
		t.Fatalf("%+v", o)
	}
	if o, err := m.Track(t.Context(), q, intent); err != nil || o.Kind != payment.OutcomeNeedsHuman || o.Link != "https://pay.jd.com/a" {
		t.Fatalf("the credential that says FAIL was taken: %+v, %v", o, err)
	}
	o, err := m.Pay(t.Context(), q, intent)
	if err != nil || o.Kind != payment.OutcomeProven || string(o.Proof) != `{"payCredential":"UEFJRA=="}` {
		t.Fatalf("%+v, %v", o, err)
	}
	said, _ := os.ReadFile(count)
	lines := strings.Split(strings.TrimSpace(string(said)), "\n")
	if len(lines) != 2 || lines[0] != lines[1] {
		t.Errorf("run with %q", lines)
	}
	// Paid is paid: it is not run again.
	if o, err := m.Pay(t.Context(), q, intent); err != nil || o.Kind != payment.OutcomeProven {
		t.Errorf("%+v, %v", o, err)
	}
	if again, _ := os.ReadFile(count); string(again) != string(said) {
		t.Error("a paid order was paid again")
	}
	m.Ended(q, intent)
	if _, err := os.Stat(filepath.Join(orders, file)); err == nil {
		t.Error("the order file is left")
	}
}
