"""Photos on disk -> a data set with one split -> pixels."""
