# order/v1 → rows of a CSV file as ERP systems import them: a row for each line, the order's own fields repeated in
# each.
#
#   - map: order-to-erp-csv.jq
#   - encode: {format: csv, separator: ';', safe: on}
#
# Every row has every column, in this order; what an order does not say is an empty field. Amounts and quantities have
# a point and no separators of thousands, days are 2026-03-02. Nothing comes from outside.
#
# The columns …_allowance, …_charge and …_tax are sums of the amounts of their kind, for the line and for the order;
# one that is told as a rate alone stands in words in `note`, which holds all notes of the order, and in `line_note`
# for the line. For columns by other names: encode with `columns`, or copy it into the site's mappings/: a file of the
# site goes before one that ships. Left out: the channel, services' start, further numbers of parties, numbers of
# products that are neither the buyer's nor GS1's, references that are no contract or quote, `extension`.

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
def sum_of_kind($kind; $currency): [.charge[]? | select(.kind == $kind and .amount) | if .amount.currency != $currency then error("a \($kind) is in \(.amount.currency), the order in \($currency)") else .amount.amount | decimal end]
  | if . == [] then "" else sum_of($currency | places) | text end;
def rates: [.charge[]? | select(.amount == null) | "\(.description // .code // .kind): \(.percent // "?") %"];
def number_of($system): [select(.system == $system).id, (.externalReference[]? | select(.system == $system) | .id)][0] // "";
def party($prefix): . as $party | {
  id: .id, system: .system, name: .name, street: ([.address.street[]?] | join(", ")), city: .address.city, state: .address.stateOrProvince,
  postcode: .address.postcode, country: .address.country
} | with_entries({key: "\($prefix)_\(.key)", value: (.value // "")});
def reference($system): [.externalReference[]? | select(.system == $system) | .id][0] // "";

. as $order
| .total.currency as $currency
| ({
    order_number: .number, order_system: .system, order_state: (.state // ""), order_date: .orderDate, requested_date: (.requestedDeliveryDate // "")
  } + (.customer | party("customer")) + (.shipTo // .customer | party("ship_to")) + (.billTo // .customer | {bill_to_id: .id, bill_to_system: .system, bill_to_name: (.name // "")}) + {
    contact_name: (.contact.name // ""), contact_telephone: (.contact.telephone // ""), contact_email: (.contact.email // ""),
    payment_terms: (.paymentTerms // ""), contract: reference("contract"), quote: reference("quote")
  }) as $head
| {
    order_total: (.total.amount | plain), order_allowance: sum_of_kind("allowance"; $currency), order_charge: sum_of_kind("charge"; $currency), order_tax: sum_of_kind("tax"; $currency),
    note: ([.note[]?] + rates | join("\n"))
  } as $tail
| [.orderItem[]
  | if .price.currency != $currency or .total.currency != $currency then error("line \(.id) is not in \($currency), as the order's total") else . end
  | $head + {
    line: .id, product: .product.id, product_system: .product.system, buyer_product: (.product | number_of($order.system)), gtin: (.product | number_of("gs1")), description: (.product.name // ""),
    quantity: (.quantity.amount | plain), unit: .quantity.unit, price: (.price.amount | plain), currency: $currency, line_total: (.total.amount | plain),
    line_allowance: sum_of_kind("allowance"; $currency), line_charge: sum_of_kind("charge"; $currency), line_tax: sum_of_kind("tax"; $currency),
    line_requested_date: (.requestedDeliveryDate // $order.requestedDeliveryDate // ""),
    service_level: (.service.level // ""), service_term: (.service.term // ""), line_note: (rates | join("\n"))
  } + $tail]
