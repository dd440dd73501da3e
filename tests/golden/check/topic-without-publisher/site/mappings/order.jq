. | {number}
