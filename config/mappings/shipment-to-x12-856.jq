# shipment/v1 → an X12 856 ship notice, as `encode: x12` takes it. A list of shipments with one number is one ship notice of
# several orders.
#
#   - map: shipment-to-x12-856.jq
#   - encode:
#       format: x12
#       envelope: '{interchange: {sender: "ZZ:OURS", receiver: "ZZ:THEIRS", control: .control}, group: {control: .control}}'
#
# Not in a shipment, and given by the envelope: sender, receiver and control numbers. With them it may say separators,
# `usage: "T"`, and for 005010 `version: "00501"` of the interchange and "005010" of the group.
#
# Levels are shipment, order, pack and item (0001), or without packages shipment, order and item (0004); an item without a
# package lies below its order, a package without an item below the first. A number whose system is the customer's or the
# order's, and not the shipment's, is the buyer's (92, BP), one of gs1 or duns theirs, any other the seller's (91, VP).
# Units of UN/ECE Recommendation 20 become those of X12, where the table below has them. A number or unit that has no room
# is refused, texts are cut between words. BSN has a time: that of despatchedAt, or 0000. Without an order PRF says NONE.
# Lost: outstandingQuantity, status, despatchedAt but its day, deliveredAt, signedBy, trackingUrl, externalReference, the
# carrier's name where it has a code, kinds of packages that are not three to five characters, extension. Otherwise
# x12-856-to-shipment.jq makes the same shipment of it again. To change it, copy it into the site's mappings/.

# ---- decimals: texts in, texts out
def decimal: if type == "string" and test("^[-+]?[0-9]+([.][0-9]*)?$") then . else error("`\(.)` is no decimal number") end;
def places: (split(".")[1] // "") | length;
def units($scale): decimal | places as $places | ltrimstr("+") | split(".") | join("") | tonumber * pow(10; $scale - $places);
def amount($scale): (if . < 0 then "-" else "" end) as $sign | (fabs | tostring)
  | "0" * ([$scale + 1 - length, 0] | max) + . | if $scale > 0 then "\($sign)\(.[:-$scale]).\(.[-$scale:])" else "\($sign)\(.)" end;

# ---- segments of X12
def segment: map(. // "") | until(length == 0 or .[-1] != ""; .[:-1]);
def clean: explode as $letters | if any($letters[]; . < 32 or . == 127) then $letters | map(if . < 32 or . == 127 then 32 else . end) | implode else . end;
def room($n; $what): clean | if length > $n then error("\($what) `\(.)` has more than \($n) characters, for which X12 has no room") else . end;
# A text in pieces of so many characters, cut between words.
def pieces($n): reduce (clean | split(" ")[] | select(. != "") | if length > $n then range(0; length; $n) as $i | .[$i:$i + $n] else . end) as $word ([];
  if length > 0 and (.[-1] + " " + $word | length) <= $n then .[:-1] + [.[-1] + " " + $word] else . + [$word] end);
def date: split("-") | join("");
def unit: {C62: "EA", PCE: "PC", H87: "PC", KGM: "KG", GRM: "GR", LBR: "LB", ONZ: "OZ", LTR: "LT", GLL: "GA", MTR: "MR", CMT: "CM", FOT: "FT", INH: "IN", YRD: "YD",
    FTK: "SF", DZN: "DZ", SET: "ST", HUR: "HR"}[.] // . | if test("^[0-9A-Z]{2}$") then . else error("unit `\(.)` has no code in X12: add it to the mapping's table") end;
def gtin: {"8": "EO", "12": "UP", "13": "EN", "14": "UK"}[length | tostring] // "EN";
# Whose number is it? The buyer's only where its system is the buyer's, or the order's.
def whose($of): if .system == "gs1" or .system == "duns" then .system elif .system == $of.system then "seller"
  elif .system == $of.customer.system or .system == $of.orderReference.system? then "buyer" else "seller" end;

(if type == "array" then . else [.] end) as $shipments
| $shipments[0] as $first
| if [$shipments[].number] | unique | length != 1 then error("these are shipments of several numbers: give one after the other") else . end
| def party($role; $contact): if . == null then empty else
    (.name // "" | pieces(60)) as $name | [.address.street[]? | pieces(55)[]][:4] as $street
    | (if .id == null or .id == .name then ["N1", $role, ($name[0] // "Delivery place")] else
        ["N1", $role, $name[0], ({seller: "91", buyer: "92", gs1: "UL"}[whose($first)] // (if .id | length > 9 then "9" else "1" end)), (.id | room(80; "the number of a party"))] end),
      (if $name | length > 1 then ["N2"] + $name[1:3] else empty end),
      (range(0; $street | length; 2) as $i | ["N3"] + $street[$i:$i + 2]),
      (.address // {} | (.stateOrProvince // "") as $state | select(.city or .postcode or .country or $state != "")
        | ["N4", (.city // "" | clean | .[:30]), (if $state | test("^[A-Z]{2}$") then $state else "" end), .postcode, .country]
          + (if $state == "" or ($state | test("^[A-Z]{2}$")) then [] else ["SP", ($state | clean | .[:30])] end)),
      ($contact // {} | select(. != {}) | [[("TE", .telephone), ("EM", .email)] | .[0:2], .[2:4] | select(.[1])[]] as $numbers
        | ["PER", "DC", (.name // "" | clean | .[:60])] + [$numbers[] | room(80; "the number of a contact")]) end;
def weighed: if . == null then ["", "", ""] else ["G", .amount, (.unit | unit)] end;
def products($of): [{id: .item.id, system: .item.system}, .item.externalReference[]?]
  | map({id, of: (whose($of) as $who | if $who == "gs1" then .id | gtin else {seller: "VP", buyer: "BP"}[$who] end)} | select(.of))
  | unique_by([.of, .id]) | sort_by(.of != "VP") | [limit(10; .[]) | .of, (.id | room(48; "the product number"))];
def item($of): [
    (["LIN", (.id | room(20; "the line's number"))] + (products($of) + (if .lot then ["LT", (.lot | room(48; "the lot"))] else [] end)
      + [.serialNumber[]? | "SN", room(48; "the serial number")] | if length > 30 then error("line has more numbers than LIN has places") else . end)),
    ["SN1", .orderLine, (.deliveredQuantity.amount | decimal), (.deliveredQuantity.unit | unit)],
    (.item.name | select(.) | ["PID", "F", "", "", "", (pieces(80)[0])])
  ];
def pack: [
    (if (.packageType // "" | test("^[0-9A-Z]{3,5}$")) or .grossWeight then
      ["TD1", (if .packageType // "" | test("^[0-9A-Z]{3,5}$") then .packageType, "1" else "", "" end), "", "", ""] + (.grossWeight | weighed) else empty end),
    ["MAN", "GM", "00\(.sscc)"]
  ];
# ---- levels: a list of {level, up: its place in the list, segments}; HL numbers them
([$shipments[].despatchLine[].handlingUnit | select(.) | {key: ., value: true}] | from_entries) as $used
| reduce range($shipments | length) as $i ([{level: "S", segments: [
    (if $first.grossWeight or ($first.handlingUnit // []) != [] then
      ["TD1", "", (($first.handlingUnit // []) | if length > 0 then "\(length)" else "" end), "", "", ""] + ($first.grossWeight | weighed) else empty end),
    ($first.carrier | select(.) | if .system == "scac" then ["TD5", "B", "2", .id] else ["TD5", "B", "", "", "", (.name // .id | pieces(35)[0])] end),
    ($first.trackingNumber | select(.) | ["REF", "CN", room(30; "the tracking number")]),
    (($first.despatchDate // ($first.despatchedAt // "" | .[:10])) | select(. != "") | ["DTM", "011", date]),
    ($first.expectedDeliveryDate | select(.) | ["DTM", "017", date]),
    ($first.deliveryTerms | select(.) | ["FOB", "DF", "", "", "01", .]),
    ($first.supplier | party("SF"; null)), ($first.customer | party("BY"; null)),
    (if $first.shipTo or $first.deliveryAddress != {} or $first.contact then
      ($first.shipTo // {}) + (if $first.deliveryAddress != {} then {address: $first.deliveryAddress} else {} end) | party("ST"; $first.contact) else empty end)
  ]}];
    $shipments[$i] as $of | length as $order
    | . + [{level: "O", up: 0, segments: [["PRF", ($of.orderReference.id? // "NONE" | room(22; "the order's number"))]]}]
    | . + [$of.despatchLine[] | select(.handlingUnit == null) | {level: "I", up: $order, segments: item($of)}]
    | ($of.despatchLine | group_by(.handlingUnit) | map({key: (.[0].handlingUnit // ""), value: .}) | from_entries) as $in
    | ([$of.handlingUnit[]? | {key: .sscc, value: true}] | from_entries) as $known
    # packages of this order, those that it does not list, and with the first order those that are empty
    | reduce ([$of.handlingUnit[]? | select($in[.sscc] or ($i == 0 and ($used[.sscc] | not)))]
        + ($in | keys | map(select(. != "" and ($known[.] | not)) | {sscc: .})))[] as $unit (.;
        length as $pack
        | . + [{level: "P", up: $order, segments: ($unit | pack)}] + [$in[$unit.sscc][]? | {level: "I", up: $pack, segments: item($of)}]))
| . as $levels
| ([$levels[] | select(.up != null) | {key: "\(.up)", value: true}] | from_entries) as $parents
| [ ["BSN", "00", ($first.number | room(30; "the shipment's number")), ($first.issueDate | date), ($first.despatchedAt // "" | if length >= 16 then .[11:13] + .[14:16] else "0000" end),
      (if [$levels[].level] | index("P") then "0001" else "0004" end)],
    ($levels | to_entries[] | .key as $at | (["HL", "\($at + 1)", (if .value.up == null then "" else "\(.value.up + 1)" end), .value.level,
      (if $parents["\($at)"] then "1" else "0" end)], .value.segments[])),
    ["CTT", "\($levels | length)", ([$shipments[].despatchLine[].deliveredQuantity.amount] | (map(places) | max) as $n | map(units($n)) | add | amount($n) | if (gsub("[-.]"; "") | length) <= 10 then . else "" end)]
  ] as $segments
| {interchange: {}, group: {code: "SH", version: "004010"}, transaction: {type: "856"}, segments: ($segments | map(segment))}
