# order/v1 → an X12 850 purchase order, as `encode: x12` takes it: the order of `system`, going to who sells the
# products.
#
#   - map: order-to-x12-850.jq
#   - encode:
#       format: x12
#       envelope: |
#         (now * 10 | floor % 1000000000 | tostring) as $control
#         | {interchange: {sender: "ZZ:OURS", receiver: "ZZ:THEIRS", control: $control}, group: {control: $control}}
#
# Not in an order, and given by the envelope: sender, receiver and control numbers, of which each must be new to the
# receiver (`encode` refuses what lacks one). With them it may say separators, `usage: "T"`, and for 005010 `version:
# "00501"` of the interchange and "005010" of the group. X12 cannot escape: a text with a separator in it is refused
# by `encode`, so let the envelope say separators that texts do not have, or agree on `charset: transliterate` for
# umlauts.
#
# A number whose system is that of the order is the buyer's (92, BP), one of gs1 or duns theirs, any other the
# seller's (91, VP). Units of UN/ECE Recommendation 20 become those of X12, where the table below has them. Each note
# is an N9 with as many MSG as it needs. The document must be what its lines say: another currency in a line, or a
# total of a line that is not quantity times price, is refused; so are an order that is cancelled or rejected, and
# what has no room (a number of more than 22 characters) but texts, which are cut at a word or go on in another
# segment. Left out: services, the state, further numbers of parties, further numbers of products that are neither the
# buyer's nor GS1's, references that are no contract or quote, `extension`.

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

# ---- segments of X12
def present: del(.[] | select(. == null or . == [] or . == {}));
def trimmed_end: until(.[-1] != ""; .[:-1]);
def segment: map(. // "") | trimmed_end;
def clean: if test("[[:cntrl:]]") then explode | map(if . < 32 or . == 127 then 32 else . end) | implode else . end;
def room($n; $what): clean | if length > $n then error("\($what) `\(.)` has more than \($n) characters, for which X12 has no room") else . end;
# A text in pieces of so many characters, cut between words.
def pieces($n): reduce (clean | split(" ")[] | select(. != "") | if length > $n then range(0; length; $n) as $i | .[$i:$i + $n] else . end) as $word ([];
  if length > 0 and (.[-1] + " " + $word | length) <= $n then .[:-1] + [.[-1] + " " + $word] else . + [$word] end);
def date: gsub("-"; "");
def unit: {C62: "EA", PCE: "PC", H87: "PC", KGM: "KG", GRM: "GR", LBR: "LB", ONZ: "OZ", LTR: "LT", GLL: "GA", MTR: "MR", CMT: "CM", FOT: "FT", INH: "IN", YRD: "YD",
    FTK: "SF", DZN: "DZ", SET: "ST", HUR: "HR"}[.] // . | if test("^[0-9A-Z]{2}$") then . else error("unit `\(.)` has no code in X12: add it to the mapping's table") end;
def gtin: {"8": "EO", "12": "UP", "13": "EN", "14": "UK"}[length | tostring] // "EN";
# Who gave the number of a party: of a product.
def party_qualifier($buyer): if .system == $buyer then "92" elif .system == "gs1" then "UL" elif .system == "duns" then if .id | length > 9 then "9" else "1" end else "91" end;
def products($buyer): [{id, system} | . + {of: (if .system == $buyer then "BP" elif .system == "gs1" then .id | gtin else "VP" end)}]
  + [.externalReference[]? | if .system == $buyer then . + {of: "BP"} elif .system == "gs1" then . + {of: (.id | gtin)} else empty end]
  | unique_by([.of, .id]) | sort_by(.of != "VP") | [limit(10; .[]) | .of, (.id | room(48; "the product number"))];
def party($role; $buyer): if . == null then empty else
  (.name // "" | pieces(60)) as $name
  | ([.address.street[]? | pieces(55)[]] | if length > 4 then error("the address of \($role) has more than four lines") else . end) as $street
  | (["N1", $role, $name[0], party_qualifier($buyer), (.id | room(80; "the number of a party"))] | segment),
    (if $name | length > 1 then ["N2"] + $name[1:3] else empty end),
    (range(0; $street | length; 2) as $i | ["N3"] + $street[$i:$i + 2]),
    (.address // {} | (.stateOrProvince // "") as $state
      | if .city or .postcode or .country or $state != "" then
          (if $state | test("^[A-Z]{2}$") then [$state] else [""] end) as $short
          | ["N4", (.city // "" | clean | .[:30]), $short[0], .postcode, .country] + (if $state != "" and $short[0] == "" then ["SP", ($state | clean | .[:30])] else [] end) | segment
        else empty end)
  end;
def contact($function): if . == null or . == {} then empty else
  [[("TE", .telephone), ("EM", .email)] | .[0:2], .[2:4] | select(.[1])[]] as $numbers
  | ["PER", $function, (.name // "" | clean | .[:60])] + [$numbers[] | room(80; "the number of a contact")] | segment end;
def notes: .note[]? | pieces(264) as $lines | select($lines != []) | ["N9", "ZZ", "NOTE"], ($lines[] | ["MSG", .]);
def implied: decimal | trimmed(2) | if .scale > 2 then error("the amount \(text) of a charge has more than the two decimals that SAC has") else at(2).digits | tostring end;
# SAC for discounts and charges, by X12's code where it is one; TXI for taxes, which has no room for words.
def charge: (.code // "" | clean) as $code | ($code | test("^[A-Z][0-9]{3}$")) as $standard
  | if .kind == "tax" then ["TXI", ({VAT: "VA", GST: "GS"}[$code] // if $code | test("^[A-Z]{2}$") then $code else "TX" end), .amount.amount, .percent]
    else ["SAC", {allowance: "A", charge: "C"}[.kind], (if $standard then $code elif $code == "" then "F050" else "" end)]
      + (if $standard or $code == "" then ["", ""] else ["ZZ", $code[:10]] end)
      + [(.amount | if . then .amount | implied else null end), (if .percent then "Z" else null end), .percent, "", "", "", "", "", "", "", (.description // "" | clean | .[:80])] end
  | segment;
def charges($kinds): .charge[]? | select(.kind as $kind | $kinds | index($kind)) | charge;
def terms: if . == null then empty else
  capture("^NET *(?<days>[0-9]{1,3})$") // {text: .} | if .days then ["ITD", "01", "3", "", "", "", "", .days] else ["ITD", "14", "", "", "", "", "", "", "", "", "", "", (.text | clean | .[:80])] end end;
def same_currency($currency): if .price.currency != $currency or .total.currency != $currency then error("line \(.id) is not in \($currency), as the order's total") else . end;
# Half a unit may be rounded up or down.
def total_agrees: product_of(.quantity.amount | decimal; .price.amount | decimal) as $reckoned
  | (.total.currency | places) as $n
  | if ($reckoned | at($n).digits) - (.total.amount | decimal | at($n).digits) | fabs > 1
    then error("line \(.id): \(.quantity.amount) times \(.price.amount) is \($reckoned | at($n) | text), not \(.total.amount), and a line of X12 states no total") else . end;

if .state == "cancelled" or .state == "rejected" then error("order \(.number) is \(.state), and would go out as a new order") else . end
| . as $order
| .system as $buyer
| .total.currency as $currency
| [
    ["BEG", "00", "SA", (.number | room(22; "the order's number")), "", (.orderDate | date),
      ([.externalReference[]? | select(.system == "contract") | .id | room(30; "the contract's number")][0])],
    ["CUR", "BY", $currency],
    (.externalReference[]? | select(.system == "quote") | ["REF", "PR", (.id | room(30; "the quote's number"))]),
    (.contact | contact("BD")),
    charges(["allowance", "charge"]),
    (.paymentTerms | terms),
    (.requestedDeliveryDate | select(.) | ["DTM", "002", date]),
    charges(["tax"]),
    notes,
    (.customer | party("BY"; $buyer)), (.billTo | party("BT"; $buyer)), (.shipTo | party("ST"; $buyer)),
    (.orderItem[] | same_currency($currency) | total_agrees
      | (["PO1", (.id | room(20; "the line's number")), (.quantity.amount | plain), (.quantity.unit | unit), (.price.amount | plain), "PE"] + (.product | products($buyer))),
        (.product.name | select(.) | ["PID", "F", "", "", "", (pieces(80)[0])]),
        charges(["allowance", "charge"]),
        (.requestedDeliveryDate | select(.) | ["DTM", "002", date]),
        charges(["tax"])),
    ["CTT", (.orderItem | length | tostring), ([.orderItem[].quantity.amount | decimal] | (map(.scale) | max) as $n | sum_of($n) | trimmed(0) | text)],
    ["AMT", "TT", (.total.amount | plain)]
  ] as $segments
| {interchange: {}, group: {code: "PO", version: "004010"}, transaction: {type: "850"}, segments: ($segments | map(segment))}
