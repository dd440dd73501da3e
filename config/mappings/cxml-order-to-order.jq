# A cXML OrderRequest → order/v1.
#
#   - decode: {format: xml, names: local}
#   - map: cxml-order-to-order.jq
#   - validate: order/v1
#
# Reads any 1.x version. Who is named in From issued the numbers of the order and of the addresses, and the buyer's
# product numbers; who is named in To the seller's (SupplierPartID). Both are called by what stands in Identity, in
# small letters; of several credentials the one with the domain NetworkId goes first, then DUNS. Days are those that
# the buyer wrote, in the buyer's own time zone. Prices for more than one (PriceBasisQuantity) become prices of one.
#
# The total is the sum of the lines; Shipping, Tax and the Modifications of the header stand beside it. A Total that
# the document states otherwise, auxiliary part numbers (what a configurator made), comments of lines, and deliveries
# in parts become notes. Refused are type="update" and "delete", and several currencies in one order. A test
# (deploymentMode="test") is taken like any other: put `filter: {when: '.cXML.Request."@deploymentMode" != "test"'}`
# in front of the map where tests come the same way. Left out: the shared secret, accounting (Distribution), payment
# cards, terms of delivery, classifications, attachments, Extrinsic, discounts for early payment. To change it, copy
# it into the site's mappings/: a file of the site goes before one that ships.

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
# One element or several, or none, in a list; and its text.
def list: if . == null then [] elif type == "array" then . else [.] end;
def words: if type == "object" then .["#text"] // "" else . // "" end | if type == "array" then join(" ") else . end | gsub("\\s+"; " ") | ltrimstr(" ") | rtrimstr(" ");
def word: list[0] | words | if . == "" then null else . end;
def day: if . == null then null else .[:10] end;
def amount: .Money | list[0] | if . == null then null else words | gsub("[, ]"; "") end;
def currency: .Money | list[0] | objects | .["@currency"];
def identity: [.Credential | list[] | {domain: (.["@domain"] // "" | ascii_downcase), id: (.Identity | word)} | select(.id)]
  | ([.[] | select(.domain == "networkid")][0] // [.[] | select(.domain == "duns")][0] // .[0]).id;
def telephone: [.Phone | list[] | .TelephoneNumber | objects
  | [(.CountryCode | word | select(.) | "+\(.)"), (.AreaOrCityCode | word | select(.)), (.Number | word | select(.)), (.Extension | word | select(.) | "ext. \(.)")] | join(" ") | select(. != "")][0];
def email: [.Email | list[] | words | select(. != "")][0];
def party($buyer): .Address | objects | (.PostalAddress | list[0] // {}) as $post | {
  id: (.["@addressID"] // (.Name | word)), system: $buyer, name: (.Name | word),
  address: ({
    street: [($post.DeliverTo | list[]), ($post.Street | list[]) | words | select(. != "")],
    city: ($post.City | word), stateOrProvince: (($post.State | list[0] | objects | .["@isoStateCode"] | select(.) | split("-") | last) // ($post.State | word)),
    postcode: ($post.PostalCode | word), country: (($post.Country | list[0] | objects | .["@isoCountryCode"]) // .["@isoCountryCode"])
  } | present)
} | if (.id | not) then error("an address has neither addressID nor Name") else . end | present;
# Divided by how many a price is for: exactly by 10, 100 …, else rounded at so many decimals.
def over($by; $n): if $by.digits <= 0 then error("a price is for \($by | text)") else . end
  | {digits: (.digits * pow(10; $n - .scale + $by.scale) / $by.digits | round), scale: $n};
def price_of_one($by): ($by | trimmed(0)) as $by
  | if $by == {digits: 1, scale: 0} then .
    elif $by.scale == 0 and ($by.digits | tostring | test("^10*$")) then {digits, scale: (.scale + ($by.digits | tostring | length - 1))} | trimmed(2)
    else over($by; 6) | trimmed(2) end;
def charge($kind; $currency): {kind: $kind, description: (.Description | word), amount: (amount | if . then decimal | money($currency) else null end)} | present;
def charges($currency): [
  (.Shipping | list[] | charge("charge"; $currency) | .description = (.description // "Shipping")),
  (.Total | objects | .Modifications | objects | .Modification | list[] | .ModificationDetail as $detail
    | ({AdditionalDeduction: "allowance", AdditionalCost: "charge"} | to_entries[]) as $kind | .[$kind.key] | objects
    | (.DeductionAmount // .DeductedPrice // .) as $sum
    | {kind: $kind.value, code: ($detail | objects | .["@name"]), description: ($detail | objects | .Description | word),
       percent: (.DeductionPercent // .Percentage | objects | .["@percent"] | select(.) | plain), amount: ($sum | amount | if . then decimal | money($currency) else null end)} | present),
  (.Tax | list[] | charge("tax"; $currency))] | map(select(.amount or .percent));
def comments: [.Comments | list[] | words | select(. != "")];

.cXML as $document
| ($document.Request.OrderRequest // error("there is no OrderRequest in the document")) as $request
| $request.OrderRequestHeader as $head
| if $head["@type"] == "update" or $head["@type"] == "delete" then error("order \($head["@orderID"]) is of type \($head["@type"]), no new order") else . end
| ($document.Header.From | identity // error("the header does not say who sent it (From)") | ascii_downcase) as $buyer
| ($document.Header.To | identity // error("the header does not say whom it is for (To)") | ascii_downcase) as $seller
| ($head.Total | currency // error("the order has no total, which says its currency")) as $currency
| ($head["@requestedDeliveryDate"] | day) as $wanted
| [$request.ItemOut | list | to_entries[] | (.value["@lineNumber"] // (.key + 1 | tostring)) as $id | .value
  | ([.ItemDetail, .BlanketItemDetail | objects][0] // error("line \($id) has no detail")) as $detail
  | (.["@quantity"] // error("line \($id) has no quantity") | decimal) as $quantity
  | ($detail.UnitPrice | currency // $currency) as $of
  | if $of != $currency then error("line \($id) is in \($of), the order in \($currency)") else . end
  | ($detail.PriceBasisQuantity | list[0]) as $basis
  | if $basis and (($basis.UnitOfMeasure | word) // "" | . != "" and . != ($detail.UnitOfMeasure | word)) then error("line \($id): the price is for \($basis.UnitOfMeasure | word), the quantity in \($detail.UnitOfMeasure | word)") else . end
  | ($detail.UnitPrice | amount // error("line \($id) has no price") | decimal) as $price
  | ($basis["@quantity"]? // "1" | decimal) as $by
  | (.["@requestedDeliveryDate"] | day) as $day
  | {
    id: $id,
    product: ({id: (.ItemID.SupplierPartID | word), system: $seller, name: ($detail.Description | word),
      externalReference: [(.ItemID.BuyerPartID | word | select(.) | {id: ., system: $buyer}), ($detail.ManufacturerPartID | word | select(.) | {id: ., system: ($detail.ManufacturerName | word // "manufacturer" | ascii_downcase)})]} | present),
    quantity: {amount: ($quantity | text), unit: ($detail.UnitOfMeasure | word)},
    price: {amount: ($price | price_of_one($by) | text), currency: $currency},
    total: (product_of($quantity; $price) | over($by; $currency | places) | money($currency)),
    requestedDeliveryDate: (if $day == $wanted then null else $day end),
    charge: charges($currency),
    notes: [
      (.ItemID.SupplierPartAuxiliaryID | word | select(.) | "configuration \(.)"), comments[],
      ([.ScheduleLine | list[] | "\(.["@quantity"] | plain) on \(.["@requestedDeliveryDate"] | day)"] | if length > 0 then join(", ") else empty end)
    ]
  } | present] as $items
| ([$items[] | .total.amount | decimal] | sum_of($currency | places)) as $total
| ($head.Total | amount | if . then decimal else null end) as $stated
| {
    number: $head["@orderID"],
    system: $buyer,
    channel: "edi",
    orderDate: ($head["@orderDate"] | day),
    requestedDeliveryDate: $wanted,
    customer: ({id: ($document.Header.From | identity), system: $buyer}
      + ([$head.BillTo | objects | party($buyer) | {name, address} | present][0] // {})),
    contact: ([$head.Contact | list[], ($head.ShipTo | objects | .Address), ($head.BillTo | objects | .Address) | objects
      | {name: ([.PostalAddress | list[] | .DeliverTo | list[] | words][0] // (.Name | word)), telephone: telephone, email: email} | present | select(.telephone or .email)][0]),
    shipTo: ([$head.ShipTo | objects | party($buyer)][0]),
    billTo: ([$head.BillTo | objects | party($buyer)][0]),
    paymentTerms: ([$head.PaymentTerm | list[] | select(.Discount | not) | .["@payInNumberOfDays"] | select(.) | "NET\(tonumber)"][0]),
    orderItem: [$items[] | del(.notes)],
    total: ($total | money($currency)),
    charge: ($head | charges($currency)),
    note: [
      ($head | comments[]), ($items[] | .id as $id | .notes[]? | "Line \($id): \(.)"),
      (if $stated and ($stated | money($currency)) != ($total | money($currency)) then "The document states a total of \($stated | money($currency).amount) \($currency)" else empty end)
    ],
    externalReference: [
      ($head["@agreementID"] // $head["@parentAgreementID"] | select(.) | {id: ., system: "contract"})
    ]
  }
| present
