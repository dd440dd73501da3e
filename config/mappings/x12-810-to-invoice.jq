# An X12 810 invoice in its nested form → invoice/v1.
#
#   - decode: {format: x12, form: nested, grammars: [x12-004010-810.yaml]}
#   - map: x12-810-to-invoice.jq
#   - validate: invoice/v1
#
# Reads 004010 and 005010. The sender of the interchange is the seller, who issued the invoice's numbers; its receiver is
# the buyer. TDS01 is what is to be paid; partners differ in what they count into it, so where lines, charges, allowances
# and taxes make another sum, a note says so. To change it, copy it into the site's mappings/: a file of the site goes before one that ships.

# ---- decimals: texts in, texts out; counted in cents, since numbers in jq are doubles
def decimal: (capture("^(?<sign>[-+]?)(?<whole>[0-9]*)[.]?(?<part>[0-9]*)$") // error("`\(.)` is no decimal number"))
  | {digits: ("\(if .sign == "-" then "-" else "" end)0\(.whole)\(.part)" | tonumber), scale: (.part | length)};
def cents: if .scale > 2 then .digits / pow(10; .scale - 2) | round else .digits * pow(10; 2 - .scale) end;
def padded($n): if length < $n then "0" + . | padded($n) else . end;
def money($currency): . as $cents | (fabs | tostring | padded(3))
  | {amount: "\(if $cents < 0 then "-" else "" end)\(.[:-2]).\(.[-2:])", currency: $currency};
def product_of($a; $b): {digits: ($a.digits * $b.digits), scale: ($a.scale + $b.scale)};

# ---- parts
def present: with_entries(select(.value != null and .value != [] and .value != {}));
# "ZZ:ACME" → "acme"
def partner: split(":") | last | ascii_downcase;
def day($qualifiers): [.[]? | select(.qualifier as $q | $qualifiers | index($q))][0] | if . == null then null else .date_iso end;
# Product numbers stand in pairs of qualifier and number: VN or VP is the seller's, BP or IN the buyer's, UP and EN GS1's.
def numbers: . as $line | [range(1; 11) | if . == 1 then "" else tostring end
  | {qualifier: $line["productIdQualifier\(.)"], id: $line["productId\(.)"]} | select(.qualifier and .id)];
def number($qualifiers): [.[] | select(.qualifier as $q | $qualifiers | index($q))][0].id;
def item($numbers; $seller; $buyer; $name): {
  id: ($numbers | number(["VN", "VP", "SK"]) // number(["UP", "EN", "UK"]) // number(["BP", "IN"])),
  system: (if $numbers | number(["VN", "VP", "SK"]) then $seller elif $numbers | number(["UP", "EN", "UK"]) then "gs1" else $buyer end),
  name: $name,
  externalReference: [
    ($numbers | number(["BP", "IN"]) | select(.) | {id: ., system: $buyer}),
    ($numbers | number(["UP", "EN", "UK"]) | select(.) | {id: ., system: "gs1"})
  ]
} | present;
def place: if .place then .place else .places[0]? end;
def address: place as $place | {
  street: [.addresses[]? | .address, .address2 | select(.)],
  city: $place.city, stateOrProvince: $place.state, postcode: $place.postalCode, country: $place.country
} | present;
# 91 and 92 are numbers that the seller and the buyer gave, UL is GS1's, 1 and 9 are of Dun & Bradstreet.
def party($seller; $buyer): {
  id: (.name.id // .name.name),
  system: ({"91": $seller, "92": $buyer, "UL": "gs1", "1": "duns", "9": "duns"}[.name.idQualifier // ""] // $buyer),
  name: .name.name, address: address
} | present;
def amount: if . == null then 0 else decimal | cents end;
# SAC: C a charge, A an allowance; the amount is N2 and was made a decimal text.
def sum_of($indicator): [.[]? | .allowanceCharge | select(.indicator == $indicator) | .amount | amount] | add // 0;

(.interchange.sender | partner) as $seller
| (.interchange.receiver | partner) as $buyer
| .document as $invoice
| ($invoice.currency.currency // "USD") as $currency
| [$invoice.parties[]?] as $parties
| def role($codes): [$codes[] as $code | $parties[] | select(.name.entity == $code)][0];
[$invoice.lines[] | .line as $line
  | (product_of($line.quantity // "" | decimal; $line.unitPrice // "" | decimal) | cents) as $gross
  | (.allowancesCharges | sum_of("A")) as $allowance | {
    id: ($line.lineNumber // ""),
    invoicedQuantity: {amount: $line.quantity, unit: $line.unit},
    net: ($gross - $allowance + (.allowancesCharges | sum_of("C"))),
    item: item($line | numbers; $seller; $buyer; .descriptions[0]?.description.description),
    price: {amount: $line.unitPrice, currency: $currency},
    allowance: (if $allowance > 0 then $allowance | money($currency) else null end)
  }] as $lines
| ([$lines[].net] | add // 0) as $net
| ($invoice.allowancesCharges | sum_of("A")) as $allowances
| ($invoice.allowancesCharges | sum_of("C")) as $charges
| ([$invoice.taxes[]? | .amount | amount] | add // 0) as $tax
| ($net - $allowances + $charges) as $exclusive
| ($invoice.total.amount | amount) as $payable
| {
    number: $invoice.beginning.number,
    system: $seller,
    invoiceType: (if $invoice.beginning.transactionType == "CR" then "credit-note" else "invoice" end),
    issueDate: $invoice.beginning.date_iso,
    dueDate: ([$invoice.paymentTerms[]? | .netDueDate_iso | select(.)][0]),
    taxPointDate: ($invoice.dates | day(["011"])),
    documentCurrency: $currency,
    orderReference: ($invoice.beginning.orderNumber | if . then {id: ., system: $buyer} else null end),
    supplier: (role(["RE", "SE", "SU", "RI"]) | if . then party($seller; $buyer) else {id: $seller, system: $seller} end),
    customer: (role(["BT", "BY", "ST"]) | if . then party($seller; $buyer) else {id: $buyer, system: $buyer} end),
    paymentTerms: ([$invoice.paymentTerms[]? | .netDays | select(.) | "NET\(.)"][0]),
    invoiceLine: [$lines | to_entries[] | .key as $i | .value
      | .id = (if .id == "" then $i + 1 | tostring else .id end) | .lineExtensionAmount = (.net | money($currency)) | del(.net) | present],
    legalMonetaryTotal: ({
      lineExtensionAmount: ($net | money($currency)),
      allowanceTotalAmount: (if $allowances > 0 then $allowances | money($currency) else null end),
      chargeTotalAmount: (if $charges > 0 then $charges | money($currency) else null end),
      taxExclusiveAmount: ($exclusive | money($currency)),
      taxInclusiveAmount: ($exclusive + $tax | money($currency)),
      payableAmount: ($payable | money($currency))
    } | present),
    note: [if $payable != $exclusive + $tax then "The total says \($payable | money($currency).amount); lines, allowances, charges and taxes make \($exclusive + $tax | money($currency).amount)." else empty end],
    externalReference: [$invoice.references[]? | select(.qualifier == "BM") | {id: .reference, system: "bill-of-lading"}]
  }
| present
