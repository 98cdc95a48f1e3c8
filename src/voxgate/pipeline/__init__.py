"""One recording through the whole path: the only code that knows the order."""
