. + {number}
