"""Each dialect is a pure pair: parse (wire to canonical) and render (canonical to wire)."""
