package x402

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/tokenbuddy/caddy-tokenbuddy/payment/x402/eip3009"
)

// Token is a dollar token with EIP-3009 and six decimals: one dollar is a million of its units, one a micro.
type Token struct {
	// The address of the token's contract.
	Address string `json:"address"`

	// The token's name and version in its EIP-712 domain. The contract knows them; a wrong one makes signatures that are worth
	// nothing.
	Name    string `json:"name"`
	Version string `json:"version"`
}

// usdc are the networks whose dollar token is known: USDC of Circle. What a seller says of name, version and decimals is
// compared with this, and never used.
var usdc = map[uint64]Token{
	1:     {"0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48", "USD Coin", "2"}, // Ethereum
	10:    {"0x0b2C639c533813f4Aa9D7837CAf62653d097Ff85", "USD Coin", "2"}, // OP Mainnet
	137:   {"0x3c499c542cEF5E3811e1192ce70d8cC03d5c3359", "USD Coin", "2"}, // Polygon
	8453:  {"0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913", "USD Coin", "2"}, // Base
	42161: {"0xaf88d065e77c8cC2239327C5EDb3A432268e5831", "USD Coin", "2"}, // Arbitrum One
	43114: {"0xB97EF9Ef8734C71904D8002F8b6Bc66Dd9c48a6E", "USD Coin", "2"}, // Avalanche C-Chain
	84532: {"0x036CbD53842c5426634e7929541eC2318f3dCF7e", "USDC", "2"},     // Base Sepolia, a test network
}

// ChainID reads the chain's number from a network's name, such as 8453 from "eip155:8453".
func ChainID(network string) (uint64, error) {
	digits, ok := strings.CutPrefix(network, "eip155:")
	id, err := strconv.ParseUint(digits, 10, 63)
	if !ok || err != nil || id == 0 || strconv.FormatUint(id, 10) != digits {
		return 0, errors.New("not a network: expected eip155: and the number of a chain, such as eip155:8453")
	}
	return id, nil
}

// Domain gives the domain in which authorizations for the token on a network are signed: that of the token given, else of
// USDC there.
func Domain(network string, token *Token) (eip3009.Domain, error) {
	chain, err := ChainID(network)
	if err != nil {
		return eip3009.Domain{}, err
	}
	if token == nil {
		known, ok := usdc[chain]
		if !ok {
			return eip3009.Domain{}, fmt.Errorf("the dollar token of %s is not known: name it with token <address> <name> <version>", network)
		}
		token = &known
	}
	contract, err := eip3009.ParseAddress(token.Address)
	if err != nil {
		return eip3009.Domain{}, fmt.Errorf("token of %s: %w", network, err)
	}
	if token.Name == "" || len(token.Name) > 100 || len(token.Version) > 20 {
		return eip3009.Domain{}, fmt.Errorf("token of %s: expected a name of 1 to 100 bytes and a version of at most 20", network)
	}
	return eip3009.Domain{Name: token.Name, Version: token.Version, ChainID: chain, Contract: contract}, nil
}
