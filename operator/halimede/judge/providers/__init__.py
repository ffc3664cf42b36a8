"""Which series of a product mean a request, and which an error, of which revision."""
