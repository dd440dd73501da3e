# An X12 850 purchase order in its nested form → order/v1.
#
#   - decode: {format: x12, form: nested, grammars: [x12-004010-850.yaml]}
#   - map: x12-850-to-order.jq
#   - validate: order/v1
#
# Reads 004010 and 005010. The sender of the interchange issued the order's numbers, its receiver the seller's product
# numbers. Without CUR all is in USD. Prices per hundred and per thousand (PO105) become prices of one. A total that
# the document states otherwise than its lines come to, a delivery in parts (SCH) and texts of a line become notes.
# Discounts, charges and taxes (SAC, TXI) stand beside the total. A cancellation, a change, a replacement and a
# duplicate (BEG01) are refused: they are no new order. Left out: terms of delivery and carrier (FOB, TD5), discounts
# for early payment, sublines, departments and other references than contract and quote. To change it, copy it into
# the site's mappings/: a file of the site goes before one that ships.

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
# "ZZ:ACME" → "acme"
def partner: split(":") | last | ascii_downcase | sub("[\\s\u00a0]+$"; "");
# Requested, required by, requested up to and including, scheduled delivery.
def wanted: . as $of | [["002", "106", "074", "067"][] as $kind | $of.dates[]? | select(.qualifier == $kind) | .date_iso | select(.)][0];
# Product numbers stand in pairs of qualifier and number: VN, VP or SK is the seller's, BP or IN the buyer's.
def numbers: . as $line | [range(1; 11) | if . == 1 then "" else tostring end
  | {qualifier: $line["productIdQualifier\(.)"], id: $line["productId\(.)"]} | select(.qualifier and .id)];
def number($qualifiers): [.[] | select(.qualifier as $q | $qualifiers | index($q))][0].id;
def address: {
  street: [.addresses[]? | .address, .address2 | select(.)],
  city: .places[0]?.city, stateOrProvince: (.places[0]? | .state // if .locationQualifier == "SP" then .location else null end), postcode: .places[0]?.postalCode, country: .places[0]?.country
} | present;
# 91 and 92 are numbers that the seller and the buyer gave, UL is GS1's, 1 and 9 are of Dun & Bradstreet.
def party($seller; $buyer): {
  id: (.name.id // .name.name),
  system: ({"91": $seller, "92": $buyer, "UL": "gs1", "1": "duns", "9": "duns"}[.name.idQualifier // ""] // $buyer),
  name: .name.name, address: address
} | present;
def communication($type): . as $contact | [["communicationType", "communication"], ["communicationType2", "communication2"], ["communicationType3", "communication3"]
  | select($contact[.[0]] == $type) | $contact[.[1]]][0];
# The price of one: what is told for a hundred or a thousand is divided, what is told for another unit is refused.
def price_of_one($line): . as $price
  | ({HP: 2, TP: 3, HF: 2}[$line.priceBasis // ""] // 0) as $shift
  | {HF: "FT", PP: "LB", PT: "TN"}[$line.priceBasis // ""] as $unit
  | if $unit and $unit != $line.unit then error("line \($line.lineNumber): the price is for \($unit), the quantity in \($line.unit)")
    elif $shift == 0 then $price else {digits: $price.digits, scale: ($price.scale + $shift)} | trimmed(2) end;
def charges($currency): [
  (.allowancesCharges[]? | .allowanceCharge | {
    kind: ({A: "allowance", C: "charge"}[.indicator]), code: (.code // .agencyCode | select(. != "F050") // null), description, percent: (.percent | if . then plain else null end),
    amount: (.amount | if . then decimal | money($currency) else null end)
  } | select(.kind) | present),
  (.taxes[]? | {kind: "tax", code: (.type | select(. != "TX") // null), percent: (.percent | if . then plain else null end), amount: (.amount | if . then decimal | money($currency) else null end)} | present)];
def texts: [.referencesNotes[]? | [.messages[]? | .text | select(.)] | join(" ") | select(. != "")];

if .transaction.type == "850" and .document then . else error("a transaction \(.transaction.type)\(if .document then "" else " that is not in the nested form" end) is no 850 that this mapping takes") end
| (.interchange.sender | partner) as $buyer
| (.interchange.receiver | partner) as $seller
| .document as $order
| {"01": "a cancellation", "03": "a deletion", "04": "a change", "05": "a replacement", "07": "a duplicate"}[$order.beginning.purpose] as $other
| if $other then error("order \($order.beginning.number) is \($other) (BEG01 \($order.beginning.purpose)), no new order") else . end
| ($order.currency.currency // "USD") as $currency
| [$order.parties[]?] as $parties
| def role($codes): [$codes[] as $code | $parties[] | select(.name.entity == $code)][0];
($order | wanted) as $wanted
| ([$order.lines[]] | to_entries) as $lines
| [$lines[] | (.value.line.lineNumber // (.key + 1 | tostring)) as $id | .value | .line as $line | ($line | numbers) as $numbers
  | ($line.quantity // error("line \($id) has no quantity") | decimal) as $quantity
  | ($line.unitPrice // error("line \($id) has no price") | decimal | price_of_one($line)) as $price
  | [.schedules[]? | .schedule] as $schedules
  | ([$schedules[] | .date_iso] | unique) as $days
  | {
    id: $id,
    product: ({
      id: ($numbers | number(["VN", "VP", "SK"]) // number(["UP", "EN", "EO", "UK"]) // number(["BP", "IN"])),
      system: (if $numbers | number(["VN", "VP", "SK"]) then $seller elif $numbers | number(["UP", "EN", "EO", "UK"]) then "gs1" else $buyer end),
      name: .descriptions[0]?.description.description,
      externalReference: [
        ($numbers | number(["BP", "IN"]) | select(.) | {id: ., system: $buyer}),
        ($numbers | number(["UP", "EN", "EO", "UK"]) | select(.) | {id: ., system: "gs1"})
      ]
    } | .externalReference -= [{id, system}] | present),
    quantity: {amount: ($quantity | text), unit: $line.unit},
    price: {amount: ($price | text), currency: $currency},
    total: (product_of($quantity; $price) | money($currency)),
    requestedDeliveryDate: (wanted // (if $days | length == 1 then $days[0] else null end)
      | if . == $wanted then null else . end),
    charge: charges($currency),
    notes: [
      (if $days | length > 1 then [$schedules[] | "\(.quantity | plain) \(.unit) on \(.date_iso)"] | join(", ") else empty end),
      texts[], (.messages[]? | .text | select(.))
    ]
  } | present] as $items
| ([$items[] | .total.amount | decimal] | sum_of($currency | places)) as $total
| ([$order.summary.amount | select(. and .qualifier == "TT") | .amount | decimal][0]) as $stated
| {
    number: $order.beginning.number,
    system: $buyer,
    channel: "edi",
    orderDate: $order.beginning.date_iso,
    requestedDeliveryDate: $wanted,
    customer: (role(["BY", "BT"]) | if . then party($seller; $buyer) else {id: $buyer, system: $buyer} end),
    shipTo: (role(["ST"]) | if . then party($seller; $buyer) else null end),
    billTo: (role(["BT"]) | if . then party($seller; $buyer) else null end),
    contact: ([$order.contacts[]?][0] | if . then
      {name: .name, telephone: communication("TE"), email: (communication("EM") // "" | ascii_downcase | if . == "" then null else . end)} | present else null end),
    paymentTerms: ([$order.paymentTerms[]? | (.netDays | select(.) | "NET\(tonumber)"), (.description | select(.))][0]),
    orderItem: [$items[] | del(.notes)],
    total: ($total | money($currency)),
    charge: ($order | charges($currency)),
    note: [
      ($order | texts[]), ($items[] | .id as $id | .notes[]? | "Line \($id): \(.)"),
      (if $stated and ($stated | money($currency)) != ($total | money($currency)) then "The document states a total of \($stated | text) \($currency)" else empty end)
    ],
    externalReference: [
      ($order.beginning.contract | select(.) | {id: ., system: "contract"}),
      ($order.references[]? | select(.reference) | select(.qualifier == "CT" or .qualifier == "PR" or .qualifier == "Q1") | {id: .reference, system: (if .qualifier == "CT" then "contract" else "quote" end)})
    ]
  }
| present
