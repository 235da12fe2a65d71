"""The HTTP edge: handlers parse, call one function of a service, and render."""
