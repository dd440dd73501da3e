# The CRM's event `opportunity.won` → order/v1.
#
# Try it:  ferrule map mappings/crm-opportunity-to-order.jq input/crm/OPP-20431.json

def cents: tonumber * 100 | round;
def money($currency): {amount: "\(. / 100 | floor).\(. % 100 | tostring | if length < 2 then "0" + . else . end)", currency: $currency};

.data as $won
| $won.currency as $currency
| [$won.lines | to_entries[] | .value as $line | {
    id: "\(.key + 1)",
    product: {id: $line.sku, system: "erp", name: $line.description},
    quantity: {amount: ($line.quantity | tostring), unit: "EA"},
    price: {amount: $line.unitPrice, currency: $currency},
    total: (($line.quantity | tonumber) * ($line.unitPrice | cents) | round | money($currency))
  } + (if $line.support then {service: {level: $line.support.plan, term: "P\($line.support.months)M"}} else {} end)] as $lines
| {
    number: ($won.purchaseOrder // $won.id),
    system: "crm",
    channel: "crm",
    orderDate: $won.closeDate,
    requestedDeliveryDate: $won.deliverBy,
    customer: {id: $won.account.id, system: "crm", name: $won.account.name},
    contact: $won.contact,
    shipTo: (if $won.shipTo then {id: $won.account.id, system: "crm", name: $won.account.name, address: $won.shipTo} else null end),
    orderItem: $lines,
    total: ([$lines[].total.amount | cents] | add // 0 | money($currency)),
    externalReference: [{id: $won.id, system: "crm"}]
  }
| with_entries(select(.value != null))
