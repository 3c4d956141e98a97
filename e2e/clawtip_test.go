package e2e

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// clawtipProgram stands in for the rail: it reads what is sealed in the order, which nobody else can, and puts a credential
// into the order file that says it was paid.
const clawtipProgram = `#!/bin/sh
set -eu
dir=$(dirname "$0")
[ "$1 $2 $4 $6 $7" = "pay --order-no --indicator --skill-version 1.0.4" ]
file=$dir/orders/$5/$3.json
key=$(cat "$dir/key.hex")
sealed=$(sed -n 's/.*"encrypted_data": "\([^"]*\)".*/\1/p' "$file")
plain=$(printf '%s\n' "$sealed" | openssl enc -d -sm4-ecb -K "$key" -a -A)
printf '%s\n' "$plain" >>"$dir/paid"
credential=$(printf '%s,"payStatus":"SUCCESS","finishTime":"2026-11-27 11:00:00"}' "${plain%?}" | openssl enc -sm4-ecb -K "$key" -a -A)
printf '%s\n' "$credential" >>"$dir/credentials"
sed "s|^{|{\"payCredential\": \"$credential\",|" "$file" >"$file.new"
mv "$file.new" "$file"
echo "支付凭证: $credential"
`

// TestPaidByClawtip buys at the reference seller by clawtip: one order is paid by the rail's program, the client's request is
// answered from its token, and the books have it with the order's number. No key or credential is anywhere.
func TestPaidByClawtip(t *testing.T) {
	t.Parallel()
	key := []byte("throw-away-key-2")
	if err := exec.CommandContext(t.Context(), "openssl", "enc", "-sm4-ecb", "-K", hex.EncodeToString(key), "-in", os.DevNull).Run(); err != nil {
		t.Skip("this openssl has no SM4")
	}
	c := newCaddy(t, "")
	dir := t.TempDir()
	for name, content := range map[string]string{
		"clawtip": clawtipProgram, "key": base64.StdEncoding.EncodeToString(key), "key.hex": hex.EncodeToString(key),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	seller := freeAddress(t)
	c.write(c.global("") +
		shop(seller, "\t\tstate seller.json\n\t\tpayment clawtip {\n\t\t\tpay_to acme_1\n\t\t\tsm4_key {file."+dir+"/key}\n\t\t\tslug acme-credit\n\t\t}\n") +
		c.gatewayTo(seller, "clawtip", fmt.Sprintf("\t\tpayment clawtip {\n\t\t\torders %s/orders\n\t\t\trate 7.12 3%%\n\t\t\tmax_payment 36\n"+
			"\t\t\trun %s/clawtip pay --order-no {order_no} --indicator {indicator} --skill-version 1.0.4\n\t\t}\n\t\tpurchase {\n\t\t\tamount 5\n\t\t}\n", dir, dir)))
	c.start()
	for range 2 { // the second from the same token
		if res, body := c.post("/v1/chat/completions", toyRequest); res.StatusCode != http.StatusOK || !strings.Contains(string(body), "chat.completion") {
			t.Fatalf("status %d: %s\n%s", res.StatusCode, body, c.log)
		}
	}
	rows := c.purchases()
	if len(rows) != 1 || rows[0].State != "granted" || rows[0].Method != "clawtip" || rows[0].AmountMicros != 5_000_000 {
		t.Fatalf("purchases: %+v", rows)
	}
	order := orderOf(t, c, rows[0].PurchaseID)
	if rows[0].Reference != order || rows[0].PaymentReference != order {
		t.Errorf("order %s has the references %q and %q", order, rows[0].Reference, rows[0].PaymentReference)
	}
	if paid, err := os.ReadFile(filepath.Join(dir, "paid")); err != nil || string(paid) != `{"orderNo":"`+order+`","amount":"3550","payTo":"acme_1"}`+"\n" {
		t.Errorf("the rail has paid %q, %v", paid, err)
	}
	if balances := c.balances(); balances["wallet:clawtip"] != -5_000_000 {
		t.Errorf("booked as %v", balances)
	}
	c.verify()
	if left, err := filepath.Glob(filepath.Join(dir, "orders", "*", "*.json")); err != nil || len(left) != 0 {
		t.Errorf("left: %v, %v", left, err)
	}
	credentials, err := os.ReadFile(filepath.Join(dir, "credentials"))
	if err != nil {
		t.Fatal(err)
	}
	c.hides(append(strings.Fields(string(credentials)), string(key), base64.StdEncoding.EncodeToString(key))...)
}
