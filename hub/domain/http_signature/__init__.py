"""HTTP message signatures (RFC 9421) and digests of content (RFC 9530), as the hub makes and takes them."""
