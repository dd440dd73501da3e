# stock/v1 → what the shop's API takes. Numbers of pieces are whole, and texts in the contract as all amounts are.
#
# Try it:  head -1 input/stock-20260302.jsonl | ferrule map mappings/stock-to-shop.jq
{
  sku: .product.id,
  available: ([(.onHand | tonumber) - (.reserved // "0" | tonumber), 0] | max),
  countedAt: .countedAt
}
