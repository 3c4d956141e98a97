package x402

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"

	"github.com/tokenbuddy/caddy-tokenbuddy/payment/x402"
	"github.com/tokenbuddy/caddy-tokenbuddy/payment/x402/eip3009"
)

const maxAnswer = 64 << 10

var errUnknown = errors.New("nothing is known")

// reply is a facilitator's answer. Its texts go nowhere: they carry URLs, call data and stack lines.
type reply struct {
	IsValid     *bool  `json:"isValid"`
	Success     *bool  `json:"success"`
	ErrorReason string `json:"errorReason"`
	Transaction string `json:"transaction"`
	Network     string `json:"network"`
	Payer       string `json:"payer"`

	status int
}

func (v reply) ok() bool { return v.IsValid != nil && *v.IsValid || v.Success != nil && *v.Success }

// cashed gives the transaction of an answer that says that a payment was cashed. It is not sure where the answer says something else as well:
// an error, another network or payer, no transaction. Then it says nothing, and the chain is asked.
func (v reply) cashed(network string, a eip3009.Authorization) (transaction string, sure bool) {
	hash, err := eip3009.ParseHash(v.Transaction)
	payer, payerErr := eip3009.ParseAddress(v.Payer)
	switch {
	case v.status >= 300, v.ErrorReason != "", err != nil, hash == eip3009.Hash{}, v.Network != "" && v.Network != network,
		v.Payer != "" && (payerErr != nil || payer != a.From):
		return "", false
	}
	return hash.String(), true
}

func (a *Acceptance) verify(ctx context.Context, proof, accepted json.RawMessage) (reply, error) {
	v, err := a.call(ctx, "/verify", proof, accepted)
	if err == nil && v.IsValid == nil {
		err = errUnknown
	}
	v.Success = nil
	return v, err
}

func (a *Acceptance) settle(ctx context.Context, proof, accepted json.RawMessage) (reply, error) {
	v, err := a.call(ctx, "/settle", proof, accepted)
	if err == nil && v.Success == nil {
		err = errUnknown
	}
	v.IsValid = nil
	return v, err
}

// call asks the facilitator. Only an answer that is whole counts; an error means that nothing is known.
func (a *Acceptance) call(ctx context.Context, path string, proof, accepted json.RawMessage) (v reply, err error) {
	body, err := json.Marshal(map[string]any{"x402Version": x402.Version, "paymentPayload": proof, "paymentRequirements": accepted})
	if err != nil {
		return reply{}, errUnknown
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.facilitator+path, bytes.NewReader(body))
	if err != nil {
		return reply{}, errUnknown
	}
	req.GetBody = nil // the transport is not to settle a second time by itself
	req.Header.Set("Content-Type", "application/json")
	resp, err := a.client.Do(req)
	if err != nil {
		return reply{}, errUnknown
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil || len(data) > maxAnswer || resp.StatusCode >= 500 || resp.StatusCode < 200 || resp.StatusCode >= 300 && resp.StatusCode < 400 {
		return reply{}, errUnknown
	}
	if json.Unmarshal(data, &v) != nil {
		return reply{}, errUnknown
	}
	v.status = resp.StatusCode
	return v, nil
}
