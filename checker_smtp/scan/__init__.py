"""The bulk scan: many domains, one visit for each server that they share.

names      the list of domains, as it comes in
results    the lines that go out, and how a scan is resumed
domain     one domain on its way from the list to its line
server     one address, with the domains that wait for their turn there
manners    how many sessions at once, how long between two, whom never
scan       all of it together

On a cluster:

cluster    what is around the rounds: scheduler, workers, list, results
rounds     what is decided between the tasks
tasks      what workers do
station    what a worker has for that
districts  who visits whom, such that limits hold
freight    what travels
parts      the folder of results
"""
