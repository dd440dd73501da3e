# What moved on an account, of ISO 20022: camt.054, camt.053 or camt.052, any version → a list of payment/v1.
#
#   - decode: {format: xml, names: local, each: //Ntfctn}       # camt.053: //Stmt; camt.052: //Rpt
#   - map: camt-to-payments.jq
#   - split: .[]
#   - validate: payment/v1
#
# A payment for each transaction of an entry, or for the entry where the bank tells none. A batch whose transactions do not
# add up to its entry is refused.

def list: if type == "array" then . elif . == null then [] else [.] end;
def text: if type == "object" then .["#text"] elif type == "array" then (.[0] | text) else . end;
def present: with_entries(select(.value != null and .value != [] and .value != {}));
def object: if type == "object" then . else {} end; # an empty element is an empty text
def code: (.Cd? // .Prtry? // .) | text;
def day: (.Dt? // .DtTm? // .) | text | if . then .[:10] else null end;
def places: text | if test("[.]") then (split(".")[1] | length) else 0 end;
def zeros($n): if $n > 0 then "0" * $n else "" end;
def units($scale): text | (capture("^(?<whole>[0-9]{1,15})([.](?<part>[0-9]{1,5}))?$") // error("`\(.)` is no amount"))
  | (.part // "") as $part | "\(.whole)\($part)\(zeros($scale - ($part | length)))" | tonumber;
def money: {amount: text, currency: .["@Ccy"]};
def party: if . == null then null else (.Pty // .) | (.Nm | text) as $name
  | ([.Id? | .. | objects | .Id? // .AnyBIC? // .BICOrBEI? // .LEI? | select(type == "string")][0] // $name) as $id
  | if $id then {id: $id, system: "bank", name: $name} | present else null end end;
def account: if . == null then null else .Id | (.IBAN // .Othr.Id) | text end;
# The amount of a transaction in the currency of the account.
def own: .Amt // (.AmtDtls | object | (.TxAmt | object | .Amt) // (.InstdAmt | object | .Amt));

(.Ntfctn // .Stmt // .Rpt // error("this is no Ntfctn, Stmt or Rpt of a camt document: decode it with each: //Ntfctn")) as $of
| [$of.Ntry | list | to_entries[] | .key as $at | .value as $entry
  | ([$entry.NtryDtls | list | .[] | object | .TxDtls | list | .[] | object]) as $told
  | (if ($told | length) == 0 then [{}] else $told end) as $transactions
  | ([$transactions[] | own | select(.)]) as $amounts
  | ([$entry.Amt, $amounts[] | places] | max) as $scale
  | if ($amounts | length) > 1 and ($amounts | length) == ($transactions | length) and all($amounts[]; .["@Ccy"] == $entry.Amt["@Ccy"])
      and ([$transactions[] | (own | units($scale)) * (if ((.CdtDbtInd // $entry.CdtDbtInd) == $entry.CdtDbtInd) then 1 else -1 end)] | add)
        != ($entry.Amt | units($scale))
    then error("entry \($at + 1): its transactions do not add up to \($entry.Amt | text)") else . end
  | $transactions | to_entries[] | .key as $n | .value as $transaction
  | (($transaction.CdtDbtInd // $entry.CdtDbtInd | text) == "CRDT") as $received
  | (if ($transactions | length) > 1 then ($transaction | own) // error("entry \($at + 1): transaction \($n + 1) has no amount") else $entry.Amt end) as $amount
  | ($transaction.RltdPties | object) as $parties
  | {
      id: (($transaction.Refs | object | .AcctSvcrRef // .TxId) // (if ($transactions | length) == 1 then $entry.AcctSvcrRef else null end)
        // "\($of.Id | text)/\($at + 1)\(if ($transactions | length) > 1 then "/\($n + 1)" else "" end)" | text),
      system: (($of.Acct.Svcr | object | .FinInstnId | object | .BICFI // .BIC) // "bank"),
      paymentDate: (($entry.BookgDt // $entry.ValDt // $of.CreDtTm) | day),
      direction: (if $received then "received" else "paid" end),
      totalAmount: ($amount | money),
      payer: ($parties.Dbtr | party),
      payee: ($parties.Cdtr | party),
      paymentMethod: (($transaction.BkTxCd // $entry.BkTxCd | object) | .Domn | object | .Fmly | object | .Cd // "" | text
        | if . == "RDDT" or . == "IDDT" then "direct-debit" elif . == "CCRD" or . == "MCRD" then "card"
          elif . == "RCHQ" or . == "ICHQ" then "check" elif . == "RCDT" or . == "ICDT" or . == "RRCT" or . == "IRCT" then "transfer" else null end),
      account: ($parties.DbtrAcct | account),
      correlatorId: ([$transaction.RmtInf | object | .Ustrd | list | .[] | text | select(.)] | join(" ") | if . == "" then null else . end
        // ([$transaction.RmtInf | object | .Strd | list | .[] | object | .CdtrRefInf | object | .Ref | select(.) | text][0])
        // ($transaction.Refs | object | .EndToEndId | text | if . == "NOTPROVIDED" then null else . end)),
      status: (if $transaction.RtrInf or (($entry.RvslInd | text) == "true") then "returned"
        elif ($entry.Sts | code) == "PDNG" then "pending" else "settled" end),
      statusReason: ($transaction.RtrInf | if . then ([(object | .AddtlInf | list | .[] | text), (object | .Rsn | code)] | map(select(.)) | .[0]) else null end)
    } | present]
