"""The bulk scan: many domains, one visit for each server that they share.

names      the list of domains, as it comes in
results    the lines that go out, and how a scan is resumed
domain     one domain on its way from the list to its line
server     one address, with the domains that wait for their turn there
manners    how many sessions at once, how long between two, whom never
scan       all of it together
"""
