"""The pages: what a browser shows of this server, rendered here and readable without JavaScript."""
