# An X12 856 ship notice in its nested form → shipment/v1, a message for each order in it.
#
#   - decode: {format: x12, form: nested, grammars: [x12-004010-856.yaml]}
#   - map: x12-856-to-shipment.jq
#   - split: {by: '.[]', id: [.orderReference.id]}
#   - validate: shipment/v1
#
# Reads 004010 and 005010, levels S, O, T, P and I in the order in which they lie within one another (0001, 0004). What an
# item is in is the next level above it that has a label (MAN GM). A lot is LIN LT, a serial number LIN SN. Left out: how packs
# lie in packs, those without a label, what was ordered, times of day (X12 seldom says in which zone), charges. From outside: nothing. The sender of the interchange is the seller, its receiver the buyer. To change it, copy it into
# the site's mappings/: a file of the site goes before one that ships.

# ---- parts
def present: with_entries(select(.value != null and .value != [] and .value != {}));
# "ZZ:ACME" → "acme"
def partner: split(":") | last | ascii_downcase;
def day($qualifiers): [.[]? | select(.qualifier as $q | $qualifiers | index($q))][0] | if . == null then null else .date_iso end;
# Product numbers stand in pairs of qualifier and number: VN or VP is the seller's, BP or IN the buyer's, UP and EN GS1's.
def numbers: . as $line | [range(1; 16) | if . == 1 then "" else tostring end
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
def role($codes): . as $parties | [$codes[] as $code | $parties[]? | select(.name.entity == $code)][0];
# What lies below a level, at any depth.
def below($children): ($children[.level.id] // [])[] | ., below($children);
# The label of a level, with the two zeros of GS1's AI 00 or without them.
def sscc: [.marks[]? | select(.qualifier == "GM") | .number | select(test("[0-9]{18}$")) | .[-18:]][0];
# The label of the next level above that has one.
def inside($by): $by[.level.parent // ""] | if . == null then null else sscc // inside($by) end;
def listed($qualifier): . as $item | [range(1; 16) | if . == 1 then "" else tostring end | select($item["productIdQualifier\(.)"] == $qualifier) | $item["productId\(.)"] | select(.)];
def communication($type): . as $contact | [["communicationType", "communication"], ["communicationType2", "communication2"], ["communicationType3", "communication3"]
  | select($contact[.[0]] == $type) | $contact[.[1]]][0];
def weight: if .weight then {amount: .weight, unit: (.weightUnit // "LB")} else null end;

(.interchange.sender | partner) as $seller
| (.interchange.receiver | partner) as $buyer
| .document as $notice
| $notice.levels as $levels
| ([$levels[] | {key: .level.id, value: .}] | from_entries) as $by
| ([$levels[] | select(.level.parent)] | group_by(.level.parent) | map({key: .[0].level.parent, value: .}) | from_entries) as $children
| ([$levels[] | select(.level.level == "S")][0] // error("the ship notice has no level S, shipment")) as $shipment
| [$levels[] | select(.level.level == "O")] as $orders
| if $orders == [] then error("the ship notice has no level O, order") else . end
| [$orders[] | . as $order | [below($children)] as $inside
  | ([$inside[] | select(.level.level == "I")] | to_entries) as $items | {
    number: $notice.beginning.number,
    system: $seller,
    issueDate: $notice.beginning.date_iso,
    status: "despatched",
    orderReference: (.order.number | if . == null or . == "NONE" then null else {id: ., system: $buyer} end),
    supplier: ($shipment.parties | role(["SF", "SE", "SU"]) | if . then party($seller; $buyer) else {id: $seller, system: $seller} end),
    customer: ($shipment.parties | role(["BY", "BT", "ST"]) | if . then party($seller; $buyer) else {id: $buyer, system: $buyer} end),
    deliveryAddress: ($shipment.parties | role(["ST"]) | if . then address else {} end),
    shipTo: ($shipment.parties | role(["ST"]) | if . and .name.id then party($seller; $buyer) else null end),
    contact: ([$shipment.parties | role(["ST"]) | .contacts[]?][0] // [$shipment.contacts[]?][0] | if . then
      {name: .name, telephone: communication("TE"), email: (communication("EM") // "" | ascii_downcase | if . == "" then null else . end)} | present else null end),
    deliveryTerms: ([$shipment.deliveryTerms.terms? // empty | select(test("^[A-Z]{3}$"))][0]),
    despatchDate: ([$notice.dates[]?, $shipment.dates[]?] | day(["011"])),
    carrier: ([$shipment.carrierRoutings[]? | .carrier | select(.) | {id: ., system: "scac"}][0]),
    trackingNumber: ([$shipment.references[]? | select(.qualifier == "CN" or .qualifier == "BM") | .reference][0]),
    expectedDeliveryDate: ([$notice.dates[]?, $shipment.dates[]?] | day(["017", "067"])),
    grossWeight: ([$shipment.carrierQuantities[]? | select(.weightQualifier == "G") | weight][0]),
    handlingUnit: [$inside[] | sscc as $sscc | select($sscc) | {sscc: $sscc, packageType: .carrierQuantities[0]?.packaging,
      grossWeight: ([.carrierQuantities[]? | select(.weightQualifier == "G") | weight][0])} | present],
    despatchLine: [$items[] | .key as $i | .value | {
      id: (.item.lineNumber // ($i + 1 | tostring)),
      deliveredQuantity: {amount: .shipped.quantity, unit: .shipped.unit},
      item: item(.item | numbers; $seller; $buyer; .descriptions[0]?.description),
      orderLine: .shipped.lineNumber,
      handlingUnit: inside($by),
      lot: (.item | listed("LT")[0]),
      serialNumber: (.item | listed("SN"))
    } | present]
  }
  | with_entries(select(.value != null and .value != [] and (.value != {} or .key == "deliveryAddress")))]
