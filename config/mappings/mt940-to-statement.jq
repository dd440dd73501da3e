# A bank's statement of SWIFT, MT940 → statement/v1.
#
#   - decode: mt940
#   - map: mt940-to-statement.jq
#   - validate: statement/v1
#
# Balances are what the account holds: credit is money that came in, `closing = opening + credit - debit`. The decoder
# refuses a statement whose movements do not lead from its opening to its closing balance; so does this, where the
# decoder was told to let it pass (`balance: note`). A statement of several pages is a statement/v1 for each page: :60M:
# and :62M: are opening and closing balance then, and `number` ends with the page.
#
# Taken: :20: :25: :28C: :60: :61: :62: :86:. The number is account/year-number/page, since banks count anew every year;
# account/day where the bank does not count.
# Left out: :64: :65: (available balances), :86: behind the last movement, SEPA keys but the purpose, types of movements.
# From outside: nothing. The bank is the BIC in block 2 or 1 of the message, else the bank code in front of the account,
# else `bank`. An interim report (MT942) has no balances, and is refused: `route` or `filter` by `.type` in front.
# To change it, copy it into the site's mappings/: a file of the site goes before one that ships.

def present: with_entries(select(.value != null and .value != [] and .value != {} and .value != ""));

# ---- decimals: counted in the smallest part that any amount has, since numbers in jq are doubles
def minor: {"JPY": 0, "KRW": 0, "CLP": 0, "VND": 0, "ISK": 0, "XAF": 0, "XOF": 0, "XPF": 0, "PYG": 0, "UGX": 0, "RWF": 0,
  "BHD": 3, "IQD": 3, "JOD": 3, "KWD": 3, "LYD": 3, "OMR": 3, "TND": 3}[.] // 2;
def places: if test("[.]") then (split(".")[1] | length) else 0 end;
def zeros($n): if $n > 0 then "0" * $n else "" end;
def units($scale): (capture("^(?<sign>-?)(?<whole>[0-9]{1,15})([.](?<part>[0-9]{1,5}))?$") // error("`\(.)` is no amount"))
  | (.part // "") as $part | "\(.sign)\(.whole)\($part)\(zeros($scale - ($part | length)))" | tonumber
  | if fabs > 9000000000000000 then error("an amount is too large to be added exactly") else . end;
def amount($scale): (if . < 0 then "-" else "" end) as $sign | (fabs | tostring)
  | zeros($scale + 1 - length) + . | if $scale > 0 then "\($sign)\(.[:-$scale]).\(.[-$scale:])" else "\($sign)\(.)" end;
def money($scale; $currency): {amount: amount($scale), currency: $currency};

# ---- parts
# BIC of a logical terminal, "BANKDEFFAXXX": its ninth character is the terminal's.
def bic: if . and test("^[A-Z]{6}[A-Z0-9]{6}$") then .[:8] + (.[9:] | if . == "XXX" then "" else . end) else null end;
def reference: if . == null or . == "" or . == "NONREF" or . == "EREF" or . == "PREF" or . == "MARF" then null else . end;
def purpose: (.sepa.SVWZ? // .purpose // .text // "") | gsub("[\r\n]+"; " ") | gsub("^ +| +$"; "");
def counterparty: (.sepa.IBAN? // .account // null) as $account | if $account or .name
  then {id: ($account // .name), system: "bank", name: .name} | present else null end;

if .opening and .closing then . else
  error("there is no opening (:60:) and closing balance (:62:), so this is no statement but an interim report (MT\(.type))") end
| . as $of | .opening.currency as $currency
| if .closing.currency != $currency then error("it opens in \($currency) and closes in \(.closing.currency)") else . end
| ([.opening.amount, .closing.amount, .transactions[].amount | places] + [$currency | minor] | max) as $scale
| [.transactions[].signed | units($scale)] as $amounts | ($amounts | add // 0) as $moved
| (.opening.signed | units($scale)) as $opening | (.closing.signed | units($scale)) as $closing
| if $opening + $moved != $closing then
    error("the balances do not agree: \($opening | amount($scale)) and entries of \($moved | amount($scale)) are not \($closing | amount($scale))")
  else . end
| ((.blocks["2"]? // "" | if .[:1] == "O" then .[14:26] else null end | bic) // (.blocks["1"]? // "" | .[3:15] | bic)
  // (.account | if test("^[^/]+/[^/]") then split("/")[0] else null end) // "bank") as $bank
| .closing.date as $last
| (if .number and (.number | test("[1-9]")) then "\(.account)/\($last[:4])-\(.number)\(if .sequence then "/\(.sequence)" else "" end)" else "\(.account)/\($last)" end | .[:64]) as $number
| {
    number: $number,
    system: $bank,
    statementType: "bank",
    issueDate: $last,
    period: ([$of.transactions[] | .entryDate // .valueDate] | [(min // $last), $last] | {startDate: min, endDate: $last}),
    supplier: {id: $bank, system: "bank"},
    customer: {id: $of.account, system: "bank"},
    openingBalance: ($opening | money($scale; $currency)),
    totalDebit: ([$amounts[] | select(. < 0) | -.] | add // 0 | money($scale; $currency)),
    totalCredit: ([$amounts[] | select(. > 0)] | add // 0 | money($scale; $currency)),
    closingBalance: ($closing | money($scale; $currency)),
    statementLine: [foreach range($amounts | length) as $i ($opening; . + $amounts[$i]; . as $now
      | $of.transactions[$i] | $amounts[$i] as $amount
      | {
          id: "\($i + 1)",
          date: (.entryDate // .valueDate),
          valueDate: .valueDate,
          documentReference: {id: ((.bankReference | reference) // (.reference | reference) // "\($number)/\($i + 1)"), system: $bank},
          documentType: "payment",
          description: (.information // {} | purpose),
          counterparty: (.information // {} | counterparty),
          debitAmount: (if $amount < 0 then -$amount | money($scale; $currency) else null end),
          creditAmount: (if $amount >= 0 then $amount | money($scale; $currency) else null end),
          balance: ($now | money($scale; $currency))
        } | present)],
    externalReference: [$of.reference | select(.) | {id: ., system: $bank}]
  } | present
