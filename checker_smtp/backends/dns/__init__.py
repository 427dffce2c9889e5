"""DNS over UDP and TCP: a resolver, two codecs and a cache."""
