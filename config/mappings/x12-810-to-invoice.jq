# An X12 810 invoice in its nested form → invoice/v1.
#
#   - decode: {format: x12, form: nested, grammars: [x12-004010-810.yaml]}
#   - map: x12-810-to-invoice.jq
#   - validate: invoice/v1
#
# Reads 004010 and 005010. The sender of the interchange is the seller and issued the invoice's number, its receiver the
# buyer. BIG07 CR is a credit note, whose amounts stand there without a minus; BIG08 05 a correction. The lines, charges
# (SAC) and taxes (TXI) of the summary make the totals; where TDS says another, that stands in `note`, since senders
# differ in what TDS has. What is still to pay is TDS, or AMT BAP. Without CUR amounts are US dollars.
#
# Left out: charges and taxes of a single line but their sum and rate, discounts for early payment, carriers, accounting.
# From outside: nothing. To change it, copy it into the site's mappings/: a file of the site goes before one that ships.

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
# "ZZ:ACME" → "acme"
def partner: split(":") | last | ascii_downcase;
def day($qualifiers): [.[]? | select(.qualifier as $q | $qualifiers | index($q))][0] | if . == null then null else .date_iso end;
def reference($qualifier): [.[]? | select(.qualifier == $qualifier) | .reference][0];
# Product numbers stand in pairs of qualifier and number: VN or VP is the seller's, BP or IN the buyer's, UP, EN and others GS1's.
def numbers: . as $line | [range(1; 11) | if . == 1 then "" else tostring end
  | {qualifier: $line["productIdQualifier\(.)"], id: $line["productId\(.)"]} | select(.qualifier and .id)];
def number($qualifiers): [.[] | select(.qualifier as $q | $qualifiers | index($q))][0].id;
def item($numbers; $seller; $buyer; $name): ($numbers | number(["VN", "VP", "SK"])) as $own | ($numbers | number(["UP", "EN", "UK", "EO"])) as $gs1 | ($numbers | number(["BP", "IN"])) as $theirs | {
  id: ($own // $gs1 // $theirs // $name // "unknown"),
  system: (if $own then $seller elif $gs1 then "gs1" elif $theirs then $buyer else $seller end),
  name: $name,
  externalReference: [($theirs | select(. and ($own or $gs1)) | {id: ., system: $buyer}), ($gs1 | select(. and $own) | {id: ., system: "gs1"})]
} | present;
def place: if .place then .place else .places[0]? end;
def address: place as $place | {
  street: [.addresses[]? | .address, .address2 | select(.)],
  city: $place.city, stateOrProvince: ($place.state // (if $place.locationQualifier == "SP" then $place.location else null end)), postcode: $place.postalCode, country: $place.country
} | present;
# 91 and 92 are numbers that the seller and the buyer gave, UL is GS1's, 1 and 9 are of Dun & Bradstreet.
def party($seller; $buyer): {
  id: (.name.id // .name.name),
  system: ({"91": $seller, "92": $buyer, "UL": "gs1", "1": "duns", "9": "duns"}[.name.idQualifier // ""] // $buyer),
  name: .name.name, address: address
} | present;
def communication($type): . as $contact | [["communicationType", "communication"], ["communicationType2", "communication2"], ["communicationType3", "communication3"]
  | select($contact[.[0]] == $type) | $contact[.[1]]][0];
# SAC: C a charge, A an allowance; the amount is N2 and was made a decimal text.
def sum_of($indicator; $scale): [.[]? | .allowanceCharge | select(.indicator == $indicator) | .amount | select(.) | units($scale)] | add // 0;
def tax_of: [.[]? | select(.percent) | {percent, taxCategory: (if .percent | test("[1-9]") then "S" else "Z" end)}][0] // {};

(.interchange.sender | partner) as $seller
| (.interchange.receiver | partner) as $buyer
| .document as $invoice
| ($invoice.currency.currency // "USD") as $currency
| ([$currency | minor, 2] | min) as $scale
| def money: {amount: amount($scale), currency: $currency};
[$invoice.parties[]?] as $parties
| def role($codes): [$codes[] as $code | $parties[] | select(.name.entity == $code)][0];
[$invoice.lines[] | .line as $line
  | ($line.quantity // "" | times($line.unitPrice // "0"; $scale)) as $gross
  | (.allowancesCharges | sum_of("A"; $scale)) as $allowance | (.allowancesCharges | sum_of("C"; $scale)) as $charge
  | (.taxes | tax_of) as $tax | {
    id: ($line.lineNumber // ""),
    invoicedQuantity: {amount: $line.quantity, unit: $line.unit},
    net: ($gross - $allowance + $charge),
    item: item($line | numbers; $seller; $buyer; .descriptions[0]?.description.description),
    price: {amount: ($line.unitPrice // "0"), currency: $currency},
    allowance: (if $allowance != 0 then $allowance | money else null end),
    charge: (if $charge != 0 then $charge | money else null end),
    taxCategory: $tax.taxCategory, percent: $tax.percent,
    orderLine: (.references | reference("LI")),
    period: ({startDate: (.dates | day(["150"])), endDate: (.dates | day(["151"]))} | present | if .startDate then . else null end)
  }] as $lines
| ([$lines[].net] | add // 0) as $net
| ($invoice.allowancesCharges | sum_of("A"; $scale)) as $allowances
| ($invoice.allowancesCharges | sum_of("C"; $scale)) as $charges
| ($net - $allowances + $charges) as $exclusive
| [$invoice.taxes[]? | select(.amount)] as $rates
| [$rates[] | (.amount | units($scale)) as $amount | {
    taxableAmount: ((if .dollarBasis then .dollarBasis | units($scale) elif ($rates | length) == 1 then $exclusive
      elif .percent // "0" | test("[1-9]") then $amount * 100 / (.percent | tonumber) | round else $exclusive end) | money),
    taxAmount: ($amount | money), taxCategory: (if (.percent // "1") | test("[1-9]") then "S" else "Z" end), percent} | present] as $taxes
| ([$taxes[].taxAmount.amount | units($scale)] | add // 0) as $tax
| ($exclusive + $tax) as $inclusive
| ($invoice.total.amount | units($scale)) as $told
| ([$invoice.amounts[]? | select(.qualifier == "BAP") | .amount][0] | if . then units($scale) else null end) as $due
| role(["BT", "BY", "ST"]) as $customer | role(["PR"]) as $payer
| {
    number: $invoice.beginning.number,
    system: $seller,
    invoiceType: (if $invoice.beginning.transactionType == "CR" then "credit-note" elif $invoice.beginning.purpose == "05" then "correction" else "invoice" end),
    issueDate: $invoice.beginning.date_iso,
    dueDate: ([$invoice.paymentTerms[]? | .netDueDate_iso | select(.)][0]),
    taxPointDate: ($invoice.dates | day(["011"])),
    documentCurrency: $currency,
    orderReference: ($invoice.beginning.orderNumber | if . then {id: ., system: $buyer} else null end),
    contractReference: ($invoice.references | reference("CT") | if . then {id: ., system: $seller} else null end),
    billingReference: ($invoice.references | reference("OI") | if . then {id: ., system: $seller} else null end),
    supplier: (role(["RE", "SE", "SU", "RI"]) | if . then party($seller; $buyer) else {id: $seller, system: $seller} end),
    customer: ($customer | if . then party($seller; $buyer) else {id: $buyer, system: $buyer} end),
    payer: ($payer | if . then party($seller; $buyer) else null end),
    contact: ([$invoice.contacts[]?][0] | if . then {name: .name, telephone: communication("TE"), email: (communication("EM") // "" | ascii_downcase)} | present else null end),
    paymentTerms: ([$invoice.paymentTerms[]? | (.netDays | select(.) | "NET\(.)"), (.description | select(.))][0]),
    invoiceLine: [$lines | to_entries[] | .key as $i | .value
      | .id = (if .id == "" then $i + 1 | tostring else .id end) | .lineExtensionAmount = (.net | money) | del(.net) | present],
    allowanceCharge: [$invoice.allowancesCharges[]? | .allowanceCharge | select((.indicator == "A" or .indicator == "C") and .amount) | {
      chargeIndicator: (.indicator == "C"), amount: (.amount | units($scale) | money),
      reasonCode: {"D240": "FC", "D500": "HD", "C310": "95"}[.code // ""], reason: .description, percent: .percent} | with_entries(select(.value != null))],
    taxTotal: $taxes,
    legalMonetaryTotal: ({
      lineExtensionAmount: ($net | money),
      allowanceTotalAmount: (if $allowances != 0 then $allowances | money else null end),
      chargeTotalAmount: (if $charges != 0 then $charges | money else null end),
      taxExclusiveAmount: ($exclusive | money),
      taxInclusiveAmount: ($inclusive | money),
      prepaidAmount: (if $due != null and $due != $told then $told - $due | money else null end),
      payableRoundingAmount: (if $due != null and $told != $inclusive then $told - $inclusive | money else null end),
      payableAmount: ($due // $told | money)
    } | present),
    note: [($invoice.notes[]? | .text | select(.)),
      (if $due == null and $told != $inclusive then "The total says \($told | amount($scale)); lines, allowances, charges and taxes make \($inclusive | amount($scale))." else empty end)],
    externalReference: [$invoice.references[]? | {"BM": "bill-of-lading", "SI": "despatch-advice", "PK": "packing-list"}[.qualifier] as $known | select($known) | {id: .reference, system: $known}]
  }
| present
