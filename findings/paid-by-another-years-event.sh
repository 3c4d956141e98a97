#!/usr/bin/env bash
# A payment's webhook, well signed, is an error for Stripe's Go SDK and good for the Node SDK, and an update of the Go SDK is all it takes.
#
# Seen 2026-11-28 with github.com/stripe/stripe-go/v83 83.2.1, v84 84.4.1, v85 85.0.0 (Go 1.26) and stripe 23.1.0 (Node 20.20).
# Expected: a signature that is right makes the event right, as in Node, whose SDK has a version of the API of its own too. Go's
# ConstructEvent compares that version with the event's as well. An event has the version that its endpoint was made with, and an update
# of the program does not change it: from 84 to 85 each event of a payment becomes an error, and is answered with 400 as a forged one
# is. Stripe has the money, and the wallet is not credited. What is compared is the name behind the date: within one name any date
# will do, so it goes well from 83 to 84. ConstructEventWithOptions takes the event as it is, as an option. A gateway that books top-ups
# needs that, or a line in its log that tells a wrong version from a wrong signature, and a test with an event of its endpoint's version.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
export GOMODCACHE=$tmp/modules GOFLAGS='-modcacherw -trimpath'
npm install --silent --no-audit --no-fund --ignore-scripts stripe@23.1.0
npm ls --depth=0

cat >main.go <<'GO'
package main

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	stripe83 "github.com/stripe/stripe-go/v83"
	webhook83 "github.com/stripe/stripe-go/v83/webhook"
	stripe84 "github.com/stripe/stripe-go/v84"
	webhook84 "github.com/stripe/stripe-go/v84/webhook"
	stripe85 "github.com/stripe/stripe-go/v85"
	"github.com/stripe/stripe-go/v85/webhook"
)

const secret = "whsec_probe"

func main() {
	versions := []string{"2024-06-20", stripe83.APIVersion, stripe84.APIVersion, stripe85.APIVersion, "2026-04-22.dahlia"}
	for _, version := range versions {
		payload := []byte(`{"id":"evt_1","object":"event","type":"checkout.session.completed","api_version":"` + version + `",
			"data":{"object":{"id":"cs_1","object":"checkout.session","amount_total":1000,"currency":"usd","payment_status":"paid"}}}`)
		header := webhook.GenerateTestSignedPayload(&webhook.UnsignedPayload{Payload: payload, Secret: secret, Timestamp: time.Now()}).Header
		say := func(name string, err error) {
			end := "good"
			if err != nil {
				end, _, _ = strings.Cut(err.Error(), ". ")
			}
			fmt.Printf("event of %s, %s: %s\n", version, name, end)
		}
		_, err := webhook83.ConstructEvent(payload, header, secret)
		say("stripe-go 83", err)
		_, err = webhook84.ConstructEvent(payload, header, secret)
		say("stripe-go 84", err)
		_, err = webhook.ConstructEvent(payload, header, secret)
		say("stripe-go 85", err)
		_, err = webhook.ConstructEventWithOptions(payload, header, secret, webhook.ConstructEventOptions{IgnoreAPIVersionMismatch: true})
		say("stripe-go 85, IgnoreAPIVersionMismatch", err)
		node := exec.Command("node", "probe.mjs", string(payload), header, secret)
		node.Stderr = os.Stderr
		say("stripe for Node", node.Run())
	}
}
GO
cat >probe.mjs <<'JS'
import Stripe from 'stripe'

new Stripe('sk_test_probe').webhooks.constructEvent(...process.argv.slice(2))
JS
go mod init probe 2>/dev/null
go get github.com/stripe/stripe-go/v83@v83.2.1 github.com/stripe/stripe-go/v84@v84.4.1 github.com/stripe/stripe-go/v85@v85.0.0 2>/dev/null
go list -m github.com/stripe/stripe-go/v83 github.com/stripe/stripe-go/v84 github.com/stripe/stripe-go/v85
go run . | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
event of 2024-06-20, stripe-go 83: Received event with API version 2024-06-20, but stripe-go 83.2.1 expects API version 2025-10-29.clover
event of 2024-06-20, stripe-go 84: Received event with API version 2024-06-20, but stripe-go 84.4.1 expects API version 2026-02-25.clover
event of 2024-06-20, stripe-go 85: Received event with API version 2024-06-20, but stripe-go 85.0.0 expects API version 2026-03-25.dahlia
event of 2024-06-20, stripe-go 85, IgnoreAPIVersionMismatch: good
event of 2024-06-20, stripe for Node: good
event of 2025-10-29.clover, stripe-go 83: good
event of 2025-10-29.clover, stripe-go 84: good
event of 2025-10-29.clover, stripe-go 85: Received event with API version 2025-10-29.clover, but stripe-go 85.0.0 expects API version 2026-03-25.dahlia
event of 2025-10-29.clover, stripe-go 85, IgnoreAPIVersionMismatch: good
event of 2025-10-29.clover, stripe for Node: good
event of 2026-02-25.clover, stripe-go 83: good
event of 2026-02-25.clover, stripe-go 84: good
event of 2026-02-25.clover, stripe-go 85: Received event with API version 2026-02-25.clover, but stripe-go 85.0.0 expects API version 2026-03-25.dahlia
event of 2026-02-25.clover, stripe-go 85, IgnoreAPIVersionMismatch: good
event of 2026-02-25.clover, stripe for Node: good
event of 2026-03-25.dahlia, stripe-go 83: Received event with API version 2026-03-25.dahlia, but stripe-go 83.2.1 expects API version 2025-10-29.clover
event of 2026-03-25.dahlia, stripe-go 84: Received event with API version 2026-03-25.dahlia, but stripe-go 84.4.1 expects API version 2026-02-25.clover
event of 2026-03-25.dahlia, stripe-go 85: good
event of 2026-03-25.dahlia, stripe-go 85, IgnoreAPIVersionMismatch: good
event of 2026-03-25.dahlia, stripe for Node: good
event of 2026-04-22.dahlia, stripe-go 83: Received event with API version 2026-04-22.dahlia, but stripe-go 83.2.1 expects API version 2025-10-29.clover
event of 2026-04-22.dahlia, stripe-go 84: Received event with API version 2026-04-22.dahlia, but stripe-go 84.4.1 expects API version 2026-02-25.clover
event of 2026-04-22.dahlia, stripe-go 85: good
event of 2026-04-22.dahlia, stripe-go 85, IgnoreAPIVersionMismatch: good
event of 2026-04-22.dahlia, stripe for Node: good
SEEN
