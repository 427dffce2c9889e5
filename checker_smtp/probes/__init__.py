"""The probes of a domain's mail service: scripts, observations, and the rules that evaluate them. No I/O."""

if __name__ != "checker_smtp.probes":
    raise ImportError(
        f"{__name__!r} is a link in the source tree, not a package. Import checker_smtp.probes instead."
    )
