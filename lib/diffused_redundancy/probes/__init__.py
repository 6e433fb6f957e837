"""Linear probes of nested subsets: ridge and logistic."""
