# order/v1 → what the ERP's import reads. Keys become elements in their order, a list repeats its element, '@x' is an attribute.
{
  number: .number,
  source: .system,
  orderDate: .orderDate,
  requestedDate: (.requestedDeliveryDate // .orderDate),
  customer: {"@system": .customer.system, "@id": .customer.id, "#text": (.customer.name // "")},
  shipTo: (.shipTo // .customer | {
    name: (.name // ""),
    street: (.address.street // []),
    city: (.address.city // ""),
    state: (.address.stateOrProvince // ""),
    postcode: (.address.postcode // ""),
    country: (.address.country // "")
  }),
  line: [.orderItem[] | {
    "@number": .id,
    product: .product.id,
    description: (.product.name // ""),
    quantity: {"@unit": .quantity.unit, "#text": .quantity.amount},
    price: .price.amount,
    amount: .total.amount
  }],
  total: {"@currency": .total.currency, "#text": .total.amount},
  remark: (.note // [])
}
