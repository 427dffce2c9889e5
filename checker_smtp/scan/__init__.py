"""The bulk scan: many domains, one session for the domains that share a server.

job               a scan as the user ordered it: files and signals around it
scan              the stages of a scan on one machine, joined
resolve           the first stage: from a domain of the list to its servers
schedule          the second stage: the domains that share a server are asked about in one session
evaluate          the last stage: from the sessions of a domain to its result line
domain_scan       what the stages hand on: the state of one domain
stages            joins stages by memory streams

input/            the list of domains
politeness/       limits, delays, pauses and exclusions
output/           the results on disk
dask/             the same stages on a cluster
"""
