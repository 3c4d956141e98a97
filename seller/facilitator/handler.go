package facilitator

import (
	"encoding/json"
	"net/http"

	"github.com/tokenbuddy/caddy-tokenbuddy/payment/x402"
	"github.com/tokenbuddy/caddy-tokenbuddy/payment/x402/eip3009"
)

const maxBody = 64 << 10

// Fault is what goes wrong with a call.
type Fault uint8

// What can go wrong with a call of verify or settle.
const (
	None    Fault = iota
	Refuse        // it says no, for a reason of its own
	Down          // 503, and nothing done
	HTML          // a page of some proxy, and nothing done
	Cut           // the connection ends, and nothing done
	Lose          // done, and the connection ends
	Hang          // done, and no answer until the caller leaves
	Pending       // not done, and it says that the transaction is on its way
	Later         // done, and it says that the transaction is on its way
)

// Handler serves /verify, /settle, /supported and, on /rpc, the chain's JSON-RPC.
type Handler struct {
	Chain *Chain
	// Fault, where it is set, says what goes wrong with a step, "verify" or "settle".
	Fault func(step string) Fault
}

func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/verify", "/settle":
		h.pay(w, r, r.URL.Path[1:])
	case "/rpc":
		h.rpc(w, r)
	case "/supported":
		write(w, map[string]any{
			"kinds":      []any{map[string]any{"x402Version": x402.Version, "scheme": "exact", "network": h.Chain.Network}},
			"extensions": []any{}, "signers": map[string]any{},
		})
	default:
		http.NotFound(w, r)
	}
}

// reply is the answer to verify and to settle.
type reply struct {
	IsValid       *bool  `json:"isValid,omitempty"`
	InvalidReason string `json:"invalidReason,omitempty"`
	Success       *bool  `json:"success,omitempty"`
	ErrorReason   string `json:"errorReason,omitempty"`
	Payer         string `json:"payer,omitempty"`
	Transaction   string `json:"transaction"`
	Network       string `json:"network"`
}

func (h *Handler) pay(w http.ResponseWriter, r *http.Request, step string) {
	var fault Fault
	if h.Fault != nil {
		fault = h.Fault(step)
	}
	switch fault {
	case Down:
		http.Error(w, `{"error":"down"}`, http.StatusServiceUnavailable)
		return
	case HTML:
		http.Error(w, "<h1>Bad gateway</h1>", http.StatusBadGateway)
		return
	case Cut:
		panic(http.ErrAbortHandler)
	case Refuse:
		answer(w, step, reply{Network: h.Chain.Network}, "refused_by_test")
		return
	case Pending:
		answer(w, step, reply{Network: h.Chain.Network, Transaction: eip3009.Keccak([]byte("pending")).String()}, "settlement_pending")
		return
	}
	v, refused := h.judge(w, r, step)
	switch fault {
	case Lose:
		panic(http.ErrAbortHandler)
	case Hang:
		<-r.Context().Done()
		panic(http.ErrAbortHandler)
	case Later:
		refused = "settlement_pending"
	}
	answer(w, step, v, refused)
}

// judge reads a call and makes the step of it. A payment that is not what is required gets to neither.
func (h *Handler) judge(w http.ResponseWriter, r *http.Request, step string) (v reply, refused string) {
	v.Network = h.Chain.Network
	var call struct {
		Payload      json.RawMessage `json:"paymentPayload"`
		Requirements json.RawMessage `json:"paymentRequirements"`
	}
	if json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody)).Decode(&call) != nil {
		return v, noPayload
	}
	a, s, _, err := x402.ReadPayload(call.Payload)
	want, wantErr := x402.ParseRequirement(call.Requirements)
	if err != nil || wantErr != nil {
		return v, noPayload
	}
	v.Payer = a.From.String()
	payTo, err := eip3009.ParseAddress(want.PayTo)
	switch {
	case want.Network != h.Chain.Network:
		return v, otherNetwork
	case err != nil || payTo != a.To:
		return v, otherPayee
	case a.Value.String() != want.Amount:
		return v, otherValue
	}
	if step == "verify" {
		return v, h.Chain.verify(a, s)
	}
	v.Transaction, refused = h.Chain.transfer(a, s)
	return v, refused
}

func answer(w http.ResponseWriter, step string, v reply, refused string) {
	ok := refused == ""
	if step == "verify" {
		v.IsValid, v.InvalidReason = &ok, refused
	} else {
		v.Success, v.ErrorReason = &ok, refused
	}
	write(w, v)
}

func write(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}
