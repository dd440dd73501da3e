# order/v1 → an EDIFACT ORDERS (D.96A), as `encode: edifact` takes it: the order of `system`, going to who sells the
# products.
#
#   - map: order-to-edifact-orders.jq
#   - encode:
#       format: edifact
#       envelope: '{interchange: {sender: "14:4012345000009", receiver: "14:4054321000002", control: (now * 10 | floor | tostring)}}'
#
# Not in an order, and given by the envelope: sender, receiver and the interchange's control reference, which must be
# new to the receiver. With them it may say `usage: "T"`, for EANCOM `association: "EAN008"` of the transaction, and
# for D.01B its `release: "01B"`.
#
# A number whose system is that of the order is the buyer's (agency 92, IN), one of gs1 is a GLN or GTIN, any other
# the seller's (91, SA). Units go as they are: EDIFACT wants those of UN/ECE Recommendation 20. The document must be
# in one currency. An order that is cancelled or rejected is refused, and so is what has no room, but texts, which are
# cut at a word or go on in another segment; a note of more than 350 characters becomes several. Left out: services,
# the state, codes of charges of more than three characters, further numbers of parties, further numbers of products
# that are neither the buyer's nor GS1's, references that are no contract or quote, `extension`.

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

# ---- segments of EDIFACT
def trimmed_end: until(length == 0 or (.[-1] != "" and .[-1] != []); .[:-1]);
def composite: map(. // "") | trimmed_end | if length == 1 then .[0] elif length == 0 then "" else . end;
def segment: map(. // "" | if type == "array" then composite else . end) | trimmed_end;
def clean: if test("[[:cntrl:]]") then explode | map(if . < 32 or . == 127 then 32 else . end) | implode else . end;
def room($n; $what): clean | if length > $n then error("\($what) `\(.)` has more than \($n) characters, for which EDIFACT has no room") else . end;
# A text in pieces of so many characters, cut between words.
def pieces($n): reduce (clean | split(" ")[] | select(. != "") | if length > $n then range(0; length; $n) as $i | .[$i:$i + $n] else . end) as $word ([];
  if length > 0 and (.[-1] + " " + $word | length) <= $n then .[:-1] + [.[-1] + " " + $word] else . + [$word] end);
def day($qualifier): ["DTM", [$qualifier, gsub("-"; ""), "102"]];
def agency($buyer): if .system == "gs1" then "9" elif .system == "duns" then "16" elif .system == $buyer then "92" else "91" end;
def party($role; $buyer): if . == null then empty else
  [.address.street[]? | pieces(35)[]] as $street
  | if $street | length > 4 then error("the address of \($role) has more than four lines") else . end
  | ["NAD", $role, [(.id | room(35; "the number of a party")), "", agency($buyer)], "", (.name // "" | pieces(34)[:5]), $street,
      (.address.city // "" | clean | .[:35]), (.address.stateOrProvince // "" | clean | .[:9]), (.address.postcode // "" | room(9; "a postcode")), .address.country] end;
def contact: if . == null or . == {} then empty else
  ["CTA", "OC", ["", (.name // "" | clean | .[:35])]],
  (["TE", .telephone], ["EM", .email] | select(.[1]) | ["COM", [(.[1] | room(512; "the number of a contact")), .[0]]]) end;
def charge: .code as $code
  | if .kind == "tax" then
      ["TAX", "7", [(if $code // "" | length > 3 then null else $code end), "", "", (.description // "" | clean | .[:35])], "", "", ["", "", "", .percent]], (.amount | select(.) | ["MOA", ["124", .amount]])
    else
      ["ALC", {allowance: "A", charge: "C"}[.kind], "", "", "", [(if $code // "" | length > 3 then null else $code end), "", "", (.description // "" | pieces(34)[:2][])]],
      (.percent | select(.) | ["PCD", ["3", .]]), (.amount | select(.) | ["MOA", ["8", .amount]])
    end;
def charges($kinds): .charge[]? | select(.kind as $kind | $kinds | index($kind)) | charge;
def terms: if . == null then empty else
  capture("^NET *(?<days>[0-9]{1,3})$") // {text: .} | if .days then ["PAT", "1", "", ["5", "3", "D", .days]] else ["PAT", "1", (["6", "", ""] + (.text | pieces(34)[:2]))] end end;
# The GTIN stands in LIN, the others behind it.
def products($buyer; $id): . as $product
  | [{id, system}, .externalReference[]?] | to_entries
  | ([.[] | select(.value.system == "gs1") | .value.id][0]) as $gtin
  | ([.[] | select(.value.system == $buyer) | .value.id][0]) as $ours
  | ($product | if .system == "gs1" or .system == $buyer then null else .id end) as $theirs
  | [($theirs | select(.) | [room(35; "the product number"), "SA", "", "91"]), ($ours | select(.) | [room(35; "the product number"), "IN", "", "92"])] as $others
  | ["LIN", $id, "", ($gtin | select(.) // "" | [room(35; "the product number"), (if length == 12 then "UP" else "EN" end)])] | if $gtin then . else .[:2] end | .,
    (if $others == [] then empty else ["PIA", (if $gtin then "1" else "5" end)] + $others end);

if .state == "cancelled" or .state == "rejected" then error("order \(.number) is \(.state), and would go out as a new order") else . end
| . as $order
| .system as $buyer
| .total.currency as $currency
| [
    ["BGM", "220", (.number | room(35; "the order's number")), "9"],
    (.orderDate | day("137")),
    (.requestedDeliveryDate | select(.) | day("2")),
    (.note[]? | pieces(70) as $lines | range(0; $lines | length; 5) as $i | ["FTX", "AAI", "", "", $lines[$i:$i + 5]]),
    (.externalReference[]? | {contract: "CT", quote: "PR"}[.system] as $kind | select($kind) | ["RFF", [$kind, (.id | room(35; "a reference"))]]),
    (.customer | party("BY"; $buyer)), (.contact | contact), (.billTo | party("IV"; $buyer)), (.shipTo | party("DP"; $buyer)),
    charges(["tax"]),
    ["CUX", ["2", $currency, "9"]],
    (.paymentTerms | terms),
    charges(["allowance", "charge"]),
    (.orderItem[]
      | if .price.currency != $currency or .total.currency != $currency then error("line \(.id) is not in \($currency), as the order's total") else . end
      | .quantity as $quantity
      | ((.id | room(6; "the line's number")) as $id | .product | products($buyer; $id)),
        (.product.name | select(.) | ["IMD", "F", "", (["", "", ""] + pieces(34)[:2])]),
        ["QTY", ["21", ($quantity.amount | plain), ($quantity.unit | room(3; "a unit"))]],
        (.requestedDeliveryDate | select(.) | day("2")),
        ["MOA", ["203", (.total.amount | plain)]],
        ["PRI", ["AAA", (.price.amount | plain)]],
        charges(["tax"]), charges(["allowance", "charge"])),
    ["UNS", "S"],
    ["MOA", ["79", (.total.amount | plain)]],
    ["CNT", ["2", (.orderItem | length | tostring)]]
  ] as $segments
| {interchange: {}, transaction: {type: "ORDERS", version: "D", release: "96A", agency: "UN"}, segments: ($segments | map(segment))}
