# An EDIFACT INVOIC in its nested form → invoice/v1.
#
#   - decode: {format: edifact, form: nested, grammars: [edifact-d96a-invoic.yaml, edifact-d01b-invoic.yaml]}
#   - map: edifact-invoic-to-invoice.jq
#   - validate: invoice/v1
#
# Reads D.96A and D.01B, EANCOM too. 381, 83 and 396 are credit notes, whose amounts stand there without a minus; 384 is a
# correction. The sender of the interchange is the seller and issued the invoice's number, its receiver the buyer.
# Numbers of agency 9 are GS1's (system gs1), of 91 the seller's, of 92 the buyer's.
#
# An invoice that does not add up is refused: lines (MOA 203 or 66) and their sum (79), allowances (260) and charges
# (259), taxes by rate and in all (176, 124, 150), what is to pay (388, 77, 39; prepaid 113, rounding 366, due 9). What is not told is computed.
# Amounts in another currency than that of CUX are left out.
#
# Left out: delivery (DP), discounts for early payment (PAT 22), packing, transport, taxes of single charges of a line,
# further lines of names. From outside: nothing. To change it, copy it into the site's mappings/: a file of the site goes
# before one that ships.

# ---- decimals: texts in, texts out; counted in the smallest part that an amount has, since numbers in jq are doubles
def minor: {"JPY": 0, "KRW": 0, "CLP": 0, "VND": 0, "ISK": 0, "XAF": 0, "XOF": 0, "XPF": 0, "PYG": 0, "UGX": 0, "RWF": 0,
  "BHD": 3, "IQD": 3, "JOD": 3, "KWD": 3, "LYD": 3, "OMR": 3, "TND": 3}[.] // 2;
def decimal: if type == "string" and test("^[-+]?([0-9]+([.][0-9]*)?|[.][0-9]+)$") then . else error("`\(.)` is no decimal number") end;
def places: (split(".")[1] // "") | length;
def digits: decimal | ltrimstr("+") | split(".") | join("") | tonumber;
def exact: if fabs > 9000000000000000 then error("an amount is too large to be counted exactly") else . end;
def scaled($from; $to): exact | if $from > $to then . / pow(10; $from - $to) | round else . * pow(10; $to - $from) | exact end;
def units($scale): places as $places | digits | scaled($places; $scale);
# A product, rounded to so many places.
def times($other; $scale): (places + ($other | places)) as $places | digits * ($other | digits) | scaled($places; $scale);
def amount($scale): (if . < 0 then "-" else "" end) as $sign | (fabs | tostring)
  | "0" * ([$scale + 1 - length, 0] | max) + . | if $scale > 0 then "\($sign)\(.[:-$scale]).\(.[-$scale:])" else "\($sign)\(.)" end;

# ---- parts
def present: with_entries(select(.value != null and .value != [] and .value != {} and .value != ""));
# Lines of a text: one that is full went on in the middle of a word.
def joined($full): reduce .[] as $part (""; if . == "" then $part elif .[-1:] == "\u0000" then .[:-1] + $part else . + " " + $part end
  | if ($part | length) == $full then . + "\u0000" else . end) | rtrimstr("\u0000");
# "14:4012345000009" → "4012345000009"
def partner: split(":") | last | ascii_downcase;
def day($qualifiers): [$qualifiers[] as $q | (.[]? | .value | select(.qualifier == $q) | .date_iso)][0] | if . then .[:10] else null end;
def system($seller; $buyer): {"9": "gs1", "91": $seller, "92": $buyer}[.agency // ""] // $seller;
def reference($qualifiers): [$qualifiers[] as $q | .[]? | .reference.value | select(.qualifier == $q)][0];
def address: {
  street: ([.party.street? | objects | .street, .street2, .street3, .street4 | select(.)]),
  city: .party.city, stateOrProvince: (.party.state // [.party.subdivision? | objects | .[]][0]), postcode: .party.postalCode, country: .party.country
} | present;
def name: .party | ([.name? | objects | .name, .name2, .name3, .name4, .name5 | select(.)] | joined(35)) as $name | if $name != "" then $name else .nameAddress.line? end;
def party($seller; $buyer): . as $of | .party.identification as $id | {
  id: ($id.id? // name), system: ($id | system($seller; $buyer)), name: name, address: address,
  externalReference: [(["VA", "vat"], ["XA", "registration"]) as $known | $of.references | reference([$known[0]]) | select(.) | {id: .reference, system: $known[1]}]
} | present;
def contact: if . == null then null else . as $of | {name: .contact.department.name,
  telephone: [.communications[]? | .value | select(.communicationType == "TE") | .communication][0],
  email: [.communications[]? | .value | select(.communicationType == "EM") | .communication | ascii_downcase][0]} | present end;
# Product numbers of LIN and PIA: EN and SRV are GS1's, SA the seller's, IN and BP the buyer's.
def numbers: [(.line.product, (.additionalProducts[]? | .product, .product2, .product3)) | objects | {qualifier: .productIdQualifier, id: .productId} | select(.id)];
def number($qualifiers): [.[] | select(.qualifier as $q | $qualifiers | index($q))][0].id;
def item($numbers; $seller; $buyer; $name): ($numbers | number(["EN", "SRV", "UP"])) as $gs1 | ($numbers | number(["SA"])) as $own | ($numbers | number(["IN", "BP"])) as $theirs | {
  id: ($own // $gs1 // $theirs // $name // "unknown"),
  system: (if $own then $seller elif $gs1 then "gs1" elif $theirs then $buyer else $seller end),
  name: $name,
  externalReference: [($theirs | select(. and ($own or $gs1)) | {id: ., system: $buyer}), ($gs1 | select(. and $own) | {id: ., system: "gs1"})]
} | present;
# The amounts somewhere below that are in the invoice's currency.
def amounts($currency): [.. | objects | .value? | objects | select(.qualifier and .amount and (.currency // $currency) == $currency)];
def amount_of($qualifiers): [$qualifiers[] as $q | .[] | select(.qualifier == $q) | .amount][0];
def tax: if . == null then {} else .tax | {percent: .rate.rate, category: ([.category | select(. == ("S", "Z", "E", "AE", "K", "G", "O", "L", "M"))][0]
  // (if .rate.rate == null then null elif .rate.rate | test("[1-9]") then "S" else "Z" end))} end;
def same($told; $computed; $what; $scale): if $told == null or ($told | units($scale)) == $computed then . else
  error("\($what) is \($told) as the invoice says, and comes to \($computed | amount($scale))") end;

(.interchange.sender | partner) as $seller
| (.interchange.receiver | partner) as $buyer
| .document as $invoice
| ([$invoice.currencies[]? | .currency.currency | select(.usage == "2") | .currency][0] // ([$invoice.currencies[]? | .currency.currency.currency][0])
  // error("the invoice says no currency (CUX)")) as $currency
| ([$invoice | amounts($currency)[].amount | places] + [$currency | minor] | max) as $scale
| def money: {amount: amount($scale), currency: $currency};
def sum_of($indicator; $qualifiers): [.[]? | select(.allowanceCharge.indicator == $indicator)
  | amounts($currency) | amount_of($qualifiers) | select(.) | units($scale)] | add // 0;
[$invoice.parties[]?] as $parties
| def role($codes): [$codes[] as $code | $parties[] | select(.party.entity == $code)][0];
($invoice.beginning.document.type // "380") as $type
| ($invoice.totals | amounts($currency)) as $totals
| [$invoice.lines[]? | . as $line | numbers as $numbers
  | (([.quantities[]? | .value | select(.qualifier == "47")][0]) // ([.quantities[]? | .value][0]) // {quantity: "1"}) as $quantity
  | ([("AAA", "AAB", "CAL") as $q | .prices[]? | .price.value | select(.qualifier == $q)][0]) as $price
  | (.allowancesCharges | sum_of("A"; ["204", "8", "131", "23"])) as $allowance
  | (.allowancesCharges | sum_of("C"; ["23", "8", "131", "204"])) as $charge
  | ($line.amounts | amounts($currency) | amount_of(["203", "66", "38"])) as $told
  | ($price.priceBasis // "1" | if test("^0*[.]?0*$") then "1" else . end) as $basis
  | (if $told then $told | units($scale) elif $price then ($quantity.quantity | times($price.unitPrice; 6)) / ($basis | tonumber) / pow(10; 6 - $scale) | round | . - $allowance + $charge
     else error("line \(.line.lineNumber) has neither an amount (MOA 203) nor a price (PRI)") end) as $net
  | ([$line.taxes[]? | select(.tax.function == "7" or .tax.function == null) | tax][0] // {}) as $tax
  | ($line.references | reference(["ON", "LI"])) as $order
  | {
    id: .line.lineNumber,
    invoicedQuantity: {amount: $quantity.quantity, unit: ($quantity.unit // "C62")},
    net: $net,
    item: item($numbers; $seller; $buyer; [.descriptions[]? | .description? | objects | [.text, .text2 | select(.)] | joined(35) | select(. != "")][0]),
    price: {
      amount: (if $price then (if ($basis | tonumber) == 1 then $price.unitPrice | decimal | ltrimstr("+") else ($price.unitPrice | digits) / pow(10; $price.unitPrice | places) / ($basis | tonumber) * pow(10; 8) | round | amount(8) | sub("0{1,6}$"; "") end)
        else ($net | amount($scale)) end),
      currency: $currency},
    allowance: (if $allowance != 0 then $allowance | money else null end),
    charge: (if $charge != 0 then $charge | money else null end),
    taxCategory: $tax.category, percent: $tax.percent,
    orderLine: (if $order.qualifier == "LI" then $order.reference else $order.lineNumber end),
    period: ({startDate: (.dates | day(["194", "167"])), endDate: (.dates | day(["206", "168"]))} | present | if .startDate then . else null end)
  }] as $lines
| if $lines == [] then error("the invoice has no line") else . end
| ([$lines[].net] | add) as $net
| same($totals | amount_of(["79"]); $net; "the sum of the lines (MOA 79)"; $scale)
| [$invoice.allowancesCharges[]? | (amounts($currency) | amount_of(["8", "23", "204", "131"])) as $amount | select($amount and (.allowanceCharge.indicator == ("A", "C")))
  | ([.taxes[]? | tax][0] // {}) as $tax | {
    chargeIndicator: (.allowanceCharge.indicator == "C"),
    amount: ($amount | units($scale) | money),
    reasonCode: (.allowanceCharge.service.code // (.allowanceCharge.identification.description)),
    reason: ([.allowanceCharge.service.description, .allowanceCharge.service.description2 | select(.)] | joined(35) | if . == "" then null else . end),
    percent: ([.percentage? | .. | objects | .percentage? | strings][0]),
    taxCategory: $tax.category, taxPercent: $tax.percent
  } | with_entries(select(.value != null))] as $list
| (if $list == [] then [$invoice.summaryAllowancesCharges[]? | (amounts($currency) | amount_of(["131", "8", "23", "204"])) as $amount | select($amount and (.allowanceCharge.indicator == ("A", "C")))
    | {chargeIndicator: (.allowanceCharge.indicator == "C"), amount: ($amount | units($scale) | money), reasonCode: .allowanceCharge.service.code} | present] else $list end) as $list
| def listed($charge): [$list[] | select(.chargeIndicator == $charge) | .amount.amount | units($scale)] | add // 0;
(if $list == [] then $totals | amount_of(["260"]) // "0" | units($scale) else listed(false) end) as $allowances
| (if $list == [] then $totals | amount_of(["259"]) // "0" | units($scale) else listed(true) end) as $charges
| same($totals | amount_of(["260"]); $allowances; "the sum of allowances (MOA 260)"; $scale)
| same($totals | amount_of(["259"]); $charges; "the sum of charges (MOA 259)"; $scale)
| ($net - $allowances + $charges) as $exclusive
| same($totals | amount_of(["389"]); $exclusive; "the total without tax (MOA 389)"; $scale)
| [($invoice.taxTotals // [] | if length > 0 then . else $invoice.taxes // [] end)[] | select(.tax.function == "7" or .tax.function == null) | tax as $tax | amounts($currency) as $amounts
  | ($amounts | amount_of(["124", "150", "176"])) as $amount | select($amount or $tax.percent) | {
    taxable: ($amounts | amount_of(["125", "79"])), percent: $tax.percent, taxCategory: ($tax.category // "S"), amount: $amount}] as $rates
| ($totals | amount_of(["176", "124", "150"])) as $told_tax
| [$rates[] | (.taxable // (if ($rates | length) == 1 then $exclusive | amount($scale) else null end)) as $taxable | {
    taxableAmount: (($taxable // error("the taxes of \(.percent) % say no taxable amount (MOA 125)")) | units($scale) | money),
    taxAmount: ((.amount // ($taxable | times(.percent // "0"; $scale + 2) / 100 | round | amount($scale))) | units($scale) | money),
    taxCategory, percent} | present] as $taxes
| (if $taxes == [] and $told_tax and ($told_tax | units($scale)) != 0 then
    [{taxableAmount: ($exclusive | money), taxAmount: ($told_tax | units($scale) | money), taxCategory: "S",
      percent: ([$lines[].percent] | unique | if length == 1 then .[0] else null end)} | present] else $taxes end) as $taxes
| ([$taxes[].taxAmount.amount | units($scale)] | add // 0) as $tax
| same($told_tax; $tax; "the tax in all (MOA 176, 124)"; $scale)
| ($exclusive + $tax) as $inclusive
| same($totals | amount_of(["388", "77", "39"]); $inclusive; "the total with tax (MOA 388, 77)"; $scale)
| ($totals | amount_of(["113"])) as $prepaid | ($totals | amount_of(["366"])) as $rounding
| ($inclusive - ($prepaid // "0" | units($scale)) + ($rounding // "0" | units($scale))) as $payable
| same($totals | amount_of(["9"]); $payable; "what is to pay (MOA 9)"; $scale)
| role(["SU", "SE"]) as $supplier | role(["BY", "IV"]) as $customer | role(["IV", "PR"]) as $payer
| [$supplier.banks[]? | .account.number | select(.)][0] as $account
| {
    number: ($invoice.beginning.number // $invoice.beginning.identification.number),
    system: $seller,
    invoiceType: (if ["381", "83", "396"] | index($type) then "credit-note" elif $type == "384" then "correction" else "invoice" end),
    issueDate: (($invoice.dates | day(["137", "3"])) // error("the invoice has no date (DTM 137)")),
    dueDate: ([$invoice.paymentTerms[]? | select(.paymentTerms.type != "22") | .dates | day(["13", "209"]) | select(.)][0]),
    taxPointDate: ($invoice.dates | day(["131"])),
    documentCurrency: $currency,
    orderReference: ($invoice.references | reference(["ON"]) | if . then {id: .reference, system: $buyer} else null end),
    contractReference: ($invoice.references | reference(["CT"]) | if . then {id: .reference, system: $seller} else null end),
    billingReference: ($invoice.references | reference(["IV", "OI"]) | if . then {id: .reference, system: $seller} else null end),
    supplier: ($supplier | if . then party($seller; $buyer) else {id: $seller, system: $seller} end),
    customer: ($customer | if . then party($seller; $buyer) else {id: $buyer, system: $buyer} end),
    payer: (if $payer and ($payer.party.identification.id? // $payer.party.name) != ($customer.party.identification.id? // $customer.party.name) then $payer | party($seller; $buyer) else null end),
    contact: ([$supplier.contacts[]?][0] | contact),
    paymentTerms: ([$invoice.paymentTerms[]? | select(.paymentTerms.type != "22") | .paymentTerms.period | objects
      | select(.reference == "5" and .period == "D") | "NET\(.periods)"][0]),
    paymentMeans: ({
      method: ({"30": "transfer", "31": "transfer", "42": "transfer", "58": "transfer", "49": "direct-debit", "59": "direct-debit", "48": "card", "54": "card", "55": "card", "20": "check"}
        [$invoice.paymentInstructions.value.means? // ""] // (if $account then "transfer" else null end)),
      iban: (if $account and ($account | test("^[A-Z]{2}[0-9]{2}[A-Z0-9]{10,30}$")) then $account else null end),
      account: (if $account and ($account | test("^[A-Z]{2}[0-9]{2}[A-Z0-9]{10,30}$") | not) then $account else null end),
      reference: ($invoice.references | reference(["PQ"]) | .reference?)
    } | present),
    invoiceLine: [$lines[] | .lineExtensionAmount = (.net | money) | del(.net) | present],
    allowanceCharge: $list,
    taxTotal: $taxes,
    legalMonetaryTotal: ({
      lineExtensionAmount: ($net | money),
      allowanceTotalAmount: (if $allowances != 0 then $allowances | money else null end),
      chargeTotalAmount: (if $charges != 0 then $charges | money else null end),
      taxExclusiveAmount: ($exclusive | money),
      taxInclusiveAmount: ($inclusive | money),
      prepaidAmount: (if $prepaid then $prepaid | units($scale) | money else null end),
      payableRoundingAmount: (if $rounding then $rounding | units($scale) | money else null end),
      payableAmount: ($payable | money)
    } | present),
    note: [$invoice.texts[]? | .text? | objects | [.text, .text2, .text3, .text4, .text5 | select(.)] | joined(70) | select(. != "")],
    externalReference: [(["DQ", "despatch-advice"], ["AAK", "despatch-advice"], ["PK", "packing-list"], ["VN", $seller]) as $known
      | $invoice.references | reference([$known[0]]) | select(.) | {id: .reference, system: $known[1]}]
  }
| present
