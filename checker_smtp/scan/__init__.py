"""The bulk scan: many domains, one session for the domains that share a server.

domain_list       the list of domains, read line by line
duplicate_filter  the names that were read before
results           the file of result lines, and continuing a scan with it
domain_scan       the state of one domain between DNS and result line
server_queue      the domains that wait for one address
politeness        limits on sessions, the delay between two, excluded hosts
rate_limit        runs every session within these limits
scan              the scan itself
job               files and signals around a scan

On a cluster:

cluster           the driver: scheduler, workers, list, results
batches           the order of the tasks, batch by batch
tasks             the work of each task
worker_plugin     resolver, caches and event loop of one worker
partition         the split of servers among tasks that keeps every limit
messages          the data sent between workers
parts             the folder of results
"""
