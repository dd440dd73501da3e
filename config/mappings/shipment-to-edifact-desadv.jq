# shipment/v1 → EDIFACT DESADV, D.96A or D.01B, as `encode: edifact` takes it. A list of shipments with one number is one
# DESADV of several orders.
#
#   - map: shipment-to-edifact-desadv.jq
#   - encode:
#       format: edifact
#       envelope: '{interchange: {sender: "14:OURS", receiver: "14:THEIRS", control: .control}}'
#
# Not in a shipment, and given by the envelope: sender, receiver and control number. Where they are not the usual ones, the
# directory and association code stand in `extension.edifact` of the shipment: `{"release": "01B", "association": "EAN007"}`,
# which a step in front gives: `map: {jq: '.extension.edifact.release = "01B"'}`.
#
# Numbers of the system gs1 have agency 9; those of the customer's system or the order's, where it is not the shipment's, 92
# and IN (the buyer's), all others 91 and SA (the seller's). Each package has a CPS of its own below the first, with its
# label and its lines; lines without one are in the first. A number or unit that is longer than its element is refused,
# texts are cut between words.
# Lost: status, despatchedAt but its day, deliveredAt, signedBy, trackingUrl, externalReference, extension, addresses of the
# carrier. Otherwise edifact-desadv-to-shipment.jq makes the same shipment of it again. To change it, copy it into the
# site's mappings/.

# ---- parts
def plain: if test("[\r\n\t]|  |^ | $") then gsub("[\r\n\t ]+"; " ") | gsub("^ | $"; "") else . end;
# A text in lines of at most so many characters, between words where it can be.
def lines($max): plain | def cut: if length <= $max then [.] else (.[:$max] | [match(" "; "g").offset] | last) as $at
    | if $at then [.[:$at]] + (.[$at + 1:] | cut) else [.[:$max]] + (.[$max:] | cut) end end; cut;
def fit($max; $what): if length > $max then error("\($what) `\(.)` is longer than the \($max) characters that DESADV has for it") else . end;
# A segment without the empty elements at its end; of a composite the same.
def short: until(length == 0 or (last | . != null and . != "" and . != []); .[:-1]);
def segment: map(if type == "array" then short | map(. // "") else . // "" end) | short;
def day: split("-") | join("");
# Whose number is it? The buyer's only where its system is the buyer's, or the order's.
def whose($of): if .system == "gs1" then "gs1" elif .system == $of.system then "seller"
  elif .system == $of.customer.system or .system == $of.orderReference.system? then "buyer" else "seller" end;

(if type == "array" then . else [.] end) as $shipments
| $shipments[0] as $first
| if [$shipments[].number] | unique | length != 1 then error("these are shipments of several numbers: give one after the other") else . end
| ($first.extension.edifact? // {}) as $edifact
| ($edifact.release // "96A") as $release
| if $release != "96A" and $release != "01B" then error("this makes D.96A and D.01B, and no D.\($release)") else . end
| ($release == "01B") as $later | (if $later then "SRV" else "EN" end) as $gtin
| def agency: {"gs1": "9", "buyer": "92"}[whose($first)] // "91";
def party($code; $contact): if . == null then empty else
  ["NAD", $code, (if .id == null or .id == .name then [] else [(.id | fit(if $later then 35 else 17 end; "the party")), "", agency] end), "",
      (.name // "" | lines(35)[:5]), ([.address.street[]? | lines(35)[]][:4]), (.address.city // "" | .[:35]),
      (.address.stateOrProvince // "" | if length > 9 then "" else . end), (.address.postcode // "" | .[:if $later then 17 else 9 end]), .address.country],
    ($contact // {} | select(. != {}) | ["CTA", "IC", ["", (.name // "" | .[:35])]], (.telephone | select(.) | ["COM", [., "TE"]]), (.email | select(.) | ["COM", [., "EM"]])) end;
def weight($reference; $dimension): if . == null then empty else ["MEA", $reference, $dimension, [(.unit | fit(3; "the unit")), .amount]] end;
def line($of; $at): . as $line
  | ([{id: .item.id, system: .item.system}, (.item.externalReference[]?)] | map({id: (.id | fit(35; "the product")), code: ({"gs1": $gtin, "buyer": "IN"}[whose($of)] // "SA")})) as $numbers
  | ([$numbers[] | select(.code == $gtin)][0]) as $gs1 | ([$numbers[] | select(.code != $gtin)]) as $others
  | ["LIN", (.id | if length > 6 or (test("^[0-9]+$") | not) then "\($at)" else . end), "", (if $gs1 then [$gs1.id, $gs1.code] else [] end)],
    (if $others != [] then ["PIA", (if $gs1 then "1" else "5" end)] + [$others[:5][] | [.id, .code]] else empty end),
    (.item.name | select(.) | ["IMD", "F", "", (["", "", ""] + (lines(if $later then 256 else 35 end)[:2]))]),
    ["QTY", ["12", .deliveredQuantity.amount, (.deliveredQuantity.unit | fit(3; "the unit"))]],
    (.serialNumber // [] | range(0; length; 5) as $i | ["GIN", "BN"] + [.[$i:$i + 5][] | [fit(35; "the serial number")]]),
    ($of.orderReference.id? as $order | if $order then ["RFF", ["ON", ($order | fit(35; "the order")), ($line.orderLine // "" | fit(6; "the order's line"))]]
      else $line.orderLine | select(.) | ["RFF", ["LI", .]] end),
    (.lot | select(.) | ["PCI", "17"], ["GIN", "BX", [fit(35; "the lot")]]),
    (.outstandingQuantity | select(. and (.amount | test("[1-9]"))) | ["QVR", ["-\(.amount)", "21"], "BP"]);
([$shipments[] | . as $of | .despatchLine[] | {of: $of, line: .}] | to_entries | map(.value + {at: (.key + 1)})) as $all
| ([$shipments[].handlingUnit[]?] | unique_by(.sscc)) as $units
| ([$units[] | {key: .sscc, value: true}] | from_entries) as $known
| ([$all[] | .line.handlingUnit | select(. and ($known[.] | not))] | unique | map({sscc: .})) as $further
| ($units + $further) as $units
# what is in each package; "" has what is in none
| ($all | group_by(.line.handlingUnit) | map({key: (.[0].line.handlingUnit // ""), value: .}) | from_entries) as $in
| [ ["BGM", "351", ($first.number | fit(35; "the shipment's number")), "9"],
    ["DTM", ["137", ($first.issueDate | day), "102"]],
    (($first.despatchDate // ($first.despatchedAt // "" | .[:10])) | select(. != "") | ["DTM", ["11", day, "102"]]),
    ($first.expectedDeliveryDate | select(.) | ["DTM", ["17", day, "102"]]),
    ($first.grossWeight | weight("AAE"; "G")),
    (if ([$shipments[].orderReference.id?] | unique | length) == 1 then $first.orderReference.id? | select(.) | ["RFF", ["ON", fit(35; "the order")]] else empty end),
    ($first.trackingNumber | select(.) | ["RFF", ["CN", fit(35; "the tracking number")]]),
    ($first.supplier | party("SU"; null)), ($first.customer | party("BY"; null)),
    (if $first.shipTo or $first.deliveryAddress != {} or $first.contact then
      ($first.shipTo // {}) + (if $first.deliveryAddress != {} then {address: $first.deliveryAddress} else {} end) | party("DP"; $first.contact) else empty end),
    ($first.deliveryTerms | select(.) | ["TOD", "3", "", [.]]),
    ($first.carrier | select(.) | ["TDT", "20", "", "", "", [(if .id == .name then "" else .id | fit(17; "the carrier") end), "", ({"gs1": "9", "scac": "182"}[.system] // "91"), (.name // "" | .[:35])]]),
    ["CPS", "1"],
    (if $units != [] then ["PAC", "\($units | length)"] else empty end),
    ($in[""][]? | .of as $of | .at as $at | .line | line($of; $at)),
    ($units | to_entries[] | .key as $i | .value as $unit
      | ["CPS", "\($i + 2)", "1"], ["PAC", "1", "", [($unit.packageType // "" | fit(17; "the kind of package"))]],
        ($unit.grossWeight | weight("PD"; "AAB")), ["PCI", "33E"], ["GIN", "BJ", [$unit.sscc]],
        ($in[$unit.sscc][]? | .of as $of | .at as $at | .line | line($of; $at))),
    ["CNT", ["2", "\($all | length)"]]
  ]
| {
    interchange: {},
    transaction: ({type: "DESADV", version: "D", release: $release, agency: "UN", association: ($edifact.association // (if $later then "EAN007" else "EAN008" end))} | with_entries(select(.value != ""))),
    segments: map(segment)
  }
