# order/v1 → an SAP IDoc ORDERS05 (message type ORDERS, inbound), as `encode: idoc` takes it.
#
#   - map: order-to-idoc-orders.jq
#   - map: {jq: '.control += {SNDPOR: "SAPFER", SNDPRT: "KU", SNDPRN: "0000104711", RCVPOR: "SAPERP", RCVPRT: "LS", RCVPRN: "ERPCLNT100", DOCNUM: (now * 10 | floor | tostring)}'}
#   - encode: {format: idoc, layouts: [ORDERS05.yaml]}
#
# Not in an order, and laid over by the flow as above: ports and partners of the control record, a number (DOCNUM; SAP
# gives its own when it takes the IDoc), the sales area (E1EDK14), the kind of the order (E1EDK01-BSART), ids of texts
# (TDID). Date and time of the control record are those of the message, in UTC.
#
# Numbers of parties go as they are: make them those that the SAP system knows before, with `enrich`. A number of gs1
# becomes GLN or GTIN. A number whose system is that of the order is the buyer's (E1EDP19 001), any other the seller's
# (002). A price with more decimals than its currency is told for 10, 100 … pieces (PEINH). An order that is cancelled
# or rejected is refused, and so is what has no room, but names and texts, which go on in further fields and lines.
# Left out: the contact's mail address, a region of more than three characters, codes of charges of more than four,
# services, the state, `extension`, references that are no contract or quote, further numbers of products that are
# neither the buyer's nor GS1's.

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
def present: del(.[] | select(. == null or . == [] or . == {} or . == ""));
def clean: if test("[[:cntrl:]]") then explode | map(if . < 32 or . == 127 then 32 else . end) | implode else . end;
def room($n; $what): clean | if length > $n then error("\($what) `\(.)` has more than \($n) characters, for which the IDoc has no room") else . end;
# A text in pieces of so many characters, cut between words.
def pieces($n): reduce (clean | split(" ")[] | select(. != "") | if length > $n then range(0; length; $n) as $i | .[$i:$i + $n] else . end) as $word ([];
  if length > 0 and (.[-1] + " " + $word | length) <= $n then .[:-1] + [.[-1] + " " + $word] else . + [$word] end);
def date: gsub("-"; "");
def item_number: if test("^[0-9]{1,6}$") then padded(6) else room(6; "the line's number") end;
def text($lines): {($lines): [pieces(70) as $all | range($all | length) as $i | {TDLINE: $all[$i], TDFORMAT: (if $i == 0 then "*" else null end)} | present]};
def gln: [select(.system == "gs1").id, (.externalReference[]? | select(.system == "gs1") | .id)][0];
def party($function): if . == null then empty else
  (.name // "" | pieces(35)) as $name
  | [.address.street[]? | pieces(35)[]] as $street
  | {
    PARVW: $function, PARTN: (if .system == "gs1" then null else .id | room(17; "the number of a party") end), ILNNR: gln,
    NAME1: $name[0], NAME2: $name[1], NAME3: $name[2], NAME4: $name[3],
    STRAS: $street[0], STRS2: ($street[1:] | join(", ") | room(35; "the address of \($function)")),
    ORT01: (.address.city // "" | clean | .[:35]), PSTLZ: (.address.postcode // "" | room(9; "a postcode")), LAND1: .address.country, ISOAL: .address.country,
    REGIO: (.address.stateOrProvince // "" | if length > 3 then null else . end)
  } | present end;
def conditions: [.charge[]? | select(.kind != "tax") | {
  ALCKZ: {allowance: "-", charge: "+"}[.kind], KSCHL: (.code // "" | if length > 4 then null else . end), KOTXT: (.description // "" | clean | .[:80]),
  BETRG: .amount.amount, KPERC: .percent} | present];
def taxes: [.charge[]? | select(.kind == "tax") | {
  MWSKZ: (.code // "" | .[:7]), MSATZ: .percent, MWSBT: .amount.amount, KTEXT: (.description // "" | clean | .[:50])} | present];
def numbers($buyer): [{id, system}, .externalReference[]?]
  | [({of: "001", is: $buyer}, {of: "002", is: null}, {of: "003", is: "gs1"}) as $kind
    | [to_entries[] | select(if $kind.is then .value.system == $kind.is else .key == 0 and .value.system != $buyer and .value.system != "gs1" end) | .value.id][0]
    | select(.) | {QUALF: $kind.of, IDTNR: room(35; "the product number")}];

if .state == "cancelled" or .state == "rejected" then error("order \(.number) is \(.state), and would go out as a new order") else . end
| . as $order
| .system as $buyer
| .total.currency as $currency
| ($currency | places) as $places
| (.paymentTerms // "" | (capture("^NET *(?<days>[0-9]{1,3})$").days // null)) as $days
| (now | todate) as $time
| {
    control: {TABNAM: "EDI_DC40", DIRECT: "2", IDOCTYP: "ORDERS05", MESTYP: "ORDERS", CREDAT: ($time[:10] | date), CRETIM: ($time[11:19] | gsub(":"; ""))},
    data: ({
      E1EDK01: [{CURCY: $currency, BELNR: (.number | room(35; "the order's number")), ZTERM: (if $days then null else .paymentTerms // "" | if length > 17 then null else . end end)} | present],
      E1EDK03: [{IDDAT: "012", DATUM: (.orderDate | date)}, (.requestedDeliveryDate | select(.) | {IDDAT: "002", DATUM: date})],
      E1EDK04: taxes,
      E1EDK05: conditions,
      E1EDKA1: [
        (.customer | party("AG")) + (.contact // {} | {BNAME: (.name // "" | clean | .[:35]), TELF1: (.telephone // "" | room(25; "the telephone number"))} | present),
        (.shipTo | party("WE")), (.billTo | party("RE"))
      ],
      E1EDK02: [
        {QUALF: "001", BELNR: .number, DATUM: (.orderDate | date)},
        (["contract", "005"], ["quote", "004"]) as $kind | [$order.externalReference[]? | select(.system == $kind[0])][0] | select(.) | {QUALF: $kind[1], BELNR: (.id | room(35; "a reference"))}
      ],
      E1EDK18: [if $days then {QUALF: "003", TAGE: $days} elif .paymentTerms // "" | length > 17 then {QUALF: "003", ZTERM_TXT: (.paymentTerms | clean | .[:70])} else empty end],
      E1EDKT1: [.note[]? | text("E1EDKT2") | select(.E1EDKT2 != [])],
      E1EDP01: [.orderItem[]
        | if .price.currency != $currency or .total.currency != $currency then error("line \(.id) is not in \($currency), as the order's total") else . end
        | (.price.amount | decimal | trimmed($places) | {digits, over: (.scale - $places | if . < 0 then 0 else . end), scale}) as $price
        | {
          POSEX: (.id | item_number), MENGE: (.quantity.amount | plain), MENEE: (.quantity.unit | room(3; "a unit")), PMENE: .quantity.unit,
          VPREI: ({digits: $price.digits, scale: ($price.scale - $price.over)} | text), PEINH: (pow(10; $price.over) | tostring),
          NETWR: (.total.amount | plain), CURCY: $currency,
          E1EDP02: [{QUALF: "001", BELNR: $order.number, ZEILE: (.id | item_number)}],
          E1EDP04: taxes,
          E1EDP05: conditions,
          E1EDP20: [(.requestedDeliveryDate // $order.requestedDeliveryDate | select(.) | date) as $day | {WMENG: (.quantity.amount | plain), EDATU: $day}],
          E1EDP19: (.product.name as $name | .product | numbers($buyer) | if $name and length > 0 then .[0].KTEXT = ($name | clean | .[:70]) else . end)
        } | present],
      E1EDS01: [{SUMID: "002", SUMME: (.total.amount | plain), WAERQ: $currency}]
    } | present)
  }
