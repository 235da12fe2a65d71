"""The fictional community of the demo and what its members share: values only; `hub.service.demo` puts them into a hub."""
