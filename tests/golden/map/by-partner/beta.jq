{beta: .n}
