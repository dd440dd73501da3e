{a: .b
