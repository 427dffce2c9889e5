"""The list of a scan, and the names in it that were read before."""
