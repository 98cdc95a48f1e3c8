"""Which endpoints may serve a request, in which order, and how well each has done so."""
