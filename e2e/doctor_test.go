package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// certificate writes a certificate of localhost and its key into the directory of a Caddy.
func (c *caddy) certificate(from, to time.Time) (cert, key string) {
	c.t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		c.t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "our own"}, NotBefore: from, NotAfter: to, DNSNames: []string{"localhost"},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		c.t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		c.t.Fatal(err)
	}
	cert, key = filepath.Join(c.dir, "cert.pem"), filepath.Join(c.dir, "key.pem")
	for path, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: raw}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			c.t.Fatal(err)
		}
	}
	return cert, key
}

// TestDoctorOfModels has the doctor tell of the models that users can't have, each for its reason, and of a certificate that ends.
func TestDoctorOfModels(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.seller("acme", answerPlain, priced("small", "tiny"))
	s.seller("rail", answerPlain, priced("elsewhere"), priced("small"))
	s.seller("lone", answerPlain, priced("lonely", "only"), "bare")
	s.lists[1].PaymentMethods = []string{"clawtip", "barter"}
	s.prepare("\t\tmodel_alias gone nothing\n\t\tprewarm {\n\t\t\tmodels small missing\n\t\t}\n")
	cert, key := s.certificate(time.Now().AddDate(0, 0, -85), time.Now().AddDate(0, 0, 5))
	config, err := os.ReadFile(s.caddyfile())
	if err != nil {
		t.Fatal(err)
	}
	second := fmt.Sprintf("https://localhost:%s {\n\tbind 127.0.0.1\n\ttls %s %s\n\tvars x y\n\troute {\n\t\ttokenbuddy {\n%s\n\t\t}\n\t}\n}\n",
		strings.Split(freeAddress(t), ":")[1], cert, key, "\t\tseller own https://own.example {\n\t\t\tapi_key sk-own-key\n\t\t\tmodels owned\n\t\t}\n\t\tpurchase {\n\t\t\tdaily_limit 1000000\n\t\t}\n")
	s.write(string(config) + second)
	s.start()
	var list struct{ Data []struct{ ID string } }
	models := func() (ids string) {
		t.Helper()
		list.Data = nil
		a := s.ask(0, http.MethodGet, "/v1/models", "")
		if err := json.Unmarshal([]byte(a.body), &list); err != nil {
			t.Fatal(err)
		}
		for _, m := range list.Data {
			ids += m.ID + " "
		}
		return ids
	}
	s.infer("before", "lonely", "")
	if got := models(); got != "bare lonely only small tiny " {
		t.Errorf("models: %s", got)
	}

	s.good("sellers", "pause", "lone", "--address", s.admin)
	out := s.bad("something is wrong", "doctor", "--address", s.admin)
	for _, want := range []string{
		`(?m)^WRONG  Nobody can serve model elsewhere now: seller rail wants to be paid by clawtip or barter, which is not configured\.\n +Configure`,
		`(?m)^WRONG  Nobody can serve 2 models, bare, lonely now: seller lone is paused\.\n +Resume one: caddy tokenbuddy sellers resume`,
		`(?m)^WRONG  Nobody can serve model gone now: it is an alias of nothing, which no seller has\.`,
		`(?m)^WRONG  Nobody can serve model missing now: no seller has it\.`,
		`(?m)^WRONG  The certificate of localhost, from our own, ends in 4 days: on `,
		`(?m)^ledger +/.*: \d+ entries, .* free on its disk; its key /.*tokenbuddy\.key is of \d{4}-\d\d-\d\d, `,
		`(?m)^recovery  requests under way: 0; purchases that have not ended: 0, with 0.00 dollars that may have left$`,
		`(?m)^prewarm   focus: (lonely, )?missing, small; \d+ \w+.*; next sweep in \d+s`, // what was asked for is in it from the next sweep on,
		`(?m)^credit    left 4\.\d+ dollars; since the start bought 5.00 in 1 purchases, wasted 0.00; spent today 5.00 \(of 1000000.00\), this session 5.00 \(no limit\)$`,
	} {
		if !regexp.MustCompile(want).MatchString(out) {
			t.Errorf("the doctor does not say %s:\n%s", want, out)
		}
	}
	if strings.Contains(out, "model small now") {
		t.Errorf("small is served, and the doctor says\n%s", out)
	}

	// What is paused is there, and away: no client takes it for mistyped. Without a price it is not shown.
	if got := models(); got != "lonely only small tiny " {
		t.Errorf("models with lone paused: %s", got)
	}
	for _, model := range []string{"lonely", "only", "bare"} {
		if a := s.infer("paused "+model, model, ""); a.StatusCode != http.StatusServiceUnavailable || !strings.Contains(a.body, "paused or excluded") {
			t.Errorf("%s: %d %s", model, a.StatusCode, a.body)
		}
	}
	if a := s.infer("elsewhere", "elsewhere", ""); a.StatusCode != http.StatusNotFound {
		t.Errorf("a model that can't be paid for: %d %s", a.StatusCode, a.body)
	}

	var d struct {
		OK       bool
		Recovery struct {
			Holds         *int
			OpenPurchases []any
		}
		Prewarm struct {
			FocusSet    []string
			States      map[string]int
			NextSweepAt time.Time
		}
		Credit struct{ PurchasedMicros, LeftMicros, DailyLimitMicros int64 }
	}
	if err := json.Unmarshal([]byte(s.bad("something is wrong", "doctor", "--json", "--address", s.admin)), &d); err != nil || d.OK ||
		d.Recovery.Holds == nil || d.Recovery.OpenPurchases == nil || len(d.Prewarm.FocusSet) < 2 || len(d.Prewarm.States) == 0 ||
		d.Prewarm.NextSweepAt.IsZero() || d.Credit.PurchasedMicros != 5_000_000 || d.Credit.DailyLimitMicros == 0 {
		t.Errorf("--json: %v, %+v", err, d)
	}

	// Under manual the others serve nothing.
	s.good("sellers", "resume", "lone", "--address", s.admin)
	if status := s.do(http.MethodPut, "/tokenbuddy/selection", `{"policy":"manual","seller":"acme"}`); status != http.StatusOK {
		t.Fatalf("selection: %d", status)
	}
	out = s.bad("something is wrong", "doctor", "--address", s.admin)
	if !strings.Contains(out, "lonely now: seller lone is not the one that the selection manual keeps to") || !strings.Contains(out, "The selection manual acme is put over") {
		t.Errorf("under manual the doctor says\n%s", out)
	}
}

// TestDoctorOfAddress: who has put the address of a seller right hears no more of the wrong one, from the doctor or a gauge, and sees what it is in the list.
func TestDoctorOfAddress(t *testing.T) {
	t.Parallel()
	ollama := newProvider(t, sayJSON(http.StatusOK, completion(`{"prompt_tokens":20,"completion_tokens":50}`)))
	at := func(address string) string {
		return "\t\tseller ollama " + address + " {\n\t\t\tno_key\n\t\t\tprice small 0 0\n\t\t}\n"
	}
	wrong := "http://" + freeAddress(t)
	c := newCaddy(t, at(wrong))
	c.start()
	if res, _ := c.post("/v1/chat/completions", `{"model":"small","messages":[]}`); res.StatusCode != http.StatusBadGateway {
		t.Fatalf("nobody is at %s, and the status is %d", wrong, res.StatusCode)
	}
	c.bad("something is wrong", "doctor", "--address", c.admin)

	c.configure(at(ollama.URL))
	c.reload()
	said := c.good("doctor", "--address", c.admin)
	if strings.Contains(said, wrong) || !strings.Contains(said, "Nothing is wrong") {
		t.Errorf("the doctor says of an address that was put right:\n%s", said)
	}
	if sellers := c.good("sellers", "--address", c.admin); !strings.Contains(sellers, "no config or registry names it there any more") {
		t.Errorf("the sellers do not say that %s is no more:\n%s", wrong, sellers)
	}
	if _, body := c.look("/metrics"); !strings.Contains(string(body), `tokenbuddy_circuit_state{seller="ollama"} 0`) {
		t.Error("the circuit of an address that was put right is told of")
	}
}
