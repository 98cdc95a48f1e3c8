"""Who looks at a page: signing in with a key or by an identity provider, cookies and forms."""
