# order/v1 → a list of entitlement/v1: one for each line that carries service. The flow's `split` makes a message of each.

# "2026-03-16" and "P12M" → the last day of support, "2027-03-15"
def months: capture("^P(?<n>[0-9]+)(?<unit>[MY])$") | (.n | tonumber) * (if .unit == "Y" then 12 else 1 end);
def last_day($term): strptime("%Y-%m-%d") | .[1] += ($term | months) | mktime - 86400 | strftime("%Y-%m-%d");

. as $order
| [.orderItem[] | select(.service) | . as $line
  | ($line.service.startDate // $order.requestedDeliveryDate // $order.orderDate) as $start
  | {
      number: "\($order.number)/\($line.id)",
      system: "ferrule",
      name: "\($line.service.level[0:1] | ascii_upcase)\($line.service.level[1:]) support, \($line.product.name // $line.product.id | ascii_downcase)",
      type: $line.service.level,
      status: "inactive",
      startDate: $start,
      endDate: ($start | last_day($line.service.term)),
      account: ($order.customer | {id, system, name} | with_entries(select(.value))),
      order: {id: $order.number, system: $order.system},
      orderItem: $line.id,
      product: ($line.product | {id, system, name} | with_entries(select(.value))),
      quantity: $line.quantity
    }
]
