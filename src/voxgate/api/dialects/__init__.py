"""Pure functions between the wire and canonical values: parse, negotiate, render."""
