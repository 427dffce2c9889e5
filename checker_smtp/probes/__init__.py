"""What a domain is asked, and what the replies mean: scripts, observations, rules. No I/O."""

if __name__ != "checker_smtp.probes":
    raise ImportError(
        f"{__name__!r} is a link in the source tree, not a package. Import checker_smtp.probes instead."
    )
