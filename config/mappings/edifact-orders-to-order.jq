# An EDIFACT ORDERS in its nested form → order/v1.
#
#   - decode: {format: edifact, form: nested, grammars: [edifact-d96a-orders.yaml]}
#   - map: edifact-orders-to-order.jq
#   - validate: order/v1
#
# Reads D.96A and D.01B, EANCOM too. Parties and products that GS1 numbers (agency 9, EN) have the system gs1, agency
# 91 and SA are the seller's, who is the receiver of the interchange; all other numbers are the sender's. Prices for
# several (5284) become prices of one; a price in another unit than the quantity is refused. Allowances, charges and
# taxes (ALC, TAX) stand beside the total. A total that the document states otherwise than its lines come to,
# deliveries in parts (LOC, SCC) and texts of a line become notes. A cancellation, a change, a replacement, a
# duplicate and a copy (1225) are refused: they are no new order. Left out: terms of delivery and transport, packages,
# other references than contract, quote and price list. To change it, copy it into the site's mappings/: a file of the
# site goes before one that ships.

# ---- decimals: texts in, texts out; in between whole numbers with a scale, since numbers in jq are doubles
def decimal: . as $text
  | ltrimstr("+") | (if startswith("-") then "-" else "" end) as $sign | ltrimstr("-") | split(".") as $parts | ($parts | add // "") as $digits
  | if $parts | length > 2 or $digits == "" or ($digits | explode | all(. >= 48 and . <= 57) | not) then error("`\($text)` is no decimal number")
    elif $digits | tonumber >= 1e15 then error("`\($text)` has more than 15 digits") else . end
  | {digits: ("\($sign)\($digits)" | tonumber), scale: ($parts[1] // "" | length)};
def padded($n): if length < $n then "0" + . | padded($n) else . end;
def text: .scale as $n | (.digits | fabs | tostring | padded($n + 1)) as $digits
  | "\(if .digits < 0 then "-" else "" end)\($digits[:($digits | length) - $n])\(if $n > 0 then ".\($digits[($digits | length) - $n:])" else "" end)";
def plain: decimal | text;
def at($n): {digits: (if .scale > $n then .digits / pow(10; .scale - $n) | round else .digits * pow(10; $n - .scale) end), scale: $n};
def trimmed($least): if .scale > $least and .digits % 10 == 0 then {digits: (.digits / 10), scale: (.scale - 1)} | trimmed($least) else . end;
def product_of($a; $b): {digits: ($a.digits * $b.digits), scale: ($a.scale + $b.scale)}
  | if (.digits | fabs) > 9007199254740991 then error("\($a | text) times \($b | text) is too large") else . end;
def sum_of($n): {digits: (map(at($n).digits) | add // 0), scale: $n};
# Amounts have as many decimals as their currency.
def places: {BHD: 3, IQD: 3, JOD: 3, KWD: 3, LYD: 3, OMR: 3, TND: 3, CLP: 0, ISK: 0, JPY: 0, KRW: 0, PYG: 0, UGX: 0, VND: 0, XAF: 0, XOF: 0}[.] // 2;
def money($currency): {amount: (at($currency | places) | text), currency: $currency};

# ---- parts
def present: del(.[] | select(. == null or . == [] or . == {}));
# "14:4012345000009" → "4012345000009"
def partner: split(":") | last | ascii_downcase;
def first_of($qualifier): [.[]? | (.value // .) | select(.qualifier == $qualifier)][0];
def day($qualifier): first_of($qualifier) | if . == null then null else .date_iso[:10] end;
def system($seller; $buyer): {"9": "gs1", "16": "duns", "91": $seller}[.agency // ""] // $buyer;
# Parts of 35 characters were cut anywhere, shorter ones between words.
def joined: reduce (.[] | select(.)) as $part (null; if . == null then $part elif length % 35 == 0 then . + $part else . + " " + $part end);
def name: .party.name | if . == null then null else [.name, .name2, .name3, .name4, .name5] | joined end;
def address: {
  street: [.party.street? | objects | .street, .street2, .street3, .street4 | select(.)],
  city: .party.city, stateOrProvince: (.party.state // .party.subdivision.state // .party.subdivision.name),
  postcode: .party.postalCode, country: .party.country
} | present;
def party($seller; $buyer): {
  id: (.party.identification.id // name), system: (.party.identification // {} | system($seller; $buyer)), name: name, address: address
} | present;
def communication($type): [.communications[]? | .value | select(.communicationType == $type) | .communication][0];
# Product numbers of LIN and PIA: EN is GS1's, SA the seller's, IN and BP the buyer's.
def numbers: [(.line.product, (.additionalProducts[]? | .product, .product2, .product3, .product4, .product5)) | objects | {qualifier: .productIdQualifier, id: .productId} | select(.id)];
def number($qualifiers): [.[] | select(.qualifier as $q | $qualifiers | index($q))][0].id;
# Divided by how many a price is for: exactly by 10, 100 …, else rounded at so many decimals.
def over($by; $n): if $by.digits <= 0 then error("a price is for \($by | text)") else . end
  | {digits: (.digits * pow(10; $n - .scale + $by.scale) / $by.digits | round), scale: $n};
def price_of_one($by): ($by | trimmed(0)) as $by
  | if $by == {digits: 1, scale: 0} then .
    elif $by.scale == 0 and ($by.digits | tostring | test("^10*$")) then {digits, scale: (.scale + ($by.digits | tostring | length - 1))} | trimmed(2)
    else over($by; 6) | trimmed(2) end;
def charges($currency): [
  (.allowancesCharges[]?
    | ([.amounts[]? | .amount.value | select(.qualifier == "8" or .qualifier == "23" or .qualifier == "204") | .amount][0]) as $amount
    | ([.percentage | if type == "array" then .[] else objects end | .percentage.value.percentage][0]) as $percent
    | .allowanceCharge | {
      kind: ({A: "allowance", C: "charge", N: "charge"}[.indicator]), code: .service.code,
      description: ([.service.description, .service.description2] | joined),
      percent: ($percent | if . then plain else null end), amount: ($amount | if . then decimal | money($currency) else null end)
    } | select(.kind and (.amount or .percent)) | present),
  (.taxes[]?
    | ([.amount, .amounts[]? | objects | .value // .amount.value | select(.qualifier == "124" or .qualifier == "176") | .amount][0]) as $amount
    | .tax | {kind: "tax", code: .type.type, description: .type.name, percent: (.rate.rate // null | if . then plain else null end), amount: ($amount | if . then decimal | money($currency) else null end)}
    | select(.amount or .percent) | present)];
def texts: [.texts[]? | .text | objects | [.text, .text2, .text3, .text4, .text5] | map(select(.)) | join(" ")];

if .transaction.type == "ORDERS" and .document then . else error("a message \(.transaction.type)\(if .document then "" else " that is not in the nested form" end) is no ORDERS that this mapping takes") end
| (.interchange.sender | partner) as $buyer
| (.interchange.receiver | partner) as $seller
| .document as $order
| ($order.beginning.number // $order.beginning.identification.number) as $name
| {"1": "a cancellation", "3": "a deletion", "4": "a change", "5": "a replacement", "7": "a duplicate", "31": "a copy"}[$order.beginning.purpose // ""] as $other
| if $other then error("order \($name) is \($other) (1225 is \($order.beginning.purpose)), no new order") else . end
| ([($order.currencies[]? | .currency.currency.currency), ($order.lines[].amounts[]?, $order.amounts[]? | .value.currency?) | select(.)][0] // error("the order says no currency (CUX)")) as $currency
| [$order.parties[]?] as $parties
| def role($codes): [$codes[] as $code | $parties[] | select(.party.entity == $code)][0];
($order.dates | day("2")) as $wanted
| [$order.lines[] | .line.lineNumber as $id | numbers as $numbers
  | ([.quantities[]? | (.quantity // .value // .) | select(.qualifier == "21")][0] // error("line \($id) has no quantity (QTY 21)")) as $ordered
  | ($ordered.quantity | decimal) as $quantity
  | (["AAA", "AAB"] as $kinds | [$kinds[] as $kind | .prices[]? | .price.value | select(.qualifier == $kind)][0] // error("line \($id) has no price (PRI AAA or AAB)")) as $priced
  | if $priced.unit and $ordered.unit and $priced.unit != $ordered.unit then error("line \($id): the price is for \($priced.unit), the quantity in \($ordered.unit)") else . end
  | ($priced.unitPrice // error("line \($id) has no price (PRI AAA or AAB)") | decimal) as $price
  | ($priced.priceBasis // "1" | decimal) as $by
  | (product_of($quantity; $price) | over($by; $currency | places) | money($currency)) as $total
  | ([.amounts[]? | .value | select(.qualifier == "203") | .amount | decimal][0]) as $stated
  | (.dates | day("2")) as $day
  | {
    id: $id,
    product: ({
      id: ($numbers | number(["SA"]) // number(["EN", "UP", "SRV"]) // number(["IN", "BP"])),
      system: (if $numbers | number(["SA"]) then $seller elif $numbers | number(["EN", "UP", "SRV"]) then "gs1" else $buyer end),
      name: [.descriptions[]? | .description? | objects | select(.text) | [.text, .text2] | joined][0],
      externalReference: [
        ($numbers | number(["IN", "BP"]) | select(.) | {id: ., system: $buyer}),
        ($numbers | number(["EN", "UP", "SRV"]) | select(.) | {id: ., system: "gs1"})
      ]
    } | .externalReference -= [{id, system}] | present),
    quantity: {amount: ($quantity | text), unit: ($ordered.unit // $priced.unit // "C62")},
    price: {amount: ($price | price_of_one($by) | text), currency: $currency},
    total: $total,
    requestedDeliveryDate: (if $day == $wanted then null else $day end),
    charge: charges($currency),
    notes: [
      ([(.locations[]? | select(.quantity) | {quantity, dates, at: .location.location.id}), (.schedules[]? | .quantities[]?)
        | "\(.quantity.value.quantity) \(.quantity.value.unit // $ordered.unit // "")\(if .at then " at \(.at)" else "" end)\(.dates | day("2") | if . then " on \(.)" else "" end)"]
        | if length > 0 then join(", ") else empty end),
      texts[],
      (if $stated and ($stated | money($currency)) != $total then "The document states \($stated | money($currency).amount) \($currency)" else empty end)
    ]
  } | present] as $items
| ([$items[] | .total.amount | decimal] | sum_of($currency | places)) as $total
| ([(["79", "86"][] as $kind | $order.amounts[]? | .value // .amount.value | select(.qualifier == $kind) | .amount | decimal)][0]) as $stated
| {
    number: $name,
    system: $buyer,
    channel: "edi",
    orderDate: ($order.dates | day("137") // day("4")),
    requestedDeliveryDate: $wanted,
    customer: (role(["BY", "IV"]) | if . then party($seller; $buyer) else {id: $buyer, system: $buyer} end),
    shipTo: (role(["DP", "ST"]) | if . then party($seller; $buyer) else null end),
    billTo: (role(["IV"]) | if . then party($seller; $buyer) else null end),
    contact: ([role(["BY"]) | .contacts[]?][0] | if . then
      {name: .contact.department.name, telephone: communication("TE"), email: communication("EM")} | present else null end),
    paymentTerms: ([$order.paymentTerms[]? | .paymentTerms | (.period | objects | select(.period == "D") | "NET\(.periods)"), (.terms | objects | [.text, .text2] | joined | select(.))][0]),
    orderItem: [$items[] | del(.notes)],
    total: ($total | money($currency)),
    charge: ($order | charges($currency)),
    note: [
      ($order | texts[]), ($items[] | .id as $id | .notes[]? | "Line \($id): \(.)"),
      (if $stated and ($stated | money($currency)) != ($total | money($currency)) then "The document states a total of \($stated | money($currency).amount) \($currency)" else empty end)
    ],
    externalReference: [$order.references[]? | .reference.value | select(.qualifier == "CT" or .qualifier == "AAG" or .qualifier == "PR") | {id: .reference, system: (if .qualifier == "CT" then "contract" else "quote" end)}]
  }
| present
