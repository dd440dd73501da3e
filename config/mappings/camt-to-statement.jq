# A bank's statement of ISO 20022, camt.053 or camt.052, any version → statement/v1.
#
#   - decode: {format: xml, names: local, each: //Stmt}        # camt.052: //Rpt
#   - map: camt-to-statement.jq
#   - validate: statement/v1
#
# Balances are what the account holds: credit is money that came in, `closing = opening + credit - debit`. The statement is
# refused where its booked entries do not lead from the opening to the closing balance. Entries that are pending or for
# information are left out. Without an opening or a closing balance (camt.052 of the day) it is computed from the other.
# To change it, copy it into the site's mappings/: a file of the site goes before one that ships.

def list: if type == "array" then . elif . == null then [] else [.] end;
def text: if type == "object" then .["#text"] elif type == "array" then (.[0] | text) else . end;
def present: with_entries(select(.value != null and .value != [] and .value != {}));
def object: if type == "object" then . else {} end; # an empty element is an empty text
def code: (.Cd? // .Prtry? // .) | text;
def day: (.Dt? // .DtTm? // .) | text | if . then .[:10] else null end;

# ---- decimals: counted in the smallest part that any amount of the statement has, since numbers in jq are doubles
def places: text | if test("[.]") then (split(".")[1] | length) else 0 end;
def zeros($n): if $n > 0 then "0" * $n else "" end;
def units($scale): text | (capture("^(?<whole>[0-9]{1,15})([.](?<part>[0-9]{1,5}))?$") // error("`\(.)` is no amount"))
  | (.part // "") as $part | "\(.whole)\($part)\(zeros($scale - ($part | length)))" | tonumber
  | if . > 9000000000000000 then error("an amount is too large to be added exactly") else . end;
def amount($scale): (if . < 0 then "-" else "" end) as $sign | (fabs | tostring)
  | zeros($scale + 1 - length) + . | if $scale > 0 then "\($sign)\(.[:-$scale]).\(.[-$scale:])" else "\($sign)\(.)" end;
def money($scale; $currency): {amount: amount($scale), currency: $currency};
def signed($scale): (.Amt | units($scale)) * (if (.CdtDbtInd | text) == "DBIT" then -1 else 1 end);

# ---- parts
def balance($codes): [.Bal | list | .[] | select((.Tp.CdOrPrtry | code) as $code | $codes | index($code))][0];
def booked: [.Ntry | list | .[] | select((.Sts | code) == "BOOK" or .Sts == null)];
def name: object | .Nm // (.Pty | object | .Nm) | text;
def account: .IBAN // .Othr.Id | text;

(.Stmt // .Rpt // .Ntfctn // error("this is no Stmt or Rpt of a camt document: decode it with each: //Stmt")) as $of
| $of | booked as $entries
| (([$of.Bal | list | .[].Amt | places] + [$entries[].Amt | places] + [2]) | max) as $scale
| balance(["OPBD", "PRCD", "OPAV", "ITBD"]) as $first | balance(["CLBD", "ITBD", "CLAV"]) as $last
| ($of.Acct.Ccy // $last.Amt["@Ccy"]? // $first.Amt["@Ccy"]? // $entries[0].Amt["@Ccy"]? // error("nothing says the currency")) as $currency
| [$entries[] | signed($scale)] as $amounts | ($amounts | add // 0) as $moved
| (if $first then $first | signed($scale) elif $last then ($last | signed($scale)) - $moved else error("there is no balance") end) as $opening
| (if $last and ($last != $first) then $last | signed($scale) else $opening + $moved end) as $closing
| if $opening + $moved != $closing then
    error("the balances do not agree: \($opening | amount($scale)) and entries of \($moved | amount($scale)) are not \($closing | amount($scale))")
  else . end
| (($of.CreDtTm | text | if . then .[:10] else null end) // ($last | .Dt | day)) as $written
| ($of.Acct.Id | account // error("nothing says the account")) as $account
| {
    number: ($of.Id | text),
    system: (($of.Acct.Svcr | object | .FinInstnId | object | .BICFI // .BIC // .ClrSysMmbId.MmbId? // .Nm) // "bank"),
    statementType: "bank",
    issueDate: $written,
    period: ({
      startDate: (($of.FrToDt | object | .FrDtTm | text | if . then .[:10] else null end) // ([$entries[] | (.BookgDt // .ValDt) | day | select(.)] | min) // $written),
      endDate: (($of.FrToDt | object | .ToDtTm | text | if . then .[:10] else null end) // ($last.Dt | day) // $written)
    } | present | if .endDate and .startDate > .endDate then .startDate = .endDate else . end),
    supplier: ($of.Acct.Svcr | if type != "object" then null else .FinInstnId | object
      | {id: (.BICFI // .BIC // .ClrSysMmbId.MmbId? // .Nm // "bank"), system: "bank", name: .Nm} | present end),
    customer: ({id: $account, system: "bank", name: ($of.Acct.Ownr | name)} | present),
    openingBalance: ($opening | money($scale; $currency)),
    totalDebit: ([$amounts[] | select(. < 0) | -.] | add // 0 | money($scale; $currency)),
    totalCredit: ([$amounts[] | select(. > 0)] | add // 0 | money($scale; $currency)),
    closingBalance: ($closing | money($scale; $currency)),
    statementLine: [foreach range($entries | length) as $i ($opening; . + $amounts[$i]; . as $now
      | $entries[$i] | $amounts[$i] as $amount
      | {
          id: "\($i + 1)",
          date: ((.BookgDt // .ValDt // null | if . then day else null end) // $written),
          documentReference: {
            id: ((.AcctSvcrRef // .NtryRef // ([.NtryDtls | list | .[] | object | .TxDtls | list | .[] | object | .Refs | object | .EndToEndId // .AcctSvcrRef | select(.)][0])
              // "\($of.Id | text)/\($i + 1)") | text),
            system: "bank"},
          documentType: "payment",
          debitAmount: (if $amount < 0 then -$amount | money($scale; $currency) else null end),
          creditAmount: (if $amount >= 0 then $amount | money($scale; $currency) else null end),
          balance: ($now | money($scale; $currency))
        } | present)]
  } | present
