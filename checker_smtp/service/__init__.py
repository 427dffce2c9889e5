"""The HTTP service: a checker for happyDomain, and a web page for people without one.

server           listening sockets, signals, shutdown
app              the application out of its parts
http/            the middleware of every request: client, authentication, limits, timeouts, errors
happydomain/     the protocol: routes, requests, /collect, /evaluate, /report, the definition
web/             the page: form, running check, files of the result
checks           the check of one request, within its limits of time and connections
admission        allowed domains, and slots for checks
rates            rates of clients, domains, addresses and providers
refusal          a check that is not started now
options          the options of a check that a request may contain
settings         the settings of the service, the fields of the options of `serve`

Nothing is imported here, so that the command line can read the settings without loading a web framework.
"""
