"""A scan on a Dask cluster: the stages of a scan as tasks on many machines.

cluster           the driver: scheduler, workers, list, results
batches           the order of the tasks, batch by batch
tasks             the work of each task
worker_plugin     resolver, caches and event loop of one worker
partition         the split of servers among tasks that keeps every limit
messages          the data sent between workers
"""
