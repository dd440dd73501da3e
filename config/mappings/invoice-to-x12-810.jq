# invoice/v1 → an X12 810 invoice, as `encode: x12` takes it.
#
#   - map: invoice-to-x12-810.jq
#   - encode:
#       format: x12
#       envelope: '{interchange: {sender: "ZZ:OURS", receiver: "ZZ:THEIRS", control: .control}, group: {control: .control}}'
#
# Not in an invoice, and given by the envelope: sender, receiver and control numbers. With them it may say separators,
# `usage: "T"`, and for 005010 `version: "00501"` of the interchange and "005010" of the group.
#
# A number whose system is the customer's or the order's, and not the invoice's, is the buyer's (92, BP), one of gs1 or duns
# theirs, any other the seller's (91, VP). Units of UN/ECE Recommendation 20 become those of X12, where the table below has them. A credit note
# is CR and has no minus, a correction has BIG08 05. TDS is the total with taxes; where something was paid before, or
# rounded, AMT BAP is what is still to pay, and a rounding is not told from what was paid. SAC has amounts of two decimals: one with more is refused, and so is a number
# or unit that has no room, and a line whose amount is not quantity times price, less its discount, with its charge, since
# IT1 states none. In a currency without decimals a line that was rounded may not agree with TDS as grammars reckon it. Texts are cut between words; a note is an NTE for each 80 characters.
# Lost: tax categories but by their rate, why there is none, payment means, further numbers of parties, other
# externalReferences than bill-of-lading, despatch-advice and packing-list, reasons of charges as codes but freight (FC),
# handling (HD) and discount (95), `extension`. Otherwise x12-810-to-invoice.jq makes the same invoice of it again.
# To change it, copy it into the site's mappings/: a file of the site goes before one that ships.

# ---- decimals: texts in, texts out
def decimal: if type == "string" and test("^[-+]?[0-9]+([.][0-9]*)?$") then . else error("`\(.)` is no decimal number") end;
def places: (split(".")[1] // "") | length;
def units($scale): decimal | places as $places | ltrimstr("+") | split(".") | join("") | tonumber * pow(10; $scale - $places);
def amount($scale): (if . < 0 then "-" else "" end) as $sign | (fabs | tostring)
  | "0" * ([$scale + 1 - length, 0] | max) + . | if $scale > 0 then "\($sign)\(.[:-$scale]).\(.[-$scale:])" else "\($sign)\(.)" end;
# A product, rounded to so many places.
def times($other; $scale): (places + ($other | places)) as $places | units(places) * ($other | units($other | places))
  | if fabs > 9000000000000000 then error("an amount is too large to be counted exactly") else . end
  | if $places > $scale then . / pow(10; $places - $scale) | round else . * pow(10; $scale - $places) end;
# N2: with two decimals that are implied.
def implied: . as $text | if places > 2 then sub("(?<a>[.][0-9]{2})0+$"; .a) else . end | if places > 2 then error("X12 has two decimals for `\($text)`") else units(2) | tostring end;

# ---- segments of X12
def segment: map(. // "") | until(length == 0 or .[-1] != ""; .[:-1]);
def clean: explode as $letters | if any($letters[]; . < 32 or . == 127) then $letters | map(if . < 32 or . == 127 then 32 else . end) | implode else . end;
def room($n; $what): clean | if length > $n then error("\($what) `\(.)` has more than \($n) characters, for which X12 has no room") else . end;
# A text in pieces of so many characters, cut between words.
def pieces($n): reduce (clean | split(" ")[] | select(. != "") | if length > $n then range(0; length; $n) as $i | .[$i:$i + $n] else . end) as $word ([];
  if length > 0 and (.[-1] + " " + $word | length) <= $n then .[:-1] + [.[-1] + " " + $word] else . + [$word] end);
def date: split("-") | join("");
def unit: {C62: "EA", PCE: "PC", H87: "PC", KGM: "KG", GRM: "GR", LBR: "LB", ONZ: "OZ", LTR: "LT", GLL: "GA", MTR: "MR", CMT: "CM", FOT: "FT", INH: "IN", YRD: "YD",
    FTK: "SF", DZN: "DZ", SET: "ST", HUR: "HR", DAY: "DA", MON: "MO", ANN: "YR"}[.] // . | if test("^[0-9A-Z]{2}$") then . else error("unit `\(.)` has no code in X12: add it to the mapping's table") end;
def gtin: {"8": "EO", "12": "UP", "13": "EN", "14": "UK"}[length | tostring] // "EN";
# Whose number is it? The buyer's only where its system is the buyer's, or the order's.
def whose($invoice): if .system == "gs1" or .system == "duns" then .system elif .system == $invoice.system then "seller"
  elif .system == $invoice.customer.system or .system == $invoice.orderReference.system? then "buyer" else "seller" end;
def reference($qualifier): if . == null then empty else ["REF", $qualifier, (.id | room(30; "the reference"))] end;
# A line of X12 has no amount of its own.
def agrees: {"JPY": 0, "KRW": 0, "CLP": 0, "VND": 0, "ISK": 0, "XAF": 0, "XOF": 0, "PYG": 0, "UGX": 0}[.price.currency] as $minor | ($minor // 2) as $scale
  | .price.amount as $price | ((.invoicedQuantity.amount | times($price; $scale)) - (.allowance.amount? // "0" | times("1"; $scale)) + (.charge.amount? // "0" | times("1"; $scale))) as $comes
  | if $comes == (.lineExtensionAmount.amount | times("1"; $scale)) then . else
      error("line \(.id): quantity times price, with its discount and charge, is \($comes | amount($scale)) and not \(.lineExtensionAmount.amount), and a line of X12 states no amount") end;
def charge($indicator; $code): ["SAC", $indicator, $code, "", "", (.amount | implied)];

. as $invoice
| .documentCurrency as $currency
| (if $currency == "USD" or $currency == "CAD" then "TX" else "VA" end) as $tax
| def party($role): if . == null then empty else
    (.name // "" | pieces(60)) as $name | [.address.street[]? | pieces(55)[]][:4] as $street
    | (if .id == .name then ["N1", $role, $name[0]] else
        ["N1", $role, $name[0], ({seller: "91", buyer: "92", gs1: "UL"}[whose($invoice)] // (if .id | length > 9 then "9" else "1" end)), (.id | room(80; "the number of a party"))] end),
      (if $name | length > 1 then ["N2"] + $name[1:3] else empty end),
      (range(0; $street | length; 2) as $i | ["N3"] + $street[$i:$i + 2]),
      (.address // {} | (.stateOrProvince // "") as $state | select(.city or .postcode or .country or $state != "")
        | ["N4", (.city // "" | clean | .[:30]), (if $state | test("^[A-Z]{2}$") then $state else "" end), .postcode, .country]
          + (if $state == "" or ($state | test("^[A-Z]{2}$")) then [] else ["SP", ($state | clean | .[:30])] end)) end;
def products: [{id: .item.id, system: .item.system}, .item.externalReference[]?] | map({id, of: (whose($invoice) as $who | if $who == "gs1" then .id | gtin else {seller: "VP", buyer: "BP"}[$who] end)} | select(.of))
  | unique_by([.of, .id]) | sort_by(.of != "VP") | [limit(10; .[]) | .of, (.id | room(48; "the product number"))];
if [.legalMonetaryTotal[], (.invoiceLine[] | .lineExtensionAmount, .price), .taxTotal[]?.taxAmount] | all(.currency == $currency) then . else
  error("an amount is in another currency than \($currency)") end
| .legalMonetaryTotal as $total
| [
    ["BIG", (.issueDate | date), (.number | room(22; "the invoice's number")), "", (.orderReference.id? // "" | room(22; "the order's number")), "", "",
      (if .invoiceType == "credit-note" then "CR" else "DI" end), (if .invoiceType == "correction" then "05" else "" end)],
    ([.note[]? | pieces(80)[]][:100][] | ["NTE", "GEN", .]),
    ["CUR", "SE", $currency],
    (.contractReference | reference("CT")), (.billingReference | reference("OI")),
    ([.externalReference[]? | {"bill-of-lading": "BM", "despatch-advice": "SI", "packing-list": "PK"}[.system] as $known | select($known) | reference($known)][:10][]),
    (.contact // {} | select(. != {}) | [[("TE", .telephone), ("EM", .email)] | .[0:2], .[2:4] | select(.[1])[]] as $numbers
      | ["PER", "IC", (.name // "" | clean | .[:60])] + [$numbers[] | room(80; "the number of a contact")]),
    (.supplier | party("SE")), (.customer | party("BT")), (.payer | party("PR")),
    ((.paymentTerms // "") as $terms | ($terms | capture("^NET *(?<days>[0-9]{1,3})$")? // {days: ""}).days as $net
      | select($terms != "" or .dueDate)
      | ["ITD", (if $net != "" or $terms == "" then "01" else "14" end), (if $net != "" then "3" else "" end), "", "", "", (.dueDate // "" | date), $net, "", "", "", "",
          (if $net == "" then $terms | clean | .[:80] else "" end)]),
    (.taxPointDate | select(.) | ["DTM", "011", date]),
    (.invoiceLine[] | agrees
      | (["IT1", (.id | room(20; "the line's number")), (.invoicedQuantity.amount | decimal), (.invoicedQuantity.unit | unit), (.price.amount | decimal), ""] + products),
        (.percent | select(.) | ["TXI", $tax, "", .]),
        (.item.name | select(.) | ["PID", "F", "", "", "", (pieces(80)[0])]),
        (.orderLine | select(.) | ["REF", "LI", .]),
        (.period | select(.) | ["DTM", "150", (.startDate | date)], (.endDate | select(.) | ["DTM", "151", date])),
        (.allowance | select(.) | charge("A"; "C310")), (.charge | select(.) | charge("C"; "F050"))),
    ["TDS", ($total.taxInclusiveAmount.amount | implied)],
    (.taxTotal[]? | ["TXI", $tax, .taxAmount.amount, .percent, "", "", "", "", (if .percent then .taxableAmount.amount else "" end)]),
    (if $total.prepaidAmount or $total.payableRoundingAmount then ["AMT", "BAP", $total.payableAmount.amount] else empty end),
    (.allowanceCharge[]? | (if .chargeIndicator then "C" else "A" end) as $indicator | . as $of | .amount | charge($indicator; {"FC": "D240", "HD": "D500", "95": "C310"}[$of.reasonCode // ""] // "F050")
      + (if $of.percent then ["Z", $of.percent] else ["", ""] end) + ["", "", "", "", "", "", "", ($of.reason // "" | pieces(80)[0])]),
    ["CTT", (.invoiceLine | length | tostring), ([.invoiceLine[].invoicedQuantity.amount] | (map(places) | max) as $n | map(units($n)) | add | amount($n) | if (gsub("[-.]"; "") | length) <= 10 then . else "" end)]
  ] as $segments
| {interchange: {}, group: {code: "IN", version: "004010"}, transaction: {type: "810"}, segments: ($segments | map(segment))}
