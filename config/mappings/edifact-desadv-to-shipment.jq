# An EDIFACT DESADV in its nested form → shipment/v1, a message for each order in it.
#
#   - decode: {format: edifact, form: nested, grammars: [edifact-d96a-desadv.yaml, edifact-d01b-desadv.yaml]}
#   - map: edifact-desadv-to-shipment.jq
#   - split: {by: '.[]', id: [.orderReference.id]}
#   - validate: shipment/v1
#
# Reads D.96A and D.01B, EANCOM too. The order of a line is that of its own RFF ON, else that of the message. A package is
# what has a label: an SSCC in GIN BJ; what the lines below the same CPS are in is the last of them. QVR and QTY 83 say what is still
# to come, QVR with the reason CP nothing. Lots are GIN BX, PIA NB or GIR BX, serial numbers GIN BN.
# The sender of the interchange is the seller, its receiver the buyer. Numbers of agency 9 are GS1's (system gs1), of 91 the
# seller's, of 92 the buyer's.
#
# Left out: how packages lie in packages, packages without a label, dates of durability, dangerous goods, equipment, times
# of day (EDIFACT does not say in which zone). A range of numbers (GIN with from and to) is refused. From outside: nothing.
# To change it, copy it into the site's mappings/: a file of the site goes before one that ships.

# ---- parts
def present: with_entries(select(.value != null and .value != [] and .value != {} and .value != ""));
# "14:4012345000009" → "4012345000009"
def partner: split(":") | last | ascii_downcase;
def day($qualifiers): [$qualifiers[] as $q | (.[]? | .value | select(.qualifier == $q) | .date_iso)][0] | if . then .[:10] else null end;
def reference($qualifiers): [$qualifiers[] as $q | .[]? | .reference.value | select(.qualifier == $q)][0];
def system($seller; $buyer): {"9": "gs1", "91": $seller, "92": $buyer}[.agency // ""] // $seller;
# Lines of a text: one that is full went on in the middle of a word.
def joined($full): reduce .[] as $part (""; if . == "" then $part elif .[-1:] == "\u0000" then .[:-1] + $part else . + " " + $part end
  | if ($part | length) == $full then . + "\u0000" else . end) | rtrimstr("\u0000");
def address: {
  street: ([.party.street? | objects | .street, .street2, .street3, .street4 | select(.)]),
  city: .party.city, stateOrProvince: (.party.state // [.party.subdivision? | objects | .[]][0]), postcode: .party.postalCode, country: .party.country
} | present;
def name: .party | ([.name? | objects | .name, .name2, .name3, .name4, .name5 | select(.)] | joined(35)) as $name | if $name != "" then $name else .nameAddress.line? end;
def party($seller; $buyer): .party.identification as $id | {
  id: ($id.id? // name), system: ($id | system($seller; $buyer)), name: name, address: address
} | present;
def contact: if . == null then null else {name: .contact.department.name,
  telephone: [.communications[]? | .value | select(.communicationType == "TE") | .communication][0],
  email: [.communications[]? | .value | select(.communicationType == "EM") | .communication | ascii_downcase][0]} | present end;
# Product numbers of LIN and PIA: EN and SRV are GS1's, SA the seller's, IN and BP the buyer's.
def numbers: [(.line.product, (.additionalProducts[]? | .product, .product2, .product3, .product4, .product5)) | objects | {qualifier: .productIdQualifier, id: .productId} | select(.id)];
def number($qualifiers): [.[] | select(.qualifier as $q | $qualifiers | index($q))][0].id;
def item($numbers; $seller; $buyer; $name): ($numbers | number(["EN", "SRV", "UP"])) as $gs1 | ($numbers | number(["SA"])) as $own | ($numbers | number(["IN", "BP"])) as $theirs | {
  id: ($own // $gs1 // $theirs // $name // "unknown"),
  system: (if $own then $seller elif $gs1 then "gs1" elif $theirs then $buyer else $seller end),
  name: $name,
  externalReference: [($theirs | select(. and ($own or $gs1)) | {id: ., system: $buyer}), ($gs1 | select(. and $own) | {id: ., system: "gs1"})]
} | present;
# The numbers of GIN segments somewhere below, of one kind.
def goods($qualifier): [.. | objects | select(.qualifier == $qualifier and (.range | type) == "object") | .range, .range2, .range3, .range4, .range5 | select(.)
  | if .to and .to != .from then error("a range of numbers from \(.from) to \(.to) has no place in a shipment") else .from end];
def weight: [.[]? | select(.measurement.dimension as $d | ["G", "AAD", "AAB"] | index($d)) | .range | select(.value) | {amount: .value, unit: (.unit // "KGM")}][0];
def sscc: goods("BJ") | map(select(test("[0-9]{18}$")) | .[-18:]);

(.interchange.sender | partner) as $seller
| (.interchange.receiver | partner) as $buyer
| .document as $notice
| [$notice.parties[]?] as $parties
| def role($codes): [$codes[] as $code | $parties[] | select(.party.entity == $code)][0];
($notice.references | reference(["ON"]) | .reference?) as $order
| [$notice.packingLevels[]? | [.packages[]? | . as $package | [.marks[]?] | sscc | . as $labels | .[] | {
      sscc: ., packageType: $package.package.type.packaging,
      grossWeight: (if ($labels | length) == 1 then $package.measurements | weight else null end)} | present] as $units
    | {units: $units, lines: [.lines[]? | {of: ., unit: $units[-1].sscc}]}] as $levels
| [$levels[].lines[] | .unit as $unit | .of | . as $line | numbers as $numbers
  | (.references | reference(["ON"])) as $own
  | ([("12", "46", "1", "21") as $q | .quantities[]? | .value | select(.qualifier == $q)][0] // error("line \(.line.lineNumber) says no quantity (QTY 12)")) as $quantity
  | ([.quantities[]? | .value | select(.qualifier == "83") | .quantity][0] // [.variances[]?.quantityVariance, .quantityVariances[]? | objects
      | select(.discrepancy != "CP") | .variance | select(.qualifier == null or .qualifier == "21") | .quantity | select(startswith("-")) | .[1:]][0]) as $open
  | ([.marks[]?, .goodsIdentities[]?] | goods("BX")[0]) as $batch
  | {order: ($own.reference // $order), units: [.marks[]? | [.] | sscc[]],
    line: ({
      id: .line.lineNumber,
      deliveredQuantity: {amount: $quantity.quantity, unit: ($quantity.unit // "C62")},
      outstandingQuantity: (if $open then {amount: $open, unit: ($quantity.unit // "C62")} else null end),
      item: item($numbers; $seller; $buyer; [.descriptions[]? | .description? | objects | [.text, .text2 | select(.)] | joined(35) | select(. != "")][0]),
      orderLine: ($own.lineNumber // (.references | reference(["LI"]) | .reference?)),
      handlingUnit: ([.marks[]?] | sscc[-1:][0] // $unit),
      lot: ($batch // ($numbers | number(["NB"])) // [.. | objects | select(.qualifier == "BX" and .number) | .number][0]),
      serialNumber: ([.marks[]?, .goodsIdentities[]?] | goods("BN"))
    } | present)}] as $lines
| if $lines == [] then error("the despatch advice has no line") else . end
| role(["DP", "ST", "CN", "UC"]) as $place | role(["BY", "CN", "DP", "ST"]) as $customer | role(["SU", "SE", "SF", "CZ"]) as $supplier
| [$notice.transports[]? | .transport.carrier | select(.id or .name)][0] as $carrier
| ([$lines[].order] | reduce .[] as $one ([]; if index([$one]) then . else . + [$one] end)) as $orders
| ([$levels[].units[]] + [$lines[].units[] | {sscc: .}] | unique_by(.sscc)) as $units
| [$orders[] as $one | [$lines[] | select(.order == $one) | .line] as $of | {
    number: ($notice.beginning.number // $notice.beginning.identification.number),
    system: $seller,
    issueDate: (($notice.dates | day(["137"])) // error("the despatch advice has no date (DTM 137)")),
    status: "despatched",
    orderReference: (if $one then {id: $one, system: $buyer} else null end),
    supplier: ($supplier | if . then party($seller; $buyer) else {id: $seller, system: $seller} end),
    customer: ($customer | if . then party($seller; $buyer) else {id: $buyer, system: $buyer} end),
    deliveryAddress: ($place // $customer | if . then address else {} end),
    shipTo: ($place | if . and (.party.identification.id? or .party.name) then party($seller; $buyer) else null end),
    contact: ([$place.contacts[]?][0] | contact),
    carrier: (if $carrier then {id: ($carrier.id // $carrier.name), system: (if $carrier.agency == "9" then "gs1" elif $carrier.id // "" | test("^[A-Z]{2,4}$") then "scac" else $seller end),
      name: $carrier.name} | present else null end),
    trackingNumber: ($notice.references | reference(["CN", "BM", "AAS"]) | .reference?),
    deliveryTerms: ([$notice.deliveryTerms[]? | .deliveryTerms.terms.code | select(. and test("^[A-Z]{3}$"))][0]),
    despatchDate: ($notice.dates | day(["11"])),
    expectedDeliveryDate: ($notice.dates | day(["17", "69", "2"])),
    grossWeight: ($notice.measurements | weight),
    handlingUnit: (if ($orders | length) == 1 then $units else [$units[] | select(.sscc as $sscc | [$of[].handlingUnit] | index($sscc))] end),
    despatchLine: $of
  } | with_entries(select(.value != null and .value != [] and (.value != {} or .key == "deliveryAddress")))]
