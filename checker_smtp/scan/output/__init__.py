"""The results of a scan: the lines on disk, the manifest beside them, and how they are continued."""
