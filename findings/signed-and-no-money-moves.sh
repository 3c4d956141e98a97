#!/usr/bin/env bash
# A payment that is signed in Go is good to three JavaScript libraries that check it, and signed by nobody to the chain: its last byte is 0 or 1 in the place of 27 or 28.
#
# Seen 2026-11-30 with github.com/ethereum/go-ethereum 1.17.10 (Go 1.26), viem 2.57.20, ethers 6.17.0, @metamask/eth-sig-util 8.2.0 and @ethereumjs/evm 10.1.3
# (Node 20.20). No chain is needed: "ecrecover", which a token's contract asks who has signed, is the last one's. The key is made here.
# Expected: one library's signature of an EIP-3009 payment has the form that the others, and the token, take; or who checks it says that it hasn't. crypto.Sign,
# which is the way to sign in Go, ends it with 0 or 1, and it is for the caller to know that all of Ethereum's contracts want 27 more. viem, ethers and
# MetaMask's library take either, so that a buyer in Go passes each test against a seller that checks by one of them, with its address and its digest right. The
# token finds the signer to be nobody: no money moves, and the seller that has served what was well signed, to settle later, has served it for nothing. viem's
# parseSignature has no "v" for it, only yParity. So who signs in Go adds 27 and has a test that asks ecrecover, and a seller looks at the last byte before it
# serves, or lets the chain try the payment first.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
export GOMODCACHE=$tmp/modules GOFLAGS='-modcacherw -trimpath'
npm install --silent --no-audit --no-fund --ignore-scripts viem@2.57.20 ethers@6.17.0 @metamask/eth-sig-util@8.2.0 @ethereumjs/evm@10.1.3 @ethereumjs/util@10.1.3
npm ls --depth=0

cat >main.go <<'GO'
package main

import (
	"encoding/hex"
	"fmt"
	"os"

	"github.com/ethereum/go-ethereum/crypto"
)

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// Signs each of the digests by the key.
func main() {
	key := must(crypto.HexToECDSA(os.Args[1]))
	for _, digest := range os.Args[2:] {
		fmt.Println("0x" + hex.EncodeToString(must(crypto.Sign(must(hex.DecodeString(digest)), key))))
	}
}
GO
{ go mod init probe && go get github.com/ethereum/go-ethereum/crypto@v1.17.10; } 2>go.log || { cat go.log; exit 1; }
go list -m github.com/ethereum/go-ethereum
nice go build -o sign .

cat >probe.mjs <<'JS'
import { execFileSync } from 'node:child_process'
import { createEVM } from '@ethereumjs/evm'
import { createAddressFromString, hexToBytes } from '@ethereumjs/util'
import { recoverTypedSignature } from '@metamask/eth-sig-util'
import { verifyTypedData as ethers } from 'ethers'
import { concat, hashTypedData, pad, parseSignature, slice, toHex, verifyTypedData as viem } from 'viem'
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts'

const evm = await createEVM()
const key = generatePrivateKey()
const { address } = privateKeyToAccount(key)
const fields = text => text.split(', ').map(field => ({ type: field.split(' ')[0], name: field.split(' ')[1] }))
const types = { TransferWithAuthorization: fields('address from, address to, uint256 value, uint256 validAfter, uint256 validBefore, bytes32 nonce') }
const domain = { name: 'USDC', version: '2', chainId: 84532, verifyingContract: '0x036CbD53842c5426634e7929541eC2318f3dCF7e' }
const payment = nonce => ({
  domain, types, primaryType: 'TransferWithAuthorization',
  message: { from: address, to: '0x209693Bc6afc0C5328bA36FaF03C514EF312287C', value: 10000, validAfter: 0, validBefore: 1900000000, nonce: toHex(nonce, { size: 32 }) },
})
const payments = Array.from({ length: 40 }, (_, nonce) => payment(nonce))
const digests = payments.map(each => hashTypedData(each))
const signed = execFileSync('./sign', [key, ...digests].map(text => text.slice(2)), { encoding: 'utf8' }).trim().split('\n')
for (const last of [0, 1]) {
  const at = signed.findIndex(signature => Number(slice(signature, 64)) === last)
  for (const more of [0, 27]) {
    const v = last + more
    const signature = concat([slice(signed[at], 0, 64), toHex(v, { size: 1 })])
    const found = await evm.runCall({
      to: createAddressFromString('0x0000000000000000000000000000000000000001'), gasLimit: 100_000n,
      data: hexToBytes(concat([digests[at], pad(toHex(v), { size: 32 }), slice(signature, 0, 64)])),
    })
    const chain = Buffer.from(found.execResult.returnValue).toString('hex')
    const good = {
      viem: await viem({ ...payments[at], address, signature }),
      ethers: ethers(domain, types, payments[at].message, signature) === address,
      metamask: recoverTypedSignature({
        data: { ...payments[at], types: { EIP712Domain: fields('string name, string version, uint256 chainId, address verifyingContract'), ...types } }, signature, version: 'V4',
      }) === address.toLowerCase(),
    }
    const signer = chain === '' ? 'nobody' : chain.endsWith(address.slice(2).toLowerCase()) ? 'the signer' : 'another'
    console.log(`ends with ${v}: viem ${good.viem}, ethers ${good.ethers}, metamask ${good.metamask}; the chain finds ${signer}; v by viem's parseSignature ${parseSignature(signature).v}`)
  }
}
JS
node probe.mjs | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
ends with 0: viem true, ethers true, metamask true; the chain finds nobody; v by viem's parseSignature undefined
ends with 27: viem true, ethers true, metamask true; the chain finds the signer; v by viem's parseSignature 27
ends with 1: viem true, ethers true, metamask true; the chain finds nobody; v by viem's parseSignature undefined
ends with 28: viem true, ethers true, metamask true; the chain finds the signer; v by viem's parseSignature 28
SEEN
