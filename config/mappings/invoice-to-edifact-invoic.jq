# invoice/v1 → EDIFACT INVOIC, D.96A or D.01B, as `encode: edifact` takes it.
#
#   - map: invoice-to-edifact-invoic.jq
#   - encode:
#       format: edifact
#       envelope: '{interchange: {control: $envelope.headers.control, sender: "14:4012345000009", receiver: "14:4054321000002"}}'
#
# From outside: sender, receiver and control number of the interchange, as above; and where they are not the usual ones, the
# directory and association code as `extension.edifact` of the invoice: `{"release": "01B", "association": "EAN011"}`, which
# a step in front gives: `map: {jq: '.extension.edifact.release = "01B"'}`.
#
# Numbers of the system gs1 have agency 9; those of the customer's system or the order's, where it is not the invoice's, 92
# and IN (the buyer's), all others 91 and SA (the seller's). What else the systems are called is lost. Also lost: reasons why there is no tax, externalReference other than
# despatch-advice, packing-list, vat and registration, the contact's function, extension. Texts are cut to what the
# segments take: notes 350 characters each and ten of them (99 in D.01B), names of products 70 (512), reasons of charges 70.
# A number that is longer than its element is refused.
# What comes out passes `check: [structure, codes, balance]` of the shipped grammars, and edifact-invoic-to-invoice.jq makes
# the same invoice of it again, but for what is lost. To change it, copy it into the site's mappings/.

# ---- decimals: texts in, texts out; counted in the smallest part that an amount has, since numbers in jq are doubles
def minor: {"JPY": 0, "KRW": 0, "CLP": 0, "VND": 0, "ISK": 0, "XAF": 0, "XOF": 0, "XPF": 0, "PYG": 0, "UGX": 0, "RWF": 0,
  "BHD": 3, "IQD": 3, "JOD": 3, "KWD": 3, "LYD": 3, "OMR": 3, "TND": 3}[.] // 2;
def decimal: if type == "string" and test("^[-+]?([0-9]+([.][0-9]*)?|[.][0-9]+)$") then . else error("`\(.)` is no decimal number") end;
def places: (split(".")[1] // "") | length;
def digits: decimal | ltrimstr("+") | split(".") | join("") | tonumber;
def exact: if fabs > 9000000000000000 then error("an amount is too large to be counted exactly") else . end;
def scaled($from; $to): exact | if $from > $to then . / pow(10; $from - $to) | round else . * pow(10; $to - $from) | exact end;
def units($scale): places as $places | digits | scaled($places; $scale);
# A product, rounded to so many places.
def times($other; $scale): (places + ($other | places)) as $places | digits * ($other | digits) | scaled($places; $scale);
def amount($scale): (if . < 0 then "-" else "" end) as $sign | (fabs | tostring)
  | "0" * ([$scale + 1 - length, 0] | max) + . | if $scale > 0 then "\($sign)\(.[:-$scale]).\(.[-$scale:])" else "\($sign)\(.)" end;

# ---- parts
def plain: if test("[\r\n\t]|  |^ | $") then gsub("[\r\n\t ]+"; " ") | gsub("^ | $"; "") else . end;
# A text in lines of at most so many characters, between words where it can be.
def lines($max): plain | def cut: if length <= $max then [.] else (.[:$max] | [match(" "; "g").offset] | last) as $at
    | if $at then [.[:$at]] + (.[$at + 1:] | cut) else [.[:$max]] + (.[$max:] | cut) end end; cut;
def fit($max; $what): if length > $max then error("\($what) `\(.)` is longer than the \($max) characters that INVOIC has for it") else . end;
# A segment without the empty elements at its end; of a composite the same.
def short: until(length == 0 or (last | . != null and . != "" and . != []); .[:-1]);
def segment: map(if type == "array" then short | map(. // "") else . // "" end) | short;
def day: split("-") | join("");
def reference($qualifier; $max): if . == null then empty else ["RFF", [$qualifier, (.id | fit($max; "the reference"))]] end;
def rate: if index(".") == null then . else sub("(?<a>[.][0-9]*[1-9])0+$"; .a) | sub("[.]0*$"; "") end;
# Whose number is it? The buyer's only where its system is the buyer's, or the order's.
def whose($invoice): if .system == "gs1" then "gs1" elif .system == $invoice.system then "seller"
  elif .system == $invoice.customer.system or .system == $invoice.orderReference.system? then "buyer" else "seller" end;

. as $invoice
| (.extension.edifact? // {}) as $edifact
| ($edifact.release // "96A") as $release
| if $release != "96A" and $release != "01B" then error("this makes D.96A and D.01B, and no D.\($release)") else . end
| ($release == "01B") as $later
| def agency: {"gs1": "9", "buyer": "92"}[whose($invoice)] // "91";
def party($code): if . == null then empty else . as $party
  | ["NAD", $code, (if .id == .name then [] else [(.id | fit(if $later then 35 else 17 end; "the party")), "", agency] end), "",
      (.name // "" | lines(35)[:5]), ([.address.street[]? | lines(35)[]][:4]), (.address.city // "" | .[:35]),
      (.address.stateOrProvince // "" | if length > 9 then "" else . end), (.address.postcode // "" | .[:if $later then 17 else 9 end]), .address.country],
    (if $code == "SU" then $invoice.paymentMeans // {} | (.iban // .account) | select(.) | ["FII", "RB", [fit(35; "the account")]] else empty end),
    ({"vat": "VA", "registration": "XA"} as $known | .externalReference[]? | select($known[.system]) | reference($known[.system]; 35)),
    (if $code == "SU" and $invoice.contact then $invoice.contact
      | ["CTA", "IC", ["", (.name // "" | .[:35])]], (.telephone | select(.) | ["COM", [., "TE"]]), (.email | select(.) | ["COM", [., "EM"]]) else empty end) end;
def moa($qualifier): if . == null then empty else ["MOA", [$qualifier, .amount]] end;
def tax($percent; $category): if $percent == null and $category == null then empty else ["TAX", "7", "VAT", "", "", ["", "", "", ($percent // "" | rate)], $category] end;
def charge($indicator; $qualifier): if . == null then empty else ["ALC", $indicator], moa($qualifier) end;
def numbers: [{id, system}, (.externalReference[]?)] | map({id: (.id | fit(35; "the product")), code: (if .system == "gs1" then (if $later then "SRV" else "EN" end) elif whose($invoice) == "seller" then "SA" else "IN" end)});
def line($at): . as $line | (.item | numbers) as $numbers
  | ([$numbers[] | select(.code == ("EN", "SRV"))][0]) as $gs1 | ([$numbers[] | select(.code != ("EN" | if $later then "SRV" else . end))]) as $others
  | ["LIN", (.id | if length > 6 or (test("^[0-9]+$") | not) then "\($at)" else . end), "", (if $gs1 then [$gs1.id, $gs1.code] else [] end)],
    (if $others != [] then ["PIA", (if $gs1 then "1" else "5" end)] + [$others[:5][] | [.id, .code]] else empty end),
    (.item.name | select(.) | ["IMD", "F", "", (["", "", ""] + (lines(if $later then 256 else 35 end)[:2]))]),
    ["QTY", ["47", .invoicedQuantity.amount, (.invoicedQuantity.unit | fit(3; "the unit"))]],
    (.period | select(.) | (.startDate | ["DTM", ["194", day, "102"]]), (.endDate | select(.) | ["DTM", ["206", day, "102"]])),
    (.lineExtensionAmount | moa("203")),
    ["PRI", ["AAA", .price.amount]],
    (.orderLine | select(.) | if $invoice.orderReference then ["RFF", ["ON", $invoice.orderReference.id, fit(6; "the order's line")]] else ["RFF", ["LI", .]] end),
    tax(.percent; .taxCategory),
    (.allowance | charge("A"; "204")), (.charge | charge("C"; "23"));
.legalMonetaryTotal as $total
| if [$total[], (.invoiceLine[] | .lineExtensionAmount, .price)] | all(.currency == $invoice.documentCurrency) then . else
    error("an amount is in another currency than \(.documentCurrency)") end
| [ ["BGM", ({"credit-note": "381", "correction": "384"}[.invoiceType // ""] // "380"), (.number | fit(35; "the invoice's number")), "9"],
    ["DTM", ["137", (.issueDate | day), "102"]],
    (.taxPointDate | select(.) | ["DTM", ["131", day, "102"]]),
    ({"transfer": "42", "direct-debit": "49", "card": "48", "check": "20"}[.paymentMeans.method? // ""] | select(.) | ["PAI", ["", "", .]]),
    ([.note[]? | plain | select(. != "")][:if $later then 99 else 10 end][] | ["FTX", "AAI", "", "", lines(70)[:5]]),
    (.orderReference | reference("ON"; 35)), (.contractReference | reference("CT"; 35)), (.billingReference | reference("IV"; 35)),
    ({"despatch-advice": "DQ", "packing-list": "PK"} as $known | .externalReference[]? | select($known[.system]) | reference($known[.system]; 35)),
    (.paymentMeans.reference? | select(.) | ["RFF", ["PQ", fit(35; "the purpose")]]),
    (.supplier | party("SU")), (.customer | party("BY")), (.payer | party("IV")),
    ["CUX", ["2", .documentCurrency, "4"]],
    (((.paymentTerms // "") | capture("^NET *(?<days>[0-9]{1,3})$")? // null) as $net | if $net or .dueDate then
      (if $net then ["PAT", "1", "", ["5", "3", "D", $net.days]] else ["PAT", "3"] end), (.dueDate | select(.) | ["DTM", ["13", day, "102"]]) else empty end),
    (.allowanceCharge[]? | (if .chargeIndicator then ["ALC", "C", "", "", "", [.reasonCode, "", "", ((.reason // "" | lines(35)[:2])[])]]
        else ["ALC", "A", ["", .reasonCode], "", "", ["", "", "", ((.reason // "" | lines(35)[:2])[])]] end),
      (.percent | select(.) | ["PCD", ["3", .]]), (.amount | moa("8")), tax(.taxPercent; .taxCategory)),
    (.invoiceLine | to_entries[] | .key as $i | .value | line($i + 1)),
    ["UNS", "S"],
    ["CNT", ["2", "\(.invoiceLine | length)"]],
    ($total | (.lineExtensionAmount | moa("79")), (.allowanceTotalAmount | moa("260")), (.chargeTotalAmount | moa("259")), (.taxExclusiveAmount | moa("389")),
      ([$invoice.taxTotal[]?.taxAmount] | if length > 0 then . as $taxes | ([$taxes[].amount | places] | max) as $scale
        | {amount: ([$taxes[].amount | units($scale)] | add | amount($scale))} | moa("176") else empty end),
      (.taxInclusiveAmount | moa("77")), (.prepaidAmount | moa("113")), (.payableRoundingAmount | moa("366")), (.payableAmount | moa("9"))),
    (.taxTotal[]? | tax(.percent; .taxCategory), (.taxableAmount | moa("125")), (.taxAmount | moa("124")))
  ]
| {
    format: "edifact",
    transaction: ({type: "INVOIC", version: "D", release: $release, agency: "UN", association: ($edifact.association // (if $later then "EAN011" else "EAN008" end))} | with_entries(select(.value != ""))),
    segments: map(segment)
  }
