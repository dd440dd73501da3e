# An X12 850 purchase order in its nested form → order/v1.
#
#   - decode: {format: x12, form: nested, grammars: [x12-004010-850.yaml]}
#   - map: x12-850-to-order.jq
#   - validate: order/v1
#
# Reads 004010 and 005010. The sender of the interchange issued the order's numbers, its receiver the seller's product
# numbers. To change it, copy it into the site's mappings/: a file of the site goes before one that ships.

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
def day: if . == null then null else .date_iso end;
# Product numbers stand in pairs of qualifier and number: VN or VP is the seller's, BP or IN the buyer's.
def numbers: . as $line | [range(1; 11) | if . == 1 then "" else tostring end
  | {qualifier: $line["productIdQualifier\(.)"], id: $line["productId\(.)"]} | select(.qualifier and .id)];
def number($qualifiers): [.[] | select(.qualifier as $q | $qualifiers | index($q))][0].id;
def address: {
  street: [.addresses[]? | .address, .address2 | select(.)],
  city: .places[0]?.city, stateOrProvince: .places[0]?.state, postcode: .places[0]?.postalCode, country: .places[0]?.country
} | present;
# 91 and 92 are numbers that the seller and the buyer gave, UL is GS1's, 1 and 9 are of Dun & Bradstreet.
def party($seller; $buyer): {
  id: (.name.id // .name.name),
  system: ({"91": $seller, "92": $buyer, "UL": "gs1", "1": "duns", "9": "duns"}[.name.idQualifier // ""] // $buyer),
  name: .name.name, address: address
} | present;
def communication($type): . as $contact | [["communicationType", "communication"], ["communicationType2", "communication2"], ["communicationType3", "communication3"]
  | select($contact[.[0]] == $type) | $contact[.[1]]][0];

(.interchange.sender | partner) as $buyer
| (.interchange.receiver | partner) as $seller
| .document as $order
| ($order.currency.currency // "USD") as $currency
| [$order.parties[]?] as $parties
| def role($codes): [$codes[] as $code | $parties[] | select(.name.entity == $code)][0];
[$order.lines[] | .line as $line | ($line | numbers) as $numbers | {
    id: ($line.lineNumber // ""),
    product: ({
      id: ($numbers | number(["VN", "VP", "SK"]) // number(["UP", "EN", "UK"]) // number(["BP", "IN"])),
      system: (if $numbers | number(["VN", "VP", "SK"]) then $seller elif $numbers | number(["UP", "EN", "UK"]) then "gs1" else $buyer end),
      name: .descriptions[0]?.description.description,
      externalReference: [
        ($numbers | number(["BP", "IN"]) | select(.) | {id: ., system: $buyer}),
        ($numbers | number(["UP", "EN", "UK"]) | select(.) | {id: ., system: "gs1"})
      ]
    } | present),
    quantity: {amount: $line.quantity, unit: $line.unit},
    price: {amount: $line.unitPrice, currency: $currency},
    cents: (product_of($line.quantity // "" | decimal; $line.unitPrice // "" | decimal) | cents),
    requestedDeliveryDate: ([.dates[]? | select(.qualifier == "002")][0] | day)
  }] as $lines
| {
    number: $order.beginning.number,
    system: $buyer,
    channel: "edi",
    orderDate: $order.beginning.date_iso,
    requestedDeliveryDate: ([$order.dates[]? | select(.qualifier == "002")][0] | day),
    customer: (role(["BY", "BT"]) | if . then party($seller; $buyer) else {id: $buyer, system: $buyer} end),
    shipTo: (role(["ST"]) | if . then party($seller; $buyer) else null end),
    billTo: (role(["BT"]) | if . then party($seller; $buyer) else null end),
    contact: ([$order.contacts[]?][0] | if . then
      {name: .name, telephone: communication("TE"), email: (communication("EM") // "" | ascii_downcase | if . == "" then null else . end)} | present else null end),
    paymentTerms: ([$order.paymentTerms[]? | .netDays | select(.) | "NET\(.)"][0]),
    orderItem: [$lines | to_entries[] | .key as $i | .value
      | .id = (if .id == "" then $i + 1 | tostring else .id end) | .total = (.cents | money($currency)) | del(.cents) | present],
    total: ([$lines[].cents] | add // 0 | money($currency)),
    note: [$order.referencesNotes[]? | .messages[]? | .text | select(.)],
    externalReference: [$order.beginning.contract | select(.) | {id: ., system: "contract"}]
  }
| present
