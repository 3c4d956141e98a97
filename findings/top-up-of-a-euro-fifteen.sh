#!/usr/bin/env bash
# A top-up of 1.15 euros is 114.99999999999999 cents in a bank's statement read by iso20022.js, 5,000 yen are 500,000, and what is only announced or was taken back looks like the rest.
#
# Seen 2026-11-30 with iso20022.js 0.0.15 (Node 20.20), on a camt.053.001.02 of five entries.
# Expected: a reader of ISO 20022 that gives amounts in the smallest units gives whole ones, by the currency's own number of decimals, and what the bank says of an entry
# comes along. The amount is read as a floating number and multiplied by 100, whatever the currency: of 1.15 there is no whole number of cents, BigInt() of it
# is a RangeError, and cutting it is 114. Yen have no hundredths. The status is not in what it gives, so an entry that is PDNG, announced and not there yet, is as good
# as a booked one; "reversal" is there, and false where the statement has RvslInd true. The bank's own reference, which is what a top-up is known by the
# second time, is a number: 000123 and 123 are one. Of an entry that sums up two transfers the parts come without their amounts. So
# who credits from such a file takes the amounts' text, the status and the references from the XML himself.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts iso20022.js@0.0.15
npm ls --depth=0

cat >probe.mjs <<'JS'
import { CashManagementEndOfDayReport } from 'iso20022.js'

const transfer = (currency, amount) => `<TxDtls><AmtDtls><TxAmt><Amt Ccy="${currency}">${amount}</Amt></TxAmt></AmtDtls></TxDtls>`
const entry = ({ amount, currency = 'EUR', way = 'CRDT', reversal = '', status = 'BOOK', reference, parts = [amount] }) => `<Ntry>
  <Amt Ccy="${currency}">${amount}</Amt><CdtDbtInd>${way}</CdtDbtInd>${reversal}<Sts>${status}</Sts>
  <BookgDt><Dt>2026-11-30</Dt></BookgDt><ValDt><Dt>2026-11-30</Dt></ValDt><AcctSvcrRef>${reference}</AcctSvcrRef>
  <BkTxCd><Domn><Cd>PMNT</Cd><Fmly><Cd>RCDT</Cd><SubFmlyCd>ESCT</SubFmlyCd></Fmly></Domn></BkTxCd>
  <NtryDtls>${parts.map(part => transfer(currency, part)).join('')}</NtryDtls></Ntry>`
const balance = code => `<Bal><Tp><CdOrPrtry><Cd>${code}</Cd></CdOrPrtry></Tp><Amt Ccy="EUR">100.00</Amt><CdtDbtInd>CRDT</CdtDbtInd>
  <Dt><Dt>2026-11-30</Dt></Dt></Bal>`
const { statements: [{ entries }] } = CashManagementEndOfDayReport.fromXML(`<?xml version="1.0" encoding="UTF-8"?>
<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.02"><BkToCstmrStmt>
<GrpHdr><MsgId>m</MsgId><CreDtTm>2026-11-30T20:00:00</CreDtTm></GrpHdr>
<Stmt><Id>s</Id><ElctrncSeqNb>1</ElctrncSeqNb><CreDtTm>2026-11-30T20:00:00</CreDtTm>
<FrToDt><FrDtTm>2026-11-30T00:00:00</FrDtTm><ToDtTm>2026-11-30T23:59:59</ToDtTm></FrToDt>
<Acct><Id><IBAN>DE89370400440532013000</IBAN></Id><Ccy>EUR</Ccy><Svcr><FinInstnId><BIC>COBADEFFXXX</BIC></FinInstnId></Svcr></Acct>
${balance('OPBD')}${balance('CLBD')}
${entry({ amount: '1.15', reference: '000123' })}
${entry({ amount: '5000', currency: 'JPY', reference: '123' })}
${entry({ amount: '50.00', status: 'PDNG', reference: 'A3' })}
${entry({ amount: '50.00', way: 'DBIT', reversal: '<RvslInd>true</RvslInd>', reference: 'A4' })}
${entry({ amount: '70.00', reference: 'A5', parts: ['50.00', '20.00'] })}
</Stmt></BkToCstmrStmt></Document>`)
for (const entry of entries) {
  const { amount, currency, creditDebitIndicator: way, reversal, accountServicerReferenceId: reference, transactions } = entry
  console.log(amount, currency, way, `reversal: ${reversal}`, `status: ${/PDNG|pending/.test(JSON.stringify(entry)) ? 'told' : entry.status}`,
    `reference: ${JSON.stringify(reference)}`, `parts: ${JSON.stringify(transactions.map(part => part.amount ?? 'no amount'))}`)
}
JS
node probe.mjs | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
114.99999999999999 EUR credit reversal: false status: undefined reference: 123 parts: ["no amount"]
500000 JPY credit reversal: false status: undefined reference: 123 parts: ["no amount"]
5000 EUR credit reversal: false status: undefined reference: "A3" parts: ["no amount"]
5000 EUR debit reversal: false status: undefined reference: "A4" parts: ["no amount"]
7000 EUR credit reversal: false status: undefined reference: "A5" parts: ["no amount","no amount"]
SEEN
