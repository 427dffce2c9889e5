"""The list of a scan: a file that is read again and again, its names, and those that were read before."""
