# a comment
{
  number: .number,
  total: (.total | tonumbr)
}
