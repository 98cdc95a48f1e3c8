"""The migrations of the schema, one file each. `voxgate.ledger.migration` runs them."""
