"""How the schema came about, in small steps. `voxgate.ledger.migration` takes them."""
