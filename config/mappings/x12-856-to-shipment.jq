# An X12 856 ship notice in its nested form → shipment/v1, a message for each order in it.
#
#   - decode: {format: x12, form: nested, grammars: [x12-004010-856.yaml]}
#   - map: x12-856-to-shipment.jq
#   - split: {by: '.[]', id: [.orderReference.id]}
#   - validate: shipment/v1
#
# Reads 004010 and 005010, levels S, O, T, P and I in the order in which they lie within one another (0001), and leaves
# out the packs between. The sender of the interchange is the seller, its receiver the buyer. To change it, copy it into
# the site's mappings/: a file of the site goes before one that ships.

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
def role($codes): . as $parties | [$codes[] as $code | $parties[]? | select(.name.entity == $code)][0];
# What lies below a level, at any depth.
def below($levels): .level.id as $id | [$levels[] | select(.level.parent == $id)] | . + (map(below($levels)) | add // []);
def weight: if .weight then {amount: .weight, unit: (.weightUnit // "LB")} else null end;

(.interchange.sender | partner) as $seller
| (.interchange.receiver | partner) as $buyer
| .document as $notice
| $notice.levels as $levels
| ([$levels[] | select(.level.level == "S")][0] // error("the ship notice has no level S, shipment")) as $shipment
| [$levels[] | select(.level.level == "O")] as $orders
| if $orders == [] then error("the ship notice has no level O, order") else . end
| [$orders[] | . as $order | below($levels) as $inside
  | ([$inside[] | select(.level.level == "I")] | to_entries) as $items | {
    number: $notice.beginning.number,
    system: $seller,
    issueDate: $notice.beginning.date_iso,
    status: "despatched",
    orderReference: {id: .order.number, system: $buyer},
    supplier: ($shipment.parties | role(["SF", "SE", "SU"]) | if . then party($seller; $buyer) else {id: $seller, system: $seller} end),
    customer: ($shipment.parties | role(["ST", "BY"]) | if . then party($seller; $buyer) else {id: $buyer, system: $buyer} end),
    deliveryAddress: ($shipment.parties | role(["ST"]) | if . then address else null end),
    carrier: ([$shipment.carrierRoutings[]? | .carrier | select(.) | {id: ., system: "scac"}][0]),
    trackingNumber: ([$shipment.references[]? | select(.qualifier == "CN" or .qualifier == "BM") | .reference][0]),
    expectedDeliveryDate: ([$notice.dates[]?, $shipment.dates[]?] | day(["017", "067"])),
    grossWeight: ([$shipment.carrierQuantities[]? | select(.weightQualifier == "G") | weight][0]),
    handlingUnit: [$inside[] | .marks[]? | select(.qualifier == "GM") | {sscc: (.number | .[-18:])}],
    despatchLine: [$items[] | .key as $i | .value | {
      id: (.item.lineNumber // ($i + 1 | tostring)),
      deliveredQuantity: {amount: .shipped.quantity, unit: .shipped.unit},
      item: item(.item | numbers; $seller; $buyer; .descriptions[0]?.description),
      orderLine: .shipped.lineNumber
    } | present]
  }
  | present]
