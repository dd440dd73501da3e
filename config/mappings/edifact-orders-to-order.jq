# An EDIFACT ORDERS in its nested form → order/v1.
#
#   - decode: {format: edifact, form: nested, grammars: [edifact-d96a-orders.yaml]}
#   - map: edifact-orders-to-order.jq
#   - validate: order/v1
#
# Reads D.96A and D.01B, EANCOM too. Parties and products that GS1 numbers (agency 9, EN) have the system gs1; the other
# numbers are those of the sender or, for the seller's products, of the receiver. To change it, copy it into the site's
# mappings/: a file of the site goes before one that ships.

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
# "14:4012345000009" → "4012345000009"
def partner: split(":") | last | ascii_downcase;
def first_of($qualifier): [.[]? | (.value // .) | select(.qualifier == $qualifier)][0];
def day($qualifier): first_of($qualifier) | if . == null then null else .date_iso[:10] end;
def system($own): if .agency == "9" then "gs1" else $own end;
def address: {
  street: [.party.street? | objects | .street, .street2, .street3 | select(.)],
  city: .party.city, stateOrProvince: .party.subEntity, postcode: .party.postalCode, country: .party.country
} | present;
def party($own): {
  id: (.party.identification.id // .party.name.name), system: (.party.identification | system($own)), name: .party.name.name, address: address
} | present;
def communication($type): [.communications[]? | .value | select(.communicationType == $type) | .communication][0];
# Product numbers of LIN and PIA: EN is GS1's, SA the seller's, IN and BP the buyer's.
def numbers: [(.line.product, (.additionalProducts[]? | .product, .product2, .product3)) | objects | {qualifier: .productIdQualifier, id: .productId} | select(.id)];
def number($qualifiers): [.[] | select(.qualifier as $q | $qualifiers | index($q))][0].id;

(.interchange.sender | partner) as $buyer
| (.interchange.receiver | partner) as $seller
| .document as $order
| ([$order.currencies[]? | .currency.currency.currency | select(.)][0] // error("the order says no currency (CUX)")) as $currency
| [$order.parties[]?] as $parties
| def role($codes): [$codes[] as $code | $parties[] | select(.party.entity == $code)][0];
[$order.lines[] | . as $line | numbers as $numbers
  | ([.quantities[]? | (.quantity // .value // .) | select(.qualifier == "21")][0]) as $quantity
  | ([.prices[]? | .price.value | select(.qualifier == "AAA" or .qualifier == "AAB")][0]) as $price
  | {
    id: .line.lineNumber,
    product: ({
      id: ($numbers | number(["SA"]) // number(["EN", "UP", "SRV"]) // number(["IN", "BP"])),
      system: (if $numbers | number(["SA"]) then $seller elif $numbers | number(["EN", "UP", "SRV"]) then "gs1" else $buyer end),
      name: [.descriptions[]? | (.description? | objects | .text) | select(.)][0],
      externalReference: [
        ($numbers | number(["IN", "BP"]) | select(.) | {id: ., system: $buyer}),
        ($numbers | number(["EN", "UP", "SRV"]) | select(.) | {id: ., system: "gs1"})
      ]
    } | present),
    quantity: {amount: $quantity.quantity, unit: ($quantity.unit // "C62")},
    price: {amount: $price.unitPrice, currency: $currency},
    cents: (product_of($quantity.quantity // "" | decimal; $price.unitPrice // "" | decimal) | cents),
    requestedDeliveryDate: (.dates | day("2"))
  }] as $lines
| {
    number: $order.beginning.number,
    system: $buyer,
    channel: "edi",
    orderDate: ($order.dates | day("137") // day("4")),
    requestedDeliveryDate: ($order.dates | day("2")),
    customer: (role(["BY", "IV"]) | if . then party($buyer) else {id: $buyer, system: $buyer} end),
    shipTo: (role(["DP", "ST"]) | if . then party($buyer) else null end),
    billTo: (role(["IV"]) | if . then party($buyer) else null end),
    contact: ([role(["BY"]) | .contacts[]?][0] | if . then
      {name: .contact.department.name, telephone: communication("TE"), email: communication("EM")} | present else null end),
    paymentTerms: ([$order.paymentTerms[]? | .paymentTerms.period | objects | select(.period == "D") | "NET\(.periods)"][0]),
    orderItem: [$lines[] | .total = (.cents | money($currency)) | del(.cents) | present],
    total: ([$lines[].cents] | add // 0 | money($currency)),
    note: [$order.texts[]? | .text | objects | [.text, .text2, .text3, .text4, .text5] | map(select(.)) | join(" ")],
    externalReference: [$order.references[]? | .reference.value | select(.qualifier == "CT" or .qualifier == "AAG" or .qualifier == "PR") | {id: .reference, system: (if .qualifier == "CT" then "contract" else "quote" end)}]
  }
| present
