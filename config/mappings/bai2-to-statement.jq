# An account of a BAI2 cash management report → statement/v1.
#
#   - decode: bai2
#   - map: bai2-to-statement.jq
#   - validate: statement/v1
#
# Balances are what the account holds: credit is money that came in, `closing = opening + credit - debit`. Amounts have as
# many decimals as their currency (ISO 4217), or the report where it writes none: USD. Taken are the ledger balances 010
# and 015; where there is neither, the available ones 040 and 045. The report must tell the closing balance; the opening
# one is computed where it does not. It is refused where the balances and what moved do not agree, or the
# transactions and the totals 100 and 400. A report with totals and without transactions is a statement without lines.
#
# Codes 101 to 399 and 920 to 959 are credits, 401 to 699 and 960 to 999 debits. Left out: 890 and other transactions of
# no amount, float (S, D), other summaries; a transaction of another code (loans, 700 to 799) refuses the account.
# From outside: nothing. The bank is the group's originator. The number is account/day, with the time in an interim
# report. To change it, copy it into the site's mappings/: a file of the site goes before one that ships.

def present: with_entries(select(.value != null and .value != [] and .value != {} and .value != ""));
def minor: {"JPY": 0, "KRW": 0, "CLP": 0, "VND": 0, "ISK": 0, "XAF": 0, "XOF": 0, "XPF": 0, "PYG": 0, "UGX": 0, "RWF": 0,
  "BHD": 3, "IQD": 3, "JOD": 3, "KWD": 3, "LYD": 3, "OMR": 3, "TND": 3}[.] // 2;
def zeros($n): if $n > 0 then "0" * $n else "" end;
def units: if test("^[-+]?[0-9]{1,15}$") then ltrimstr("+") | tonumber else error("`\(.)` is no amount") end;
def money($currency): ($currency | minor) as $scale | (if . < 0 then "-" else "" end) as $sign | (fabs | tostring)
  | zeros($scale + 1 - length) + . | {amount: (if $scale > 0 then "\($sign)\(.[:-$scale]).\(.[-$scale:])" else "\($sign)\(.)" end), currency: $currency};
# 1: a credit, -1: a debit.
def sign: (.code | tonumber) as $code
  | if ($code > 100 and $code < 400) or ($code >= 920 and $code <= 959) then 1
    elif ($code > 400 and $code < 700) or ($code >= 960 and $code <= 999) then -1
    else error("a transaction of code \(.code) is neither a credit nor a debit") end;

(.account // error("this is no account of a BAI2 report")) as $account | .group as $group
| ($account.currency // $group.currency // "USD") as $currency
| def summary($code): [$account.summaries[]? | select(.code == $code) | .amount | select(.) | units][0];
[$account.transactions[]? | select(.amount // "0" | units != 0) | {of: ., units: (sign * (.amount | units))}] as $moves
| (summary("100") // null) as $credits | (summary("400") // null) as $debits
| ([$moves[].units | select(. > 0)] | add // 0) as $came | ([$moves[].units | select(. < 0) | -.] | add // 0) as $went
| if $moves == [] then . else
    if $credits and $credits != $came then error("the total of credits (100) is \($credits | money($currency).amount), and the transactions come to \($came | money($currency).amount)")
    elif $debits and $debits != $went then error("the total of debits (400) is \($debits | money($currency).amount), and the transactions come to \($went | money($currency).amount)")
    else . end end
| (if $moves == [] then $credits // 0 else $came end) as $credit | (if $moves == [] then $debits // 0 else $went end) as $debit
| ((summary("010") // summary("015")) != null) as $ledger
| (if $ledger then summary("015") else summary("045") end // error("there is no closing balance (015)")) as $closing
| (if $ledger then summary("010") else summary("040") end // ($closing - $credit + $debit)) as $opening
| if $opening + $credit - $debit != $closing then
    error("the balances do not agree: \($opening | money($currency).amount), credits of \($credit | money($currency).amount) and debits of \($debit | money($currency).amount) are not \($closing | money($currency).amount)")
  else . end
| ("\($account.number)/\($group.date)\(if $group.dateModifier == "1" or $group.dateModifier == "3" then "T\($group.time // "")" else "" end)") as $number
| ($group.originator // "bank") as $bank
| {
    number: $number,
    system: $bank,
    statementType: "bank",
    issueDate: $group.date,
    period: {startDate: $group.date, endDate: $group.date},
    supplier: {id: $bank, system: "bank"},
    customer: {id: $account.number, system: $bank},
    openingBalance: ($opening | money($currency)),
    totalDebit: ($debit | money($currency)),
    totalCredit: ($credit | money($currency)),
    closingBalance: ($closing | money($currency)),
    statementLine: [foreach range($moves | length) as $i ($opening; . + $moves[$i].units; . as $now
      | $moves[$i].units as $units | $moves[$i].of
      | {
          id: "\($i + 1)",
          date: $group.date,
          valueDate: .valueDate,
          documentReference: {id: (.bankReference // .customerReference // "\($number)/\($i + 1)"), system: $bank},
          documentType: "payment",
          description: (.text // "" | gsub("[\r\n]+"; " ")),
          debitAmount: (if $units < 0 then -$units | money($currency) else null end),
          creditAmount: (if $units > 0 then $units | money($currency) else null end),
          balance: ($now | money($currency))
        } | present)]
  } | present
