"""DNS over UDP and TCP: the resolver, the codecs, the cache."""
