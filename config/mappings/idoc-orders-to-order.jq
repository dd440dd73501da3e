# An SAP IDoc of type ORDERS05 (ORDERS, also older versions of it) → order/v1.
#
#   - decode: {format: idoc, layouts: [ORDERS05.yaml]}
#   - map: idoc-orders-to-order.jq
#   - validate: order/v1
#
# The sender of the IDoc (SNDPRN, in small letters) issued the numbers of the order, of its parties (PARTN) and the
# buyer's product numbers; its receiver (RCVPRN) those of the seller; GLN and GTIN are of gs1. Where logical systems
# are called otherwise, lay their names over the control record first: map: {jq: '.control.SNDPRN = "acme"'}.
#
# Prices for 10, 100 … pieces (PEINH) become prices of one; a price in another unit than the quantity is refused.
# Conditions and taxes (E1EDK05, E1EDK04, E1EDP05, E1EDP04) stand beside the total. Schedules of several days, texts
# of a line and a total that the document states otherwise than its lines come to become notes. Messages ORDCHG and
# ORDRSP use the same type: they are no new orders and are refused, as are deleted lines (ACTION 003). Left out:
# Incoterms, discounts for early payment, organisational data, plants, other references than contract (005) and quote
# (004). To change it, copy it into the site's mappings/: a file of the site goes before one that ships.

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
# "12.50-" → "-12.50": SAP writes the sign behind.
def signed: if endswith("-") then "-" + .[:-1] else . end;
def day: if . == null or . == "00000000" then null else "\(.[:4])-\(.[4:6])-\(.[6:8])" end;
def item_number: if test("^[0-9]+$") then tonumber | tostring else . end;
def address: {
  street: [.STRAS, .STRS2 | select(.)], city: .ORT01, stateOrProvince: .REGIO, postcode: .PSTLZ, country: (.ISOAL // .LAND1)
} | present;
def party($buyer): {
  id: (.PARTN // .ILNNR // .NAME1), system: (if .PARTN == null and .ILNNR then "gs1" else $buyer end),
  name: ([.NAME1, .NAME2, .NAME3, .NAME4 | select(.)] | if . == [] then null else join(" ") end),
  address: address, externalReference: [select(.PARTN) | .ILNNR | select(.) | {id: ., system: "gs1"}]
} | present;
# Lines of a text: * and / begin a new one, a blank goes on behind a blank, = without one; /* and /: are for printers.
def text($lines): reduce (.[$lines][]? | select(.TDFORMAT != "/*" and .TDFORMAT != "/:")) as $line ("";
  . + (if . == "" or $line.TDFORMAT == "=" then "" elif $line.TDFORMAT == "*" or $line.TDFORMAT == "/" then "\n" else " " end) + ($line.TDLINE // ""));
def charges($conditions; $taxes; $currency): [
  (.[$conditions][]? | {
    kind: (if .ALCKZ == "-" or .ALCKZ == "A" or (.ALCKZ == null and (.BETRG // .KPERC // "" | signed | startswith("-"))) then "allowance" else "charge" end),
    code: .KSCHL, description: .KOTXT,
    percent: (.KPERC | if . then signed | ltrimstr("-") | decimal | trimmed(0) | text else null end),
    amount: (.BETRG | if . then signed | ltrimstr("-") | decimal | money($currency) else null end)
  } | present),
  (.[$taxes][]? | {kind: "tax", code: .MWSKZ, description: .KTEXT, percent: (.MSATZ | if . then signed | decimal | trimmed(0) | text else null end),
    amount: (.MWSBT | if . then signed | decimal | money($currency) else null end)} | present)];

.control as $control
| if $control.MESTYP != "ORDERS" then error("an IDoc \($control.MESTYP // "without a message type") is no new order") else . end
| ($control.SNDPRN // error("the control record names no sender (SNDPRN)") | ascii_downcase) as $buyer
| ($control.RCVPRN // error("the control record names no receiver (RCVPRN)") | ascii_downcase) as $seller
| .data as $order
| $order.E1EDK01[0] as $head
| ($head.CURCY // error("the order says no currency (E1EDK01-CURCY)")) as $currency
| def date($qualifier): [$order.E1EDK03[]? | select(.IDDAT == $qualifier) | .DATUM | day][0];
  def reference($qualifier): [$order.E1EDK02[]? | select(.QUALF == $qualifier)][0];
  def role($function): [$order.E1EDKA1[]? | select(.PARVW == $function)][0];
date("002") as $wanted
| [$order.E1EDP01[]? | (.POSEX // "" | item_number) as $id
  | if .ACTION == "003" then error("line \($id) is deleted (ACTION 003): that is a change, no new order") else . end
  | if .PMENE and .MENEE and .PMENE != .MENEE then error("line \($id): the price is for \(.PMENE), the quantity in \(.MENEE)") else . end
  | (.MENGE // error("line \($id) has no quantity (MENGE)") | signed | decimal | trimmed(0)) as $quantity
  | (.PEINH // "1" | decimal | trimmed(0)) as $per
  | (.VPREI // .PREIS // error("line \($id) has no price (VPREI)") | signed | decimal
    | if $per.digits | tostring | test("^10*$") then {digits, scale: (.scale + ($per.digits | tostring | length - 1))} | trimmed(2)
      else error("line \($id): the price is for \($per | text) pieces, which gives no decimal price of one") end) as $price
  | [.E1EDP20[]? | select(.EDATU) | . + {day: (.EDATU | day)} | select(.day)] as $schedules
  | ([$schedules[] | .day] | unique) as $days
  | ([.E1EDP03[]? | select(.IDDAT == "002") | .DATUM | day][0] // (if $days | length == 1 then $days[0] else null end)) as $day
  | . as $line
  | ({"002": $seller, "003": "gs1", "001": $buyer} as $systems
    | [["001", "003", "002"][] as $q | [$line.E1EDP19[]? | select(.QUALF == $q and .IDTNR)][0] | select(.) | {id: .IDTNR, system: $systems[$q]}]) as $numbers
  | ([($numbers[] | select(.system == $seller)), ($numbers[] | select(.system == "gs1")), $numbers[]][0]) as $number
  | {
    id: $id,
    product: ($number // {id: (.MATNR // error("line \($id) names no product (E1EDP19)")), system: $buyer} | . + {
      name: [$line.E1EDP19[]? | .KTEXT | select(.)][0], externalReference: ($numbers - [$number])} | present),
    quantity: {amount: ($quantity | text), unit: (.MENEE // error("line \($id) has no unit (MENEE)"))},
    price: {amount: ($price | text), currency: (.CURCY // $currency)},
    total: (if .NETWR then .NETWR | signed | decimal else product_of($quantity; $price) end | money($line.CURCY // $currency)),
    requestedDeliveryDate: (if $day == $wanted then null else $day end),
    charge: charges("E1EDP05"; "E1EDP04"; $currency),
    notes: [
      (if $days | length > 1 then [$schedules[] | "\(.WMENG | signed | decimal | trimmed(0) | text) \($line.MENEE) on \(.day)"] | join(", ") else empty end),
      (.E1EDPT1[]? | text("E1EDPT2") | select(. != ""))
    ]
  } | present] as $items
| if [$items[] | .price.currency] | all(. == $currency) then . else error("lines are not in \($currency), as the order") end
| ([$items[] | .total.amount | decimal] | sum_of($currency | places)) as $total
| ([$order.E1EDS01[]? | select(.SUMID == "002" and .SUMME) | .SUMME | signed | decimal][0]) as $stated
| reference("001") as $purchase
| role("AG") as $customer
| {
    number: ($purchase.BELNR // $head.BELNR),
    system: $buyer,
    channel: "edi",
    orderDate: (date("012") // ($purchase.DATUM | day) // date("022")),
    requestedDeliveryDate: $wanted,
    customer: ($customer | if . then party($buyer) else {id: $control.SNDPRN, system: $buyer} end),
    contact: ($customer // {} | {name: .BNAME, telephone: .TELF1} | present | if . == {} then null else . end),
    shipTo: (role("WE") | if . then party($buyer) else null end),
    billTo: (role("RE") | if . then party($buyer) else null end),
    paymentTerms: ([($order.E1EDK18[]? | select(.QUALF == "003" and .TAGE) | .TAGE | "NET\(tonumber)"), ($head.ZTERM | select(.)), ($order.E1EDK18[]? | .ZTERM_TXT | select(.))][0]),
    orderItem: [$items[] | del(.notes)],
    total: ($total | money($currency)),
    charge: ($order | charges("E1EDK05"; "E1EDK04"; $currency)),
    note: [
      ($order.E1EDKT1[]? | text("E1EDKT2") | select(. != "")), ($items[] | .id as $id | .notes[]? | "Line \($id): \(.)"),
      (if $stated and ($stated | money($currency)) != ($total | money($currency)) then "The document states a total of \($stated | money($currency).amount) \($currency)" else empty end)
    ],
    externalReference: [
      (reference("005") | .BELNR | select(.) | {id: ., system: "contract"}), (reference("004") | .BELNR | select(.) | {id: ., system: "quote"})
    ]
  }
| present
