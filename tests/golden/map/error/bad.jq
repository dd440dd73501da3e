.
| .number
| tonumber
